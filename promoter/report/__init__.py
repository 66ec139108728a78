"""The page of one rollout, from Git and, where it is asked, Prometheus.

gather       what is known of the rollout, read from both
curves       what the pictures show, in numbers
pictures     the pictures, one for wide screens and one for phones
page         the file
links        where a host shows a commit
"""
