"""One Application: what Git asks for, what is applied, and the course of its syncs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from promoter.domain.application import Health, OperationPhase
from promoter.domain.names import ServedModel
from promoter.domain.repository import Revision
from promoter.errors import InvalidInput
from promoter.sandbox.agent.desired import Desired, desired_from
from promoter.sandbox.agent.envoy import RouteWeights
from promoter.sandbox.agent.health import HealthStatus, worst
from promoter.sandbox.agent.live import in_sync
from promoter.sandbox.agent.resources import Resource, ResourceKey
from promoter.sandbox.agent.status import (
    ApplicationStatus,
    compared,
    comparison_failed,
    health_seen,
    operation_finished,
    operation_started,
)

log = logging.getLogger(__name__)

# How long a sync waits for the proxy. Applying is done by then; whether it is live, the next comparison says.
LONGEST_WAIT_SECONDS = 5.0


class ManagedApplication:
    """The state of one Application. All methods are called from one thread; `now` is UTC in whole seconds."""

    def __init__(self, served: ServedModel, created: datetime) -> None:
        self.served = served
        self.created = created
        self.status = ApplicationStatus()
        self.target: tuple[Resource, ...] = ()
        self.applied: dict[ResourceKey, Resource] = {}
        self.applied_at: dict[ResourceKey, datetime] = {}
        self._desired = Desired()
        self._former: Desired | None = None
        self._waiting_since: float | None = None

    @property
    def wanted(self) -> Desired:
        """What is to be carried out now. While a sync waits for its routes, what they replace is kept."""
        return self._desired if self._former is None else self._desired.keeping(self._former)

    @property
    def syncing(self) -> bool:
        """Whether a sync waits for the proxy."""
        return self._waiting_since is not None

    def compare(
        self, revision: Revision, target: tuple[Resource, ...], weights: RouteWeights | None, now: datetime
    ) -> None:
        """Compare what is live with what `revision` renders to; request a sync where they differ."""
        self.target = target
        before = self.status
        self.status = compared(before, revision, in_sync=in_sync(target, self.applied, weights), now=now)
        if (self.status.sync, self.status.revision) != (before.sync, before.revision):
            log.info("application.%s name=%s revision=%s", self.status.sync, self.served.application, revision)

    def fail_comparison(self, branch: str, message: str, now: datetime) -> None:
        """Say that no manifests could be made; what is live stays."""
        before = self.status
        self.status = comparison_failed(before, branch, message, now)
        if self.status.conditions != before.conditions:
            log.warning("application.not_compared name=%s: %s", self.served.application, message)

    def start_sync(self, now: datetime, clock: float) -> None:
        """Apply the target, where a sync was requested. What the API server would refuse is refused as a whole."""
        if self.status.requested is None or self.syncing:
            return
        self.status = operation_started(self.status, now)
        try:
            desired = desired_from(self.target)
        except InvalidInput as error:
            message = f"one or more objects failed to apply (dry run), reason: {error}"
            log.warning("sync.failed name=%s: %s", self.served.application, message)
            self.status = operation_finished(self.status, OperationPhase.FAILED, message, now)
            return
        self._former, self._desired = self._desired, desired
        self.applied = {resource.key: resource for resource in self.target}
        self.applied_at = {key: self.applied_at.get(key, now) for key in self.applied}
        self._waiting_since = clock

    def finish_sync(self, now: datetime, clock: float, *, settled: bool) -> bool:
        """End the sync once the proxy has its routes, or has had time enough; whether it ended just now."""
        if self._waiting_since is None:
            return False
        if not settled and clock - self._waiting_since < LONGEST_WAIT_SECONDS:
            return False
        self._waiting_since = None
        self._former = None
        self.status = operation_finished(
            self.status, OperationPhase.SUCCEEDED, "successfully synced (all tasks run)", now
        )
        log.info("sync.succeeded name=%s routes_live=%s", self.served.application, settled)
        return True

    def see_health(self, deployments: Mapping[str, HealthStatus], now: datetime) -> None:
        """Take over the health of its Deployments, by their names."""
        missing = bool(self.target) and not self.applied
        overall = Health.MISSING if missing else worst(health.status for health in deployments.values())
        before = self.status.health.status
        self.status = health_seen(self.status, HealthStatus(overall), now)
        if overall != before:
            log.info("application.%s name=%s", overall, self.served.application)
