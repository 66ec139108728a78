"""One Deployment carried out: its pods are started, replaced and stopped as Kubernetes would, and its health told."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promoter.sandbox.agent.addresses import PodNetwork
from promoter.sandbox.agent.health import DeploymentFacts
from promoter.sandbox.agent.pod_folder import pod_command, write_mounts
from promoter.sandbox.agent.pod_template import Deployment
from promoter.sandbox.agent.pods import Pod, PodIdentity, Tools
from promoter.sandbox.agent.rollout import PodFacts, plan

log = logging.getLogger(__name__)

# Kubernetes' alphabet for suffixes: no vowels, so that no word comes out.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where pods live: their addresses, and the folder for their mounts and logs."""

    network: PodNetwork
    directory: Path
    tools: Tools


class DeploymentController:
    """The pods of one Deployment. All methods are called from one thread."""

    def __init__(self, deployment: Deployment, config_maps: Mapping[str, Mapping[str, str]], ground: Ground) -> None:
        self.deployment = deployment
        self.pods: list[Pod] = []
        self._config_maps = config_maps
        self._ground = ground
        self._complete = False
        self._last_progress: float | None = None
        self._ready_names: frozenset[str] = frozenset()

    def update(self, deployment: Deployment, config_maps: Mapping[str, Mapping[str, str]]) -> None:
        """Take over a changed manifest. A new template begins a rollout."""
        if deployment.template != self.deployment.template:
            self._complete = False
            self._last_progress = None
        self.deployment = deployment
        self._config_maps = config_maps

    def step(self, now: float) -> None:
        """Step every pod, then do what the plan says. Raises ClusterUnavailable or OSError where no pod can start."""
        self._step_pods(now)
        live = [pod for pod in self.pods if not pod.terminating]
        todo = plan(
            self.deployment,
            [PodFacts(pod.identity.name, self._is_current(pod), pod.ready) for pod in live],
        )
        for pod in live:
            if pod.identity.name in todo.stop:
                pod.terminate(now)
        self._note_progress(now)
        for _ in range(todo.start):
            self.pods.append(self._new_pod())

    def terminate(self, now: float) -> None:
        """Begin the end of every pod; `drain` sees it through."""
        for pod in self.pods:
            pod.terminate(now)

    def drain(self, now: float) -> bool:
        """Step pods that are ending; whether any is left."""
        self._step_pods(now)
        return bool(self.pods)

    def kill(self) -> None:
        """End every process now."""
        for pod in self.pods:
            pod.kill()

    def facts(self, now: float) -> DeploymentFacts:
        """The counts that its health is computed from."""
        current = [pod for pod in self.pods if self._is_current(pod) and not pod.terminating]
        waited = 0.0 if self._last_progress is None else now - self._last_progress
        return DeploymentFacts(
            name=self.deployment.name,
            wanted=self.deployment.replicas,
            updated=len(current),
            updated_ready=sum(pod.ready for pod in current),
            total=sum(not pod.terminating for pod in self.pods),
            overdue=not self._complete and waited > self.deployment.progress_deadline,
        )

    def _is_current(self, pod: Pod) -> bool:
        return pod.identity.template.hash == self.deployment.template.hash

    def _step_pods(self, now: float) -> None:
        for pod in self.pods:
            pod.step(now)
        for pod in [pod for pod in self.pods if pod.gone]:
            self.pods.remove(pod)
            self._ground.network.release(pod.identity.address)
            shutil.rmtree(pod.identity.folder, ignore_errors=True)

    def _note_progress(self, now: float) -> None:
        """A rollout has made progress whenever another pod became ready; once complete it has no deadline any more."""
        ready = frozenset(pod.identity.name for pod in self.pods if pod.ready)
        if self._last_progress is None or ready - self._ready_names:
            self._last_progress = now
        self._ready_names = ready
        facts = self.facts(now)
        if facts.updated_ready >= facts.wanted and facts.total == facts.updated:
            self._complete = True

    def _new_pod(self) -> Pod:
        template = self.deployment.template
        suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
        name = f"{self.deployment.name}-{template.hash}-{suffix}"
        address = self._ground.network.take(template.ports.values())
        folder = self._ground.directory / "pods" / name
        write_mounts(folder, template.mounts, self._config_maps)
        logs = self._ground.directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        identity = PodIdentity(
            namespace=self.deployment.namespace,
            deployment=self.deployment.name,
            name=name,
            address=address,
            folder=folder,
            output=logs / f"{name}.log",
            template=template,
        )
        return Pod(identity, pod_command(template, folder, self._ground.tools.programs), self._ground.tools)
