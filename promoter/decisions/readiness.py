"""Does the cluster run what Git says? Argo CD's words, read with distrust."""

from __future__ import annotations

from datetime import datetime, timedelta

from promoter.domain.application import Application, Deployment, Health, OperationPhase, SyncStatus
from promoter.domain.observation import Observation
from promoter.domain.release import Release
from promoter.domain.version import ModelVersion

# Argo CD writes times in whole seconds, and a health that has just changed may change again.
_HEALTH_SETTLES = timedelta(seconds=5)

# A canary's pods that wait for room or for an image say nothing about the model.
_WAITING_FOR_CAPACITY = frozenset(
    {"Pending", "ContainerCreating", "PodInitializing", "ImagePullBackOff", "ErrImagePull"}
)


def not_live_because(seen: Observation, now: datetime) -> str | None:
    """Why the last commit cannot be taken to be live, as a sentence; None where it is live.

    The order follows what Argo CD's own `app wait`, Kargo and GitOps Promoter check: nothing that was
    assessed before the last operation ended, or at another revision, counts.
    """
    application = seen.application
    if application is None:
        return "Argo CD does not say what is live"
    return (
        _still_working(application)
        or _other_revision(seen, application)
        or _unhealthy(application, now)
        or _route_differs(seen.release, application)
    )


def not_moved_because(seen: Observation) -> str | None:
    """As `not_live_because`, without asking whether all pods are well: what is left may be what is broken."""
    application = seen.application
    if application is None:
        return "Argo CD does not say what is live"
    return (
        _still_working(application) or _other_revision(seen, application) or _route_differs(seen.release, application)
    )


def degraded(application: Application | None) -> tuple[Deployment, ...]:
    """The Deployments that Argo CD calls Degraded."""
    if application is None:
        return ()
    return tuple(entry for entry in application.deployments if entry.health is Health.DEGRADED)


def waits_for_capacity(deployment: Deployment) -> bool:
    """Whether a Deployment lacks pods only because the cluster has no room or no image for them."""
    waiting = [pod for pod in deployment.pods if not pod.ready]
    return not deployment.pods or (bool(waiting) and all(pod.reason in _WAITING_FOR_CAPACITY for pod in waiting))


def route_is_away(seen: Observation, version: ModelVersion) -> bool:
    """Whether our commit is what Argo CD synced and the live route sends nothing to `version`."""
    application, lineage = seen.application, seen.lineage
    if application is None or application.route is None or lineage is None:
        return False
    return lineage.contains and lineage.unchanged and application.route.get(version, 0) == 0


def _still_working(application: Application) -> str | None:
    operation = application.operation
    if application.refresh_pending:
        return "Argo CD has not finished the refresh that was asked for"
    if application.operation_requested:
        return "Argo CD is syncing"
    if operation is None:
        return None
    if operation.phase is not OperationPhase.SUCCEEDED or operation.finished_at is None:
        detail = f": {operation.message}" if operation.message else ""
        return f"the last sync is {operation.phase}{detail}"
    if application.reconciled_at is None or application.reconciled_at < operation.finished_at:
        return "Argo CD has not looked again since the last sync"
    return None


def _other_revision(seen: Observation, application: Application) -> str | None:
    if application.errors:
        return f"Argo CD reports an error: {application.errors[0]}"
    if application.sync is not SyncStatus.SYNCED:
        return f"the application is {application.sync}"
    if not application.compared_current_spec:
        return "Argo CD compared an older specification of the application"
    if application.revision is None:
        return "Argo CD does not say which commit it synced"
    lineage = seen.lineage
    if lineage is None or not lineage.contains or not lineage.unchanged:
        return f"commit {seen.changed.revision[:12]} is not live yet; Argo CD is at {application.revision[:12]}"
    return None


def _unhealthy(application: Application, now: datetime) -> str | None:
    if application.health is not Health.HEALTHY:
        messages = [entry.message for entry in application.deployments if entry.message]
        detail = f": {messages[0]}" if messages else ""
        return f"the application is {application.health}{detail}"
    if application.health_since is not None and now - application.health_since < _HEALTH_SETTLES:
        return "the application has been Healthy for less than five seconds"
    return None


def _route_differs(release: Release, application: Application) -> str | None:
    """The second witness: Synced alone has been false before (argo-cd issues 29716 and 26530)."""
    if release.stable is None:
        return None
    if application.route is None:
        return "the live route cannot be read, so the weight that is live is not known"
    canary = release.canary
    wanted = {release.stable.version: 100 - (canary.weight if canary else 0)}
    if canary is not None:
        wanted[canary.version] = canary.weight
    live = {version: weight for version, weight in application.route.items() if weight}
    if live == {version: weight for version, weight in wanted.items() if weight}:
        return None
    shown = ", ".join(f"{weight} % to {version}" for version, weight in sorted(live.items())) or "nothing"
    return f"Argo CD says Synced, but the live route sends {shown}"
