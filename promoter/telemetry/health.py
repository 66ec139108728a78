"""Whether the loop gets on: told by the ends of its passes, not by the process being up."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from promoter.control.loop import PassReport
from promoter.domain.duration import format_duration

# So many of its longest turns in a row without an end are no bad luck.
_TURNS = 2

# A first pass may have the whole repository to download, and Git's adapter gives a download this long.
_FIRST_DOWNLOAD = timedelta(minutes=10)


class Health:
    """An audience of the loop that knows when it last got on. Read by the threads of a server.

    longest_pause: between two passes. slowest_pass: what a pass may take. clock: steady, in seconds.
    """

    def __init__(
        self, longest_pause: timedelta, slowest_pass: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = _TURNS * (longest_pause + slowest_pass)
        self._clock = clock
        self._progress_at = clock()
        self._pass_since: float | None = None
        self._ended_one = False
        self._completed_one = False
        self._stands_by = False

    def pass_began(self) -> None:
        self._stands_by = False
        self._pass_since = self._clock()

    def pass_ended(self, report: PassReport) -> None:
        self._pass_since = None
        self._ended_one = True
        self._completed_one = self._completed_one or report.error is None
        self._progress_at = self._clock()

    def stood_by(self) -> None:
        self._stands_by = True
        self._progress_at = self._clock()

    @property
    def limit(self) -> timedelta:
        """How long no pass may have ended before the loop counts as stalled."""
        return self._limit if self._ended_one or self._stands_by else self._limit + _FIRST_DOWNLOAD

    def stalled(self) -> str | None:
        """Why this process should be started anew, None where it gets on.

        A pass that ends with an error has ended: a Git server that is away is not mended by a restart.
        """
        limit, now = self.limit, self._clock()
        silent = now - self._progress_at
        if silent <= limit.total_seconds():
            return None
        since = self._pass_since
        what = "the loop makes no pass" if since is None else f"one that began {now - since:.0f} s ago hangs"
        return f"no pass has ended for {silent:.0f} s, and {format_duration(limit)} are allowed: {what}"

    def unready(self) -> str | None:
        """Why it does not do its work yet, None where it does. Standing by for a leader is its work, too."""
        if self._stands_by or self._completed_one:
            return self.stalled()
        return self.stalled() or "no pass has come to its end without an error yet: the log says why"
