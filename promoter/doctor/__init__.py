"""An installation from end to end, looked at with the promoter's own settings: what is wrong, and what to do about it.

A check is a function of a Patient that yields Findings. None changes anything; the one that would is asked for by name.
"""
