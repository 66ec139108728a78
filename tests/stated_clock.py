"""A steady clock that stands where a test puts it."""


class StatedClock:
    """now: seconds."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now
