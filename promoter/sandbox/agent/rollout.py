"""How a Deployment replaces its pods: Kubernetes' rolling update, as a function of counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promoter.sandbox.agent.pod_template import Deployment


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the plan must know of a pod that is not terminating. `current`: it has the Deployment's template."""

    name: str
    current: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pods of the present template to start, and the names of those to stop."""

    start: int = 0
    stop: tuple[str, ...] = ()


def plan(deployment: Deployment, pods: Sequence[PodFacts]) -> Plan:
    """The next step towards `deployment.replicas` pods of its template; `pods` stand oldest first.

    At most `replicas + max_surge` pods live at once, and ready pods fall below
    `replicas - max_unavailable` only where they failed by themselves. Pods of an old template that
    are not ready go first: nobody loses anything by it.
    """
    new = [pod for pod in pods if pod.current]
    old = [pod for pod in pods if not pod.current]
    surplus = len(new) - deployment.replicas
    if surplus > 0:
        first_to_go = [pod for pod in new if not pod.ready] + [pod for pod in reversed(new) if pod.ready]
        return Plan(stop=tuple(pod.name for pod in first_to_go[:surplus]))
    room = deployment.replicas + deployment.max_surge - len(pods)
    start = max(0, min(deployment.replicas - len(new), room))
    spare = sum(pod.ready for pod in pods) - (deployment.replicas - deployment.max_unavailable)
    idle = [pod.name for pod in old if not pod.ready]
    ready = [pod.name for pod in old if pod.ready][: max(0, spare)]
    return Plan(start=start, stop=(*idle, *ready))
