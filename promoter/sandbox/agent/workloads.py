"""All Deployments of all Applications, carried out; the pods of those that went are seen to their end."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable

from promoter.errors import ClusterUnavailable
from promoter.sandbox.agent.deployments import DeploymentController, Ground
from promoter.sandbox.agent.desired import Desired
from promoter.sandbox.agent.mesh import Backend
from promoter.sandbox.agent.pods import Pod
from promoter.sandbox.agent.scrape import ScrapedPod

log = logging.getLogger(__name__)


class Workloads:
    """The pods of this cluster. All methods are called from one thread; `now` is of its monotonic clock."""

    def __init__(self, ground: Ground) -> None:
        # What a former agent's pods left behind; their logs stay.
        shutil.rmtree(ground.directory / "pods", ignore_errors=True)
        self._ground = ground
        self._controllers: dict[tuple[str, str], DeploymentController] = {}
        self._leaving: list[DeploymentController] = []
        self._problem = ""

    def step(self, wanted: Iterable[Desired], now: float) -> None:
        """Carry the Deployments out a little further. Those that are wanted no more begin their end."""
        self._take_over(wanted, now)
        self._leaving = [controller for controller in self._leaving if controller.drain(now)]
        problem = ""
        for controller in self._controllers.values():
            try:
                controller.step(now)
            except (ClusterUnavailable, OSError) as error:
                problem = f"{controller.deployment.name}: {error}"
        if problem and problem != self._problem:
            log.error("pod.not_started %s", problem)
        self._problem = problem

    def controller(self, namespace: str, name: str) -> DeploymentController | None:
        """The controller of a Deployment, None where there is none (any more)."""
        return self._controllers.get((namespace, name))

    def backends(self) -> tuple[Backend, ...]:
        """Every ready pod."""
        return tuple(
            Backend(pod.identity.namespace, pod.identity.address, pod.identity.template)
            for pod in self._pods()
            if pod.ready
        )

    def scraped(self) -> tuple[ScrapedPod, ...]:
        """Every pod, ready or not: one that never loads its model shows as `up == 0`."""
        return tuple(
            ScrapedPod(pod.identity.namespace, pod.identity.name, pod.identity.address, pod.identity.template)
            for pod in self._pods()
        )

    def kill(self) -> None:
        """End every process now."""
        for controller in (*self._controllers.values(), *self._leaving):
            controller.kill()

    def _pods(self) -> Iterable[Pod]:
        return (pod for controller in (*self._controllers.values(), *self._leaving) for pod in controller.pods)

    def _take_over(self, wanted: Iterable[Desired], now: float) -> None:
        present = {
            (deployment.namespace, deployment.name): (deployment, desired.config_maps)
            for desired in wanted
            for deployment in desired.deployments
        }
        for key, (deployment, config_maps) in present.items():
            known = self._controllers.get(key)
            if known is None:
                self._controllers[key] = DeploymentController(deployment, config_maps, self._ground)
            elif known.deployment != deployment:
                known.update(deployment, config_maps)
        for key in self._controllers.keys() - present.keys():
            controller = self._controllers.pop(key)
            controller.terminate(now)
            self._leaving.append(controller)
