"""A whole rollout in closed loop: requests arrive at the weight that is live, and the weight follows from them.

Whose requests they are, drawn or expected, is for the caller to say. What differs from a live rollout is only that
nothing around the counts ever goes wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol

from promoter.decisions.counting import RecentRate
from promoter.decisions.course import Course
from promoter.domain.action import Revert
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.forecast import Ending
from promoter.domain.policy import RolloutPolicy

# Any moment that every evidence interval divides.
_EPOCH = 1_800_000_000


class Span(NamedTuple):
    """From begin to end, in seconds since the first weight was live, the canary has `weight` percent."""

    begin: float
    end: float
    weight: int


class Traffic(Protocol):
    """Where the requests come from."""

    def counts(self, spans: Sequence[Span]) -> tuple[ArmCounts, ArmCounts]:
        """Counts of canary and stable over `spans`, which follow each other, and those of the call before."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds. reaction: what the ramp reckons with. up, back: from a decision to the moment its weight is live."""

    reaction: float
    up: float
    back: float


@dataclass(frozen=True, slots=True)
class Step:
    """One interval. end: seconds since the first weight was live. canary: its requests.

    decided: the weight from the commit on that is made at its end.
    """

    end: float
    decided: int
    canary: ArmCounts


class ClosedLoop:
    """One rollout. It begins when the first weight is live; rate: requests per second before that.

    ended_at: when the decision fell that ended it, in seconds since then; None as long as none did.
    """

    def __init__(
        self,
        policy: RolloutPolicy,
        calibration: Calibration,
        traffic: Traffic,
        *,
        rate: float,
        delays: Delays,
        full: int = 100,
    ) -> None:
        self._length = calibration.interval.total_seconds()
        self._traffic = traffic
        self._delays = delays
        reaction = timedelta(seconds=delays.reaction)
        self.course = Course(policy, calibration, reaction_time=reaction, start=_EPOCH, full=full)
        self.course.begin(rate)
        self._live = self.course.weight
        self._coming: deque[tuple[float, int]] = deque()
        self._at = 0.0
        self.ended_at: float | None = None
        # The minute before counts as well, as it does live.
        self._rate = RecentRate(self._length)
        self._rate.add(rate * self._length)

    def steps(self, horizon: float) -> Iterator[Step]:
        """Interval by interval, until the canary is reverted, has all requests, or `horizon` seconds are over.

        After a revert there is one step more: the requests that the canary still gets until weight 0 is live.
        """
        for number in range(1, int(horizon // self._length) + 1):
            end = number * self._length
            before = self.course.weight
            canary, stable = self._until(end)
            rate = self._rate.add(canary.requests + stable.requests)
            action = self.course.step(IntervalCounts(_EPOCH + end, canary, stable), rate)
            decided = self.course.weight
            if self.ending is not Ending.UNDECIDED:
                self.ended_at = end
            yield Step(end, decided, canary)
            if isinstance(action, Revert) and self._delays.back:
                over = end + self._delays.back
                yield Step(over, decided, self._until(over)[0])
            if self.ended_at is not None:
                return
            if decided != before:
                self._coming.append((end + self._delays.up, decided))

    @property
    def ending(self) -> Ending:
        """How it has ended so far."""
        if isinstance(self.course.ended, Revert):
            return Ending.REVERTED
        return Ending.PROMOTED if self.course.weight == 100 else Ending.UNDECIDED

    def _until(self, end: float) -> tuple[ArmCounts, ArmCounts]:
        """Let requests arrive until `end`."""
        spans = []
        while self._at < end:
            while self._coming and self._coming[0][0] <= self._at:
                self._live = self._coming.popleft()[1]
            until = min(end, self._coming[0][0]) if self._coming else end
            spans.append(Span(self._at, until, self._live))
            self._at = until
        return self._traffic.counts(spans)
