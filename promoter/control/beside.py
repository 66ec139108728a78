"""An audience in a thread of its own: what it waits for never keeps the loop waiting, and so never a way back."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

import structlog

from promoter.control.loop import Audience, PassReport

# Reports that wait while a peer hangs. The oldest is dropped for a new one, and later ones tell how things stand.
_ROOM = 32
_IDLE_S = 0.5

log = structlog.get_logger()


class Beside:
    """`promoter.control.loop.Audience` that hands what it is told to `audience`, which only its thread calls.

    No report is put into the way of another: those that find no room replace the oldest.
    """

    def __init__(self, audience: Audience, name: str) -> None:
        self._audience = audience
        self._name = name
        # None: another promoter leads.
        self._reports: queue.Queue[PassReport | None] = queue.Queue(_ROOM)
        self._stop = threading.Event()

    def start(self) -> threading.Thread:
        """The thread, which ends with the process or with `stop`."""
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread after the report that it is at."""
        self._stop.set()

    def pass_began(self) -> None:
        """Nothing has come of it yet."""

    def pass_ended(self, report: PassReport) -> None:
        self._hand_over(report)

    def stood_by(self) -> None:
        self._hand_over(None)

    def _hand_over(self, report: PassReport | None) -> None:
        while True:
            try:
                self._reports.put_nowait(report)
            except queue.Full:
                with suppress(queue.Empty):
                    self._reports.get_nowait()
                log.warning("report.dropped", of=self._name)
            else:
                return

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(queue.Empty):
                self._tell(self._reports.get(timeout=_IDLE_S))

    def _tell(self, report: PassReport | None) -> None:
        try:
            if report is None:
                self._audience.stood_by()
            else:
                self._audience.pass_ended(report)
        except Exception:
            # A fault of ours. It would end all telling without a word, and the next report may do better.
            log.exception("report.failed", of=self._name)
