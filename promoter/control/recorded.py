"""A rollout of the past, as Prometheus still remembers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from promoter.control.past import LEAD, stables_past
from promoter.decisions.counting import interval_counts
from promoter.decisions.recorded import Case
from promoter.domain.measurements import TargetSeries
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import RolloutPolicy
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput
from promoter.ports import Metrics


def recorded_rollout(
    metrics: Metrics,
    served: ServedModel,
    policy: RolloutPolicy,
    *,
    begin: datetime,
    end: datetime,
    traits: ClusterTraits,
    stable: ModelVersion | None = None,
    canary: ModelVersion | None = None,
) -> Case:
    """The case of a rollout that began at `begin`. Versions that are not named are found, where there are two.

    Raises MetricsUnavailable, and InvalidInput where there is nothing to judge.
    """
    if end <= begin:
        raise InvalidInput("the end of a rollout is after its beginning: --to must be later than --from")
    measured = metrics.measurements(served, begin - LEAD, end, ())
    seen = sorted({target.version for target in measured.targets if _lasts(target, begin)})
    stable, canary = _versions(seen, served, stable, canary)
    _, calibration = stables_past(metrics, served, stable, policy, traits=traits, before=begin)
    if calibration.bounds_us:
        measured = metrics.measurements(served, begin - LEAD, end, calibration.bounds_us)
    intervals = interval_counts(
        measured,
        canary=canary,
        stable=stable,
        bounds_us=calibration.bounds_us,
        since=begin.timestamp(),
        interval=calibration.interval,
        scrape_interval=traits.scrape_interval,
    )
    # What comes after the canary's pods went says nothing of it.
    gone = max((at for target in measured.targets if target.version == canary for at, _ in target.points), default=0.0)
    length = calibration.interval.total_seconds()
    intervals = tuple(counts for counts in intervals if counts.end - length < gone)
    notes = ("the policy says paused, which would hold everything; it is left out",) if policy.paused else ()
    ends = tuple(counts.end for counts in intervals)
    return Case(replace(policy, paused=False), calibration, intervals, ends, stable.number, canary.number, notes)


def _lasts(target: TargetSeries, begin: datetime) -> bool:
    """Whether a pod was still scraped after the rollout began: those of the one before it may just have gone."""
    return any(at > begin.timestamp() for at, _ in target.points)


def _versions(
    seen: Sequence[ModelVersion], served: ServedModel, stable: ModelVersion | None, canary: ModelVersion | None
) -> tuple[ModelVersion, ModelVersion]:
    """Stable's and the canary's: those that were named, or the lower and the higher one of two."""
    others = [version for version in seen if version not in (stable, canary)]
    if stable is None and canary is None and len(seen) == 2:
        return seen[0], seen[1]
    if stable is not None and canary is None and len(others) == 1:
        return stable, others[0]
    if canary is not None and stable is None and len(others) == 1:
        return others[0], canary
    if stable is not None and canary is not None and stable != canary:
        return stable, canary
    if not seen:
        raise InvalidInput(f"Prometheus holds nothing of {served} in this time: check --environment, --model and times")
    found = ", ".join(map(str, seen))
    raise InvalidInput(f"two versions of {served} are compared, and Prometheus shows {found}: name --stable, --canary")
