"""The demo: versions dropped into the store of a sandbox, one after another, watched to their ends.

The rooms:

    cast                              the versions, and how each must end
    directory, stage                  a clean folder; a sandbox with version 1 serving, and the policy
    events, commits, splits           what is known of a course: the promoter's log, Git, Envoy's admin page
    play                              drop a version, watch it to its end, drop the next
    standing → screen                 a version's course so far, in the terminal
    record → summary, fixed_schedule  the whole play, and what it amounts to (pure)
    closing                           the last page in the terminal

The pictures are `promoter.sandbox.report`'s part.
"""
