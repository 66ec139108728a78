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

from promoter.decisions.course import Course
from promoter.domain.action import Action, Revert
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts, Evidence, IntervalCounts
from promoter.domain.policy import RolloutPolicy

# Any moment that every evidence interval divides.
_EPOCH = 1_800_000_000

_RATE_SECONDS = 60


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
    """One interval. end: seconds since the first weight was live. weight: that was live at its end, in percent.

    decided: the weight from its commit on. canary, stable: requests of the interval.
    """

    end: float
    weight: int
    decided: int
    canary: ArmCounts
    stable: ArmCounts
    action: Action
    evidence: Evidence


class ClosedLoop:
    """One rollout. It begins when the first weight is live; rate: requests per second before that."""

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
        # The minute before counts as well, as it does live.
        self._recent = deque([rate * self._length], maxlen=max(1, -(-_RATE_SECONDS // round(self._length))))

    def steps(self, horizon: float) -> Iterator[Step]:
        """Interval by interval, until the canary is reverted, has all requests, or `horizon` seconds are over.

        After a revert there is one step more: the requests that the canary still gets until weight 0 is live.
        """
        number = 1
        while number * self._length <= horizon:
            end = number * self._length
            number += 1
            before = self.course.weight
            canary, stable = self._until(end)
            self._recent.append(canary.requests + stable.requests)
            rate = sum(self._recent) / (len(self._recent) * self._length)
            action = self.course.step(IntervalCounts(_EPOCH + end, canary, stable), rate)
            decided = self.course.weight
            yield Step(end, self._live, decided, canary, stable, action, self.course.evidence)
            if isinstance(action, Revert):
                if self._delays.back:
                    over = end + self._delays.back
                    canary, stable = self._until(over)
                    yield Step(over, 0, 0, canary, stable, action, self.course.evidence)
                return
            if decided == 100:
                return
            if decided != before:
                self._coming.append((end + self._delays.up, decided))

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
