"""Looks at model stores: when each is due, at what price, and what is known in between. Nothing here is judged.

A call to a store costs money: 0.005 $ for a thousand listings, which is 72 $ a day for 10 000 models looked at each
minute. So many models that lie side by side are looked at in one sweep, and what has to be asked for each takes turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from zlib import crc32

from promoter.domain.completeness import Completeness
from promoter.domain.version import IncompleteVersion, Listing, Mark, ModelVersion, StoredVersion, Sweep, Wanted
from promoter.errors import InvalidName, PromoterError, StoreUnavailable
from promoter.ports import ModelStore

_DAY = timedelta(days=1)

# Where the interval would cost more calls than these, it is stretched: to 1 $ a day for looks, and 0.50 $ for checks of
# what is served.
_LOOKS_A_DAY = 200_000
_CHECKS_A_DAY = 100_000

# A pass has rollouts to see to: models at rest take no more of it than this, and the next pass goes on.
_SECONDS_A_PASS = 3.0


@dataclass(frozen=True, slots=True)
class _Look:
    """The last answer, or why there was none. mark: what the sweep before it said, None where none spoke of it."""

    at: datetime
    wanted: Wanted
    mark: Mark | None
    listing: Listing | None
    problem: PromoterError | None = None


@dataclass(frozen=True, slots=True)
class _Check:
    """What a version that is served was when it was last checked."""

    at: datetime
    found: StoredVersion | IncompleteVersion


class Looks:
    """May be asked by several threads at once, for different models.

    interval: the shortest time between two looks at one store. clock: steady, in seconds. tells_halves: spend a call on
    each model to tell of uploads that have not finished, which no sweep does; for as long as the pass has time.
    """

    def __init__(
        self,
        store: ModelStore,
        interval: timedelta,
        clock: Callable[[], float] = time.monotonic,
        *,
        tells_halves: bool = False,
    ) -> None:
        self._store = store
        self._tells_halves = tells_halves
        self._interval = interval
        self._clock = clock
        self._lock = Lock()
        self._looks: dict[str, _Look] = {}
        self._checks: dict[tuple[str, ModelVersion], _Check] = {}
        self._down: dict[str, tuple[datetime, StoreUnavailable]] = {}
        self._began = 0.0
        self._started: datetime | None = None
        self._models = 0
        self._pool = ThreadPoolExecutor(1, "sweep")
        self._sweeping: Future[Sweep] | None = None
        self._swept_at: datetime | None = None
        self._sweep = Sweep({}, 0)

    def begin_pass(self, addresses: Mapping[str, Completeness], now: datetime) -> None:
        """A pass over the models with these stores begins. The first one waits for its sweep, later ones do not."""
        self._models = len(addresses)
        if self._sweeping is not None and self._sweeping.done():
            self.settle()
        idle = len(addresses) > 1 and self._sweeping is None
        if idle and self._is_over(self._swept_at, now, self._sweep.calls, _LOOKS_A_DAY):
            first = self._swept_at is None
            self._swept_at = now
            self._sweeping = self._pool.submit(self._store.sweep, dict(addresses))
            if first:
                self.settle()
        self._started = self._started or now
        self._began = self._clock()

    def settle(self) -> None:
        """Wait for the sweep that is under way, if one is."""
        if self._sweeping is not None:
            self._sweep, self._sweeping = self._sweeping.result(), None

    def listing(self, address: str, wanted: Wanted, now: datetime) -> Listing:
        """What may become a candidate. Raises StoreUnavailable and InvalidInput, as they were not long ago."""
        mark = self._sweep.marks.get(address)
        if mark is not None and (mark.newest is None or (wanted.above is not None and mark.newest <= wanted.above)):
            return self._halves(address, wanted, mark, now)
        known = self._looks.get(address)
        if known is None or self._is_due(known, wanted, mark, now):
            known = self._look(address, wanted, mark, now) or known
        if known is None:
            raise StoreUnavailable("its model store is looked at in one of the next passes")
        if known.listing is None:
            raise known.problem or AssertionError("a look without a listing has a problem")
        return known.listing

    def _halves(self, address: str, wanted: Wanted, mark: Mark, now: datetime) -> Listing:
        """What may be told of a model of which a sweep says that nothing became complete."""
        look = self._look(address, wanted, mark, now) if self._tells_halves else None
        return Listing() if look is None or look.listing is None else look.listing

    def _is_due(self, known: _Look, wanted: Wanted, mark: Mark | None, now: datetime) -> bool:
        if known.wanted != wanted:
            return True
        if mark is not None and mark == known.mark and known.listing is not None and not _may_grow(known.listing):
            return False
        alone = self._models - len(self._sweep.marks) if mark is None else 1
        return self._is_over(known.at, now, alone, _LOOKS_A_DAY)

    def _look(self, address: str, wanted: Wanted, mark: Mark | None, now: datetime) -> _Look | None:
        """A new look; None where this pass has no time left for it."""
        if self._clock() - self._began > _SECONDS_A_PASS:
            return None
        try:
            self._raise_if_down(address, now)
            look = _Look(now, wanted, mark, self._store.listing(address, wanted))
        except PromoterError as error:
            self._note(address, error, now)
            look = _Look(now, wanted, mark, None, error)
        self._looks[address] = look
        return look

    def check(
        self, address: str, version: ModelVersion, complete: Completeness, now: datetime, *, in_flight: bool
    ) -> StoredVersion | IncompleteVersion | None:
        """What a version that is served is now, asked more often while a rollout is in flight; None where nobody knows.

        Raises StoreUnavailable, InvalidInput.
        """
        known = self._checks.get((address, version))
        last = known.at if known else None if in_flight else self._imagined(address)
        if not self._is_over(last, now, 1 if in_flight else self._models, _CHECKS_A_DAY):
            return known.found if known else None
        if not in_flight and self._clock() - self._began > _SECONDS_A_PASS:
            return known.found if known else None
        try:
            self._raise_if_down(address, now)
            found = self._store.version(address, version, complete)
        except PromoterError as error:
            self._note(address, error, now)
            raise
        self._checks[address, version] = _Check(now, found)
        return found

    def _imagined(self, address: str) -> datetime | None:
        """A last check before this process began, so that not all models are due at once; None where few share."""
        period = _DAY * self._models / _CHECKS_A_DAY
        if self._started is None or period <= self._interval:
            return None
        return self._started - period * (crc32(address.encode()) / 2**32)

    def _is_over(self, before: datetime | None, now: datetime, calls: int, a_day: int) -> bool:
        """Whether it is time again, for something that costs so many calls each time."""
        return before is None or now - before >= max(self._interval, _DAY * calls / a_day)

    def _raise_if_down(self, address: str, now: datetime) -> None:
        """A bucket that just failed would let each of its models wait for the same answer."""
        since, error = self._down.get(_bucket(address), (None, None))
        if since is not None and error is not None and now - since < self._interval:
            raise error

    def _note(self, address: str, error: PromoterError, now: datetime) -> None:
        with self._lock:
            down = self._down.get(_bucket(address))
            if isinstance(error, StoreUnavailable) and (down is None or down[1] is not error):
                self._down[_bucket(address)] = (now, error)


def _may_grow(listing: Listing) -> bool:
    """Whether a version may become complete though no manifest comes or changes."""
    for entry in listing.incomplete:
        try:
            ModelVersion.from_name(entry.name)
        except InvalidName:
            continue
        return True
    return False


def _bucket(address: str) -> str:
    """`gs://bucket` of `gs://bucket/models/ranker`; each folder of this machine stands for itself."""
    return address if address.startswith("file:") else "/".join(address.split("/")[:3])
