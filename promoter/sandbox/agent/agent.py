"""The agent's loop: look at Git, sync Applications, step the pods, the proxy and Prometheus, publish what is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promoter.domain.names import ServedModel
from promoter.domain.repository import Revision
from promoter.errors import InvalidInput, RepositoryUnavailable
from promoter.sandbox.agent.answers import GitSource, Snapshot
from promoter.sandbox.agent.application import ManagedApplication
from promoter.sandbox.agent.board import Board
from promoter.sandbox.agent.deployments import DeploymentController
from promoter.sandbox.agent.envoy import RouteWeights
from promoter.sandbox.agent.health import HealthStatus, deployment_health
from promoter.sandbox.agent.mesh import gather
from promoter.sandbox.agent.prometheus import PrometheusFiles
from promoter.sandbox.agent.proxy import EnvoyProxy
from promoter.sandbox.agent.render import Renderer
from promoter.sandbox.agent.repository import BareRemote
from promoter.sandbox.agent.times import whole_seconds
from promoter.sandbox.agent.tree import DeploymentView, PodView
from promoter.sandbox.agent.workloads import Workloads

log = logging.getLogger(__name__)

# How often pods are looked at, and how often while a sync waits for the proxy.
_STEP_SECONDS = 0.1
_SYNC_STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Parts:
    """What the agent works with."""

    remote: BareRemote
    renderer: Renderer
    workloads: Workloads
    proxy: EnvoyProxy
    prometheus: PrometheusFiles
    board: Board


class SyncAgent:
    """Everything that changes, changes in `step`, in one thread."""

    def __init__(self, parts: Parts, poll: timedelta) -> None:
        self._parts = parts
        self._poll = poll.total_seconds()
        self._applications: dict[str, ManagedApplication] = {}
        self._poll_due = 0.0
        self._outage = ""

    def run(self, stopping: Callable[[], bool]) -> None:
        """Step until `stopping`, then end all pods."""
        try:
            while not stopping():
                self.step()
                busy = any(app.syncing or app.status.requested for app in self._applications.values())
                self._parts.board.wait(_SYNC_STEP_SECONDS if busy else _STEP_SECONDS)
        finally:
            self._parts.workloads.kill()

    def step(self) -> None:
        """One step of everything. A sync starts in the step after the one that requested it, as in Argo CD."""
        clock = time.monotonic()
        applications = self._applications.values
        for app in applications():
            app.start_sync(_now(), clock)
        refreshed = self._compare(clock)
        self._carry_out(clock)
        settled = self._parts.proxy.settled
        finished = [app for app in applications() if app.finish_sync(_now(), clock, settled=settled)]
        if finished:
            self._compare_with_head([app.served for app in finished])
        for app in applications():
            app.see_health(self._deployment_healths(app, clock), _now())
        self._parts.board.publish(
            {name: self._snapshot(app, clock) for name, app in self._applications.items()}, refreshed
        )

    def _compare(self, clock: float) -> frozenset[str]:
        """Look at Git where a poll is due or somebody asked; returns the refreshes that were done."""
        requests = self._parts.board.requests()
        if clock < self._poll_due and not requests:
            return frozenset()
        try:
            revision = self._parts.remote.resolve()
            self._take_inventory(revision)
            everyone = clock >= self._poll_due
            self._compare_at(
                revision, [app.served for name, app in self._applications.items() if everyone or name in requests]
            )
            self._note_outage("")
        except RepositoryUnavailable as error:
            # As in Argo CD: who asks for a refresh is told, and a mere poll passes over it.
            self._note_outage(str(error))
            for name in requests & self._applications.keys():
                self._applications[name].fail_comparison(self._parts.remote.branch, str(error), _now())
        if clock >= self._poll_due:
            self._poll_due = clock + self._poll
        return requests

    def _compare_with_head(self, models: list[ServedModel]) -> None:
        """The comparison that follows a sync."""
        try:
            self._compare_at(self._parts.remote.resolve(), models)
        except RepositoryUnavailable as error:
            self._note_outage(str(error))

    def _take_inventory(self, revision: Revision) -> None:
        """One Application for each model's folder; those whose folder went are taken down."""
        models: dict[str, ServedModel] = {}
        for served in self._parts.remote.models(revision):
            if models.setdefault(served.application, served) != served:
                log.error("application.name_taken name=%s folder=%s", served.application, served.folder)
        for name, served in models.items():
            known = self._applications.get(name)
            if known is None or known.served != served:
                self._applications[name] = ManagedApplication(served, _now())
        for name in self._applications.keys() - models.keys():
            log.info("application.removed name=%s", name)
            del self._applications[name]

    def _compare_at(self, revision: Revision, models: list[ServedModel]) -> None:
        weights = self._parts.proxy.live_weights()
        for served in models:
            self._compare_one(self._applications[served.application], revision, weights)

    def _compare_one(self, app: ManagedApplication, revision: Revision, weights: RouteWeights | None) -> None:
        try:
            target = self._parts.renderer.render(app.served, self._parts.remote.sources(revision, app.served))
        except InvalidInput as error:
            app.fail_comparison(self._parts.remote.branch, str(error), _now())
        else:
            app.compare(revision, target, weights, _now())

    def _carry_out(self, clock: float) -> None:
        wanted = [app.wanted for app in self._applications.values()]
        workloads = self._parts.workloads
        workloads.step(wanted, clock)
        services = {key: service for desired in wanted for key, service in desired.services.items()}
        policies = {key: policy for desired in wanted for key, policy in desired.policies.items()}
        routes = [route for desired in wanted for route in desired.routes]
        monitors = [monitor for desired in wanted for monitor in desired.monitors]
        self._parts.proxy.step(gather(services, policies, routes, workloads.backends()), clock)
        self._parts.prometheus.step(monitors, workloads.scraped(), clock)

    def _deployment_healths(self, app: ManagedApplication, clock: float) -> dict[str, HealthStatus]:
        return {name: deployment_health(controller.facts(clock)) for name, controller in self._controllers(app)}

    def _controllers(self, app: ManagedApplication) -> list[tuple[str, DeploymentController]]:
        keys = [key for key in app.applied if key.kind == "Deployment"]
        found = [(key.name, self._parts.workloads.controller(key.namespace, key.name)) for key in keys]
        return [(name, controller) for name, controller in found if controller is not None]

    def _snapshot(self, app: ManagedApplication, clock: float) -> Snapshot:
        remote = self._parts.remote
        views = {name: _view(controller, clock) for name, controller in self._controllers(app)}
        return Snapshot(
            served=app.served,
            source=GitSource(remote.location, remote.branch),
            created=app.created,
            status=app.status,
            target=app.target,
            applied=app.applied,
            applied_at=app.applied_at,
            deployments=views,
        )

    def _note_outage(self, problem: str) -> None:
        if problem != self._outage:
            log.warning("repository.unavailable: %s", problem) if problem else log.info("repository.available")
            self._outage = problem


def _view(controller: DeploymentController, clock: float) -> DeploymentView:
    name = controller.deployment.name
    pods = tuple(
        PodView(
            name=pod.identity.name,
            replica_set=f"{name}-{pod.identity.template.hash}",
            ready=pod.ready,
            reason=pod.reason,
            restarts=pod.restarts,
            created=pod.identity.created,
        )
        for pod in controller.pods
    )
    health = deployment_health(controller.facts(clock))
    return DeploymentView(health, f"{name}-{controller.deployment.template.hash}", pods)


def _now() -> datetime:
    return whole_seconds(datetime.now(UTC))
