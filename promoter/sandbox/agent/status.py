"""What Argo CD says of one Application, and how that changes. Values and transitions; no I/O and no clock.

The rules are those of argo-cd's controller (controller/appcontroller.go, controller/state.go, controller/sync.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from promoter.domain.application import Health, OperationPhase, SyncStatus
from promoter.domain.repository import Revision
from promoter.sandbox.agent.health import HealthStatus


@dataclass(frozen=True, slots=True)
class SyncOperation:
    """One sync of one commit. `finished_at` is None while it runs."""

    revision: Revision
    phase: OperationPhase
    message: str
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """An entry of `status.conditions`."""

    type: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """`status` of an Application, with the parts of its metadata that go with it. Times are UTC, whole seconds.

    revision: what the last comparison resolved to; the branch's name where it produced no manifests.
    requested: the commit that a sync was requested for (top-level `operation`), until it has finished.
    """

    sync: SyncStatus = SyncStatus.UNKNOWN
    revision: str = ""
    reconciled_at: datetime | None = None
    health: HealthStatus = field(default_factory=lambda: HealthStatus(Health.MISSING))
    health_since: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    requested: Revision | None = None
    operation: SyncOperation | None = None


def compared(status: ApplicationStatus, revision: Revision, *, in_sync: bool, now: datetime) -> ApplicationStatus:
    """After a comparison of the live objects with those of `revision`.

    Auto-sync tries each commit once: where it failed, a SyncError says so until another commit comes.
    Nothing is requested while an operation is under way.
    """
    after = replace(
        status,
        sync=SyncStatus.SYNCED if in_sync else SyncStatus.OUT_OF_SYNC,
        revision=revision,
        reconciled_at=now,
        conditions=(),
    )
    last = status.operation
    if in_sync or status.requested is not None:
        return after
    if last is None or last.revision != revision:
        return replace(after, requested=revision)
    if last.phase in {OperationPhase.FAILED, OperationPhase.ERROR}:
        message = f"Failed last sync attempt to [{revision}]: {last.message}"
        return replace(after, conditions=_conditions(status, "SyncError", message, now))
    return after


def comparison_failed(status: ApplicationStatus, branch: str, message: str, now: datetime) -> ApplicationStatus:
    """After a comparison for which no manifests could be made. The revision stays the unresolved name."""
    text = f"Failed to load target state: failed to generate manifest for source 1 of 1: {message}"
    return replace(
        status,
        sync=SyncStatus.UNKNOWN,
        revision=branch,
        reconciled_at=now,
        conditions=_conditions(status, "ComparisonError", text, now),
    )


def operation_started(status: ApplicationStatus, now: datetime) -> ApplicationStatus:
    """The requested sync begins."""
    if status.requested is None:
        raise ValueError("no sync was requested")
    operation = SyncOperation(status.requested, OperationPhase.RUNNING, "one or more tasks are running", now)
    return replace(status, operation=operation)


def operation_finished(
    status: ApplicationStatus, phase: OperationPhase, message: str, now: datetime
) -> ApplicationStatus:
    """The running sync ends; a comparison has to follow, which makes `reconciled_at` as late as its end."""
    if status.operation is None:
        raise ValueError("no sync is running")
    ended = replace(status.operation, phase=phase, message=message, finished_at=now)
    return replace(status, operation=ended, requested=None)


def health_seen(status: ApplicationStatus, health: HealthStatus, now: datetime) -> ApplicationStatus:
    """After a look at the live objects. The transition's time moves only when the word changes."""
    since = status.health_since if health.status == status.health.status and status.health_since else now
    return replace(status, health=health, health_since=since)


def _conditions(status: ApplicationStatus, kind: str, message: str, now: datetime) -> tuple[Condition, ...]:
    """One condition, which keeps its time while it says the same."""
    same = next((known for known in status.conditions if (known.type, known.message) == (kind, message)), None)
    return (same or Condition(kind, message, now),)
