"""How long a forge is left alone after it did not do its part."""

from __future__ import annotations

from datetime import datetime, timedelta

_LENGTH = timedelta(seconds=30)


class Respite:
    """Begins with a failure, and is over by itself. Times are those of passes."""

    def __init__(self) -> None:
        self._until: datetime | None = None

    def lasts(self, now: datetime) -> bool:
        """Whether nothing is to be asked yet."""
        return self._until is not None and now < self._until

    def begin(self, now: datetime) -> float:
        """From `now` on; how many seconds it lasts."""
        self._until = now + _LENGTH
        return _LENGTH.total_seconds()

    def end(self) -> None:
        """Ask again at once."""
        self._until = None
