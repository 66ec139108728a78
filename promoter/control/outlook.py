"""What live traffic says of a rollout that has not begun."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from promoter.control.observe import Ports
from promoter.control.recorded import PAST
from promoter.decisions.calibration import calibrate
from promoter.decisions.counting import request_rate
from promoter.decisions.forecast import forecast
from promoter.domain.calibration import Calibration
from promoter.domain.forecast import Forecast
from promoter.domain.measurements import Measurements
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import RolloutPolicy
from promoter.domain.release import Stable
from promoter.errors import ClusterUnavailable, InvalidInput
from promoter.ports import Cluster, Metrics

# By now every scrape up to then has been stored.
_SETTLE = timedelta(seconds=1)


def outlook(ports: Ports, seen: Observation, now: datetime) -> Forecast:
    """The forecast for the next version of a model, of which Git was read. Raises MetricsUnavailable, InvalidInput."""
    stable, traits = seen.release.stable, seen.traits
    if stable is None:
        raise InvalidInput(f"{seen.served} serves nothing yet: its first version becomes stable without a rollout")
    history, calibration = past(ports.metrics, seen.served, stable, seen.policy, traits=traits, now=now)
    rate = request_rate(history, traits.scrape_interval)
    full = _full(ports.cluster, seen.served, stable)
    return forecast(seen.policy, calibration, traits, rate=rate, full=full)


def past(
    metrics: Metrics,
    served: ServedModel,
    stable: Stable,
    policy: RolloutPolicy,
    *,
    traits: ClusterTraits,
    now: datetime,
) -> tuple[Measurements, Calibration]:
    """Stable's hour up to now, and what would be chosen from it. Raises MetricsUnavailable."""
    at = now - _SETTLE
    history = metrics.measurements(served, at - PAST, at, ())
    profile = metrics.latency_profile(served, stable.version, at, PAST)
    return history, calibrate(history, profile, policy, stable.version, traits.scrape_interval)


def _full(cluster: Cluster, served: ServedModel, stable: Stable) -> int:
    """How many pods carry all traffic; without Argo CD's word, as far as Git knows."""
    with suppress(ClusterUnavailable):
        deployment = cluster.application(served).deployment(stable.version)
        if deployment is not None and deployment.ready:
            return max(deployment.ready, stable.replicas or 0)
    return max(stable.replicas or 0, 1)
