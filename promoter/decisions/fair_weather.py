"""A cluster in which everything is as the commit says: for decisions that are thought through, not made.

Forecasts, simulations and backtests ask what the counts would decide, and so does whoever recomputes a decision
of the past: what Argo CD said then is not recorded.
"""

from __future__ import annotations

from functools import lru_cache

from promoter.domain.application import Application, Deployment, Health, Pod, SyncStatus
from promoter.domain.release import Release
from promoter.domain.repository import Lineage, Revision
from promoter.domain.version import ModelVersion

# What goes with the application: its revision is ours.
OURS = Lineage(contains=True, unchanged=True)


def all_well(release: Release, revision: Revision) -> Application:
    """Argo CD's answer where `release`, with a stable version, is live: every pod Ready, the route as it should be."""
    stable, canary = release.stable, release.canary
    if stable is None:
        raise AssertionError("nothing is served before the first version")
    served = [(stable.version, stable.replicas or 1, 100 - (canary.weight if canary else 0))]
    if canary is not None:
        served.append((canary.version, canary.replicas, canary.weight))
    return _all_well(tuple(served), revision)


@lru_cache(maxsize=4096)
def _all_well(served: tuple[tuple[ModelVersion, int, int], ...], revision: Revision) -> Application:
    """The same from (version, pods, percent of requests) of each version."""
    deployments = tuple(_deployment(version, replicas) for version, replicas, _ in served)
    route = {version: weight for version, _, weight in served}
    return Application(SyncStatus.SYNCED, Health.HEALTHY, revision, deployments=deployments, route=route)


def _deployment(version: ModelVersion, replicas: int) -> Deployment:
    pods = tuple(Pod(f"{version}-{number}", ready=True) for number in range(replicas))
    return Deployment(version, Health.HEALTHY, pods=pods)
