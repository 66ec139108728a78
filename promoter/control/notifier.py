"""Tells people what happened, beside the loop and never in its way.

The loop's thread only reads commits that are here already, and hands over what it found; a full queue makes it try
again with the next pass. Everything that can hang (the record in Git, the targets) is left to a thread of its own.

What is told is claimed first, in the record, by compare-and-swap: so no message is sent twice, by whichever promoter
and after whichever restart. One that is killed between its claim and its message leaves it unsaid.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from promoter.control.loop import PassReport
from promoter.control.notices import notices_since, standing_still, waiting_for_people
from promoter.control.reconcile import Survey
from promoter.domain.names import ServedModel
from promoter.domain.notice import Notice, Notified, Route, Routes
from promoter.domain.repository import Revision
from promoter.errors import HeadMoved, MessageFailed, PromoterError
from promoter.ports import Journal, Messenger, Repository

# Batches that wait for a target that hangs. More are found again in Git once there is room.
_ROOM = 16

# Seconds before another try: of a message, and of the record.
_SEND_PAUSES = (2.0, 15.0)
_RECORD_PAUSE = 10.0
_IDLE = 0.5

# A pull request is opened beside the loop; after so long, people are told without its address.
_ADDRESS_PATIENCE = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Batch:
    head: Revision
    notices: tuple[Notice, ...]


class Notifier:
    """`promoter.control.loop.Audience`, with a thread that `start` begins.

    pauses: between tries, in seconds. address_of: a model's pull request, None where none is known; it is asked in the
    loop's thread.
    """

    def __init__(
        self,
        repository: Repository,
        journal: Journal,
        messenger: Messenger,
        routes: Routes,
        *,
        address_of: Callable[[ServedModel], str | None] = lambda _: None,
        pauses: Sequence[float] = _SEND_PAUSES,
        record_pause: float = _RECORD_PAUSE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0),
    ) -> None:
        self._repository = repository
        self._journal = journal
        self._messenger = messenger
        self._routes = routes
        self._address_of = address_of
        self._pauses = tuple(pauses)
        self._record_pause = record_pause
        self._clock = clock
        self._waiting: queue.Queue[_Batch] = queue.Queue(_ROOM)
        self._stop = threading.Event()
        self._lead = threading.Event()
        # Of the loop's thread: where it began, and up to where it has looked.
        self._first: Revision | None = None
        self._since: Revision | None = None
        self._known: set[str] = set()
        self._asked_at: dict[str, datetime] = {}
        self._record: Notified | None = None
        self._is_read = threading.Event()

    def start(self) -> threading.Thread:
        """The thread, which ends with the process or with `stop`."""
        thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread after the message that it is sending."""
        self._stop.set()

    def pass_began(self) -> None:
        pass

    def stood_by(self) -> None:
        """Another promoter tells people now; the record says what, once this one leads again."""
        self._lead.clear()
        self._is_read.clear()
        self._first = self._since = None

    def pass_ended(self, report: PassReport) -> None:
        self._lead.set()
        survey = report.survey
        if survey is None or survey.stale is not None:
            return
        self._first = self._first or survey.head
        if not self._is_read.is_set():
            return
        head = survey.head if report.pushed is None else report.pushed.revision
        record = self._record
        since = self._since or (record.head if record else self._first)
        try:
            found = () if since == head else notices_since(self._repository, since, head)
        except PromoterError as error:
            log.warning("notices.unread", detail=str(error))
            return
        found = (*found, *standing_still(survey, self._routes.held_after), *self._asked(survey))
        news = tuple(notice for notice in found if notice.key not in self._known)
        if news or record is None:
            try:
                self._waiting.put_nowait(_Batch(head, news))
            except queue.Full:
                log.warning("notices.wait", count=len(news))
                return
            self._known |= {notice.key for notice in news}
            self._record = record or Notified(head)
        self._since = head

    def _asked(self, survey: Survey) -> tuple[Notice, ...]:
        """What waits for people; for a moment it is not told without an address, for it may be on its way."""
        found = tuple(waiting_for_people(survey, self._address_of))
        self._asked_at = {notice.key: self._asked_at.get(notice.key, survey.at) for notice, _ in found}
        return tuple(
            notice for notice, known in found if known or survey.at - self._asked_at[notice.key] >= _ADDRESS_PATIENCE
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._lead.is_set() and not self._is_read.is_set():
                self._read_record()
            try:
                batch = self._waiting.get(timeout=_IDLE)
            except queue.Empty:
                continue
            for notice in self._claimed(batch):
                self._tell(notice)

    def _read_record(self) -> None:
        try:
            self._record = self._journal.read()
        except PromoterError as error:
            log.warning("notified.unreadable", detail=str(error), retry_in=self._record_pause)
            self._stop.wait(self._record_pause)
            return
        self._is_read.set()

    def _claimed(self, batch: _Batch) -> tuple[Notice, ...]:
        """What of the batch nobody has told, now claimed by us. Where Git is away, it waits."""
        while not self._stop.is_set():
            try:
                record = self._journal.read()
                told = record.told if record else ()
                fresh = tuple(notice for notice in batch.notices if notice.key not in told)
                if fresh or record is None:
                    keys = tuple(notice.key for notice in fresh)
                    self._journal.write(Notified(batch.head, (*told, *keys)), self._clock())
            except HeadMoved:
                continue
            except PromoterError as error:
                log.warning("notified.unwritten", detail=str(error), retry_in=self._record_pause)
                self._stop.wait(self._record_pause)
            else:
                return fresh
        return ()

    def _tell(self, notice: Notice) -> None:
        for route in self._routes.routes:
            if route.takes(notice):
                self._send(route, notice)

    def _send(self, route: Route, notice: Notice) -> None:
        facts = {"route": route.name, "happening": notice.happening.value, "model": str(notice.served)}
        for pause in (*self._pauses, None):
            try:
                self._messenger.send(route, notice.title, notice.text, notice.happening.severity)
            except MessageFailed as error:
                if pause is None or self._stop.is_set():
                    log.error("notice.lost", detail=str(error), **facts)  # noqa: TRY400 - a trace would show the address
                    return
                log.warning("notice.failed", detail=str(error), retry_in=pause, **facts)
                self._stop.wait(pause)
            else:
                log.info("notice.sent", **facts)
                return
