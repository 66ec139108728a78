"""What stable did before a rollout, and how the counts are weighed because of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from promoter.decisions.calibration import calibrate
from promoter.domain.calibration import Calibration
from promoter.domain.measurements import Measurements
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import RolloutPolicy
from promoter.domain.version import ModelVersion
from promoter.ports import Metrics

# How the counts are weighed is chosen from what stable did in the hour before the rollout.
_PAST = timedelta(hours=1)

# Counters need a sample from before the first interval; this is more than any scrape interval.
LEAD = timedelta(minutes=2)

# Prometheus is asked about a moment ago: by now every scrape up to then has been stored, and a question asked a
# little later gets the same answer.
SETTLE = timedelta(seconds=1)


def stables_past(
    metrics: Metrics,
    served: ServedModel,
    stable: ModelVersion,
    policy: RolloutPolicy,
    *,
    traits: ClusterTraits,
    before: datetime,
) -> tuple[Measurements, Calibration]:
    """Stable's counters over the hour up to `before`, and what is chosen from them. Raises MetricsUnavailable."""
    profile = metrics.latency_profile(served, stable, before, _PAST)
    history = metrics.measurements(served, before - _PAST, before, ())
    return history, calibrate(history, profile, policy, stable, traits.scrape_interval)
