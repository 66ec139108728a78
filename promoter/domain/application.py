"""What Argo CD says of one Application, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from promoter.domain.version import ModelVersion


class SyncStatus(StrEnum):
    """`status.sync.status`, letter for letter."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """`status.health.status`, letter for letter."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


class OperationPhase(StrEnum):
    """`status.operationState.phase`, letter for letter."""

    RUNNING = "Running"
    TERMINATING = "Terminating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a version.

    reason: Kubernetes' word for its state ("Running", "Pending", "CrashLoopBackOff").
    restarts: how often its containers were started anew.
    """

    name: str
    ready: bool
    reason: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """The Deployment of one version, and its pods."""

    version: ModelVersion
    health: Health
    message: str = ""
    pods: tuple[Pod, ...] = ()

    @property
    def ready(self) -> int:
        """How many of its pods are Ready."""
        return sum(pod.ready for pod in self.pods)


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync operation. `finished_at` is None while it runs; Running with a time means it waits for a retry."""

    phase: OperationPhase
    finished_at: datetime | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """One answer of Argo CD: sync, health, operation, the pods and the live route.

    revision: what the last comparison resolved to; only 40 hex digits count, else None.
    health_since: when `health` last changed, None where Argo CD does not say.
    operation_requested: a sync was requested or runs (the top-level `operation` is there).
    refresh_pending: a refresh was requested and has not been persisted yet.
    compared_current_spec: the comparison was made with the present spec.
    errors: messages of error conditions (ComparisonError, InvalidSpecError, SyncError, UnknownError).
    route: percentage of requests by version in the live route object; None where there is no such
    object or it could not be read.
    """

    sync: SyncStatus
    health: Health
    revision: str | None = None
    health_since: datetime | None = None
    reconciled_at: datetime | None = None
    operation: Operation | None = None
    operation_requested: bool = False
    refresh_pending: bool = False
    compared_current_spec: bool = True
    errors: tuple[str, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    route: Mapping[ModelVersion, int] | None = field(default=None)

    def deployment(self, version: ModelVersion) -> Deployment | None:
        """The Deployment of `version`, or None where the cluster has none."""
        return next((entry for entry in self.deployments if entry.version == version), None)
