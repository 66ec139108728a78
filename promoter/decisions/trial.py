"""A rollout under way as the decisions see it: the observation, and what its counts amount to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promoter.decisions.bound import ExcessBound
from promoter.decisions.counting import interval_counts, request_rate
from promoter.decisions.evidence import weigh
from promoter.domain.action import Hold
from promoter.domain.application import Deployment
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import Evidence, IntervalCounts
from promoter.domain.observation import Observation
from promoter.domain.release import Canary, Stable

# Intervals to look through for a sign of life.
_RECENT = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """One canary's course so far. `calibration`, `evidence` and `bound` are None while nothing was measured."""

    seen: Observation
    stable: Stable
    canary: Canary
    calibration: Calibration | None = None
    intervals: tuple[IntervalCounts, ...] = ()
    evidence: Evidence | None = None
    bound: ExcessBound | None = None

    @classmethod
    def of(cls, seen: Observation, stable: Stable, canary: Canary) -> Trial:
        """Count and weigh everything since the rollout began."""
        measured, calibration = seen.measurements, seen.calibration
        if measured is None or calibration is None:
            return cls(seen, stable, canary)
        intervals = interval_counts(
            measured,
            canary=canary.version,
            stable=stable.version,
            bounds_us=calibration.bounds_us,
            since=canary.since.timestamp(),
            interval=calibration.interval,
            scrape_interval=seen.traits.scrape_interval,
        )
        scales = weigh(intervals, seen.policy, calibration, start=canary.since, weight_since=seen.weight_since)
        rate = request_rate(measured, seen.traits.scrape_interval)
        evidence = scales.evidence(weight=canary.weight, rate=rate)
        return cls(seen, stable, canary, calibration, intervals, evidence, scales.bound)

    @property
    def full(self) -> int:
        """How many pods carry all traffic."""
        return max(self.stable.replicas or 1, 1)

    @property
    def deployment(self) -> Deployment | None:
        """The canary's Deployment as Argo CD shows it."""
        application = self.seen.application
        return application.deployment(self.canary.version) if application else None

    def soaked_for(self, now: datetime) -> timedelta:
        """How long the canary has been answering requests."""
        first = self.evidence.first_request_at if self.evidence else None
        return timedelta(0) if first is None else now - datetime.fromtimestamp(first, UTC)

    def last_intervals(self, count: int, since: datetime) -> tuple[IntervalCounts, ...]:
        """The newest whole intervals that began after `since`, `count` at most, the newest last."""
        if self.calibration is None:
            return ()
        begin = since.timestamp() + self.calibration.interval.total_seconds()
        return tuple(counts for counts in self.intervals[-count:] if counts.end >= begin)

    @property
    def measured_at_this_weight(self) -> bool:
        """Whether the canary answered requests in a whole interval since the weight changed."""
        recent = self.last_intervals(_RECENT, self.seen.weight_since)
        return any(counts.canary.requests for counts in recent)

    def hold(self, reason: str, *, alarm: bool = False) -> Hold:
        """A Hold that carries the evidence so far."""
        return Hold(reason, self.evidence, alarm)
