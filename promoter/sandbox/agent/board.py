"""Where the agent's one working thread and the threads that answer requests meet."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from promoter.sandbox.agent.answers import Snapshot


class Board:
    """The newest snapshot of each Application, and the refreshes that are waited for. Safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._snapshots: Mapping[str, Snapshot] = {}
        self._pending: set[str] = set()

    def snapshot(self, name: str) -> tuple[Snapshot | None, bool]:
        """An Application as it is now, None where there is none, and whether a refresh of it is pending."""
        with self._changed:
            return self._snapshots.get(name), name in self._pending

    def refresh(self, name: str, timeout: float) -> bool:
        """Ask for a refresh and wait for it at most `timeout` seconds; whether it was done."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._pending.add(name)
            self._wake.set()
            while name in self._pending:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def requests(self) -> frozenset[str]:
        """The names whose refresh is pending."""
        with self._changed:
            return frozenset(self._pending)

    def publish(self, snapshots: Mapping[str, Snapshot], refreshed: frozenset[str]) -> None:
        """Put up new snapshots, and tell those who waited for the refreshes that were done."""
        with self._changed:
            self._snapshots = snapshots
            self._pending -= refreshed
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Sleep until a refresh is asked for or `wake` is called, at most `seconds`."""
        self._wake.wait(seconds)
        self._wake.clear()

    def wake(self) -> None:
        """End a `wait`. May be called from a signal handler."""
        self._wake.set()
