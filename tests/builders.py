"""Values for tests: a builder shows only what differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from promoter.domain.application import Application, Deployment, Health, Operation, OperationPhase, Pod, SyncStatus
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import CandidateSource, RolloutPolicy
from promoter.domain.preflight import Waived
from promoter.domain.release import Canary, Release, Stable
from promoter.domain.repository import Change, Lineage
from promoter.domain.version import Digest, Listing, ModelVersion, StoredVersion

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HEAD = "a" * 40
RANKER = ServedModel("production", "ranker")


def version(number):
    return ModelVersion(number)


def digest(number):
    return Digest(f"sha256:{number:064x}")


def stored(number):
    return StoredVersion(version(number), digest(number))


def stable(number=42, replicas=None):
    return Stable(version(number), digest(number), replicas)


def canary(number=43, weight=5, replicas=2, since=NOON - timedelta(minutes=10), **rest):
    return Canary(version(number), digest(number), weight, replicas, since, **rest)


def release(stable=stable(), canary=None, rejected=()):  # noqa: B008 - frozen values
    return Release(stable, canary, tuple(rejected))


def policy(**changes):
    return RolloutPolicy(**({"candidates": CandidateSource(store="file:///models/ranker")} | changes))


def change(**changes):
    return Change(
        **(
            {"revision": HEAD, "at": NOON - timedelta(minutes=5), "author": "promoter", "ours": True, "before": None}
            | changes
        )
    )


def deployment(number, ready=1, waiting=0, reason="Pending", health=Health.HEALTHY, message=""):
    pods = [Pod(f"ranker-v{number}-{index}", ready=True, reason="Running") for index in range(ready)]
    pods += [Pod(f"ranker-v{number}-w{index}", ready=False, reason=reason) for index in range(waiting)]
    return Deployment(version(number), health, message, tuple(pods))


def application(deployments=(), route=None, **changes):
    return Application(
        **(
            {
                "sync": SyncStatus.SYNCED,
                "health": Health.HEALTHY,
                "revision": HEAD,
                "health_since": NOON - timedelta(minutes=1),
                "reconciled_at": NOON - timedelta(minutes=1),
                "operation": Operation(OperationPhase.SUCCEEDED, NOON - timedelta(minutes=2)),
                "deployments": tuple(deployments),
                "route": None if route is None else {version(number): weight for number, weight in route.items()},
            }
            | changes
        )
    )


def observation(**changes):
    return Observation(
        **(
            {
                "served": RANKER,
                "head": HEAD,
                "release": release(),
                "policy": policy(),
                "changed": change(),
                "weight_since": change().at,
                "traits": ClusterTraits(),
                "listing": Listing((stored(42),)),
                "preflight": Waived(),
                "application": application([deployment(42, ready=2)], {42: 100}),
                "lineage": Lineage(contains=True, unchanged=True),
                "newest_sample": NOON,
            }
            | changes
        )
    )


def arm(requests=0, bad=0, faults=0, slow=()):
    return ArmCounts(requests, bad, faults, tuple(slow))


def interval(end, canary=arm(), stable=arm()):  # noqa: B008 - frozen values
    return IntervalCounts(end, canary, stable)
