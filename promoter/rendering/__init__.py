"""What Argo CD would apply: the charts rendered in-process by Helm's own code, and what a change makes of it.

Needs the extra `render`; whoever imports this checks that it is there.
"""
