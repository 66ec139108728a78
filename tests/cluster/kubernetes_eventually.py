"""Controllers take their time."""

import time

CONTROLLER_SECONDS = 30


def eventually(look, good, seconds=CONTROLLER_SECONDS):
    """What `look` sees once it is good, or at last."""
    deadline = time.monotonic() + seconds
    while not good(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen
