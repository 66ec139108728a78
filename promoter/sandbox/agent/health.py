"""Argo CD's health of Deployments, ReplicaSets and pods (gitops-engine, pkg/health). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promoter.domain.application import Health

# From the best to the worst, as Argo CD orders them (gitops-engine, pkg/health/health.go).
_ORDER = (
    Health.HEALTHY,
    Health.SUSPENDED,
    Health.PROGRESSING,
    Health.MISSING,
    Health.DEGRADED,
    Health.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """A health and a sentence on it, which may be empty."""

    status: Health
    message: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """Counts of pods that are not terminating.

    updated: those of the present template. overdue: the rollout has exceeded its progress deadline.
    """

    name: str
    wanted: int
    updated: int
    updated_ready: int
    total: int
    overdue: bool


def worst(healths: Iterable[Health]) -> Health:
    """The worst of them; Healthy where there is none."""
    return max(healths, key=_ORDER.index, default=Health.HEALTHY)


def deployment_health(facts: DeploymentFacts) -> HealthStatus:
    """Argo CD's verdict on a Deployment (health_deployment.go)."""
    if facts.overdue:
        return HealthStatus(Health.DEGRADED, f'Deployment "{facts.name}" exceeded its progress deadline')
    waiting = "Waiting for rollout to finish"
    if facts.updated < facts.wanted:
        message = f"{waiting}: {facts.updated} out of {facts.wanted} new replicas have been updated..."
    elif facts.total > facts.updated:
        message = f"{waiting}: {facts.total - facts.updated} old replicas are pending termination..."
    elif facts.updated_ready < facts.updated:
        message = f"{waiting}: {facts.updated_ready} of {facts.updated} updated replicas are available..."
    else:
        return HealthStatus(Health.HEALTHY)
    return HealthStatus(Health.PROGRESSING, message)


def pod_health(reason: str, *, ready: bool, restarts: int) -> HealthStatus:
    """Argo CD's verdict on a pod that restarts always (health_pod.go)."""
    if reason == "Terminating":
        return HealthStatus(Health.PROGRESSING, "Pending deletion")
    if reason.endswith("BackOff"):
        return HealthStatus(Health.DEGRADED, "back-off restarting failed container")
    if ready:
        return HealthStatus(Health.HEALTHY)
    if restarts:
        return HealthStatus(Health.DEGRADED)
    return HealthStatus(Health.PROGRESSING)
