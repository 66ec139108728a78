"""Argo CD's resource tree of one Application as JSON: its objects, their ReplicaSets and pods. Pure.

Field names are Argo CD's (`ApplicationTree` in types.go); what stands in `info` of a pod is controller/cache/info.go.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promoter.sandbox.agent.health import HealthStatus, pod_health, worst
from promoter.sandbox.agent.resources import Resource, ResourceKey
from promoter.sandbox.agent.times import timestamp

_UIDS = uuid.UUID("6f0f3f5e-7a53-4d0c-9f0a-2d8f5a8a7a11")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as people see it."""

    name: str
    replica_set: str
    ready: bool
    reason: str
    restarts: int
    created: datetime


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One Deployment as people see it. `replica_set` is the one of its present template."""

    health: HealthStatus
    replica_set: str
    pods: tuple[PodView, ...]


def uid(key: ResourceKey, created: datetime) -> str:
    """An object's uid: the same for its life, another after it was made anew."""
    return str(uuid.uuid5(_UIDS, f"{key.group}/{key}/{created.isoformat()}"))


def resource_tree(
    applied: Mapping[ResourceKey, Resource],
    applied_at: Mapping[ResourceKey, datetime],
    deployments: Mapping[str, DeploymentView],
) -> Json:
    """The tree; `deployments` by name. Terminating pods of a Deployment that is gone are in no tree."""
    nodes: list[Json] = []
    for key, resource in applied.items():
        view = deployments.get(key.name) if key.kind == "Deployment" else None
        root = _node(key, resource.version, applied_at[key], view.health if view else None)
        nodes.append(root)
        if view is not None:
            nodes.extend(_below(root, key, applied_at[key], view))
    return {"nodes": nodes}


def _below(root: Json, key: ResourceKey, created: datetime, view: DeploymentView) -> Iterator[Json]:
    for name in sorted({view.replica_set, *(pod.replica_set for pod in view.pods)}):
        pods = [pod for pod in view.pods if pod.replica_set == name]
        nodes = [_pod_node(pod, key.namespace) for pod in pods]
        health = HealthStatus(worst(_pod_health(pod).status for pod in pods))
        born = min((pod.created for pod in pods), default=created)
        replica_set = _node(ResourceKey("apps", "ReplicaSet", key.namespace, name), "v1", born, health, root)
        yield replica_set
        for node in nodes:
            yield {**node, "parentRefs": [_reference(replica_set)]}


def _pod_node(pod: PodView, namespace: str) -> Json:
    node = _node(ResourceKey("", "Pod", namespace, pod.name), "v1", pod.created, _pod_health(pod))
    info = [
        {"name": "Status Reason", "value": pod.reason},
        {"name": "Node", "value": "localhost"},
        {"name": "Containers", "value": f"{int(pod.ready)}/1"},
    ]
    if pod.restarts:
        info.append({"name": "Restart Count", "value": str(pod.restarts)})
    return {**node, "info": info}


def _pod_health(pod: PodView) -> HealthStatus:
    return pod_health(pod.reason, ready=pod.ready, restarts=pod.restarts)


def _node(
    key: ResourceKey, version: str, created: datetime, health: HealthStatus | None, parent: Json | None = None
) -> Json:
    node: Json = {
        "group": key.group,
        "version": version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "uid": uid(key, created),
        "createdAt": timestamp(created),
    }
    if parent is not None:
        node["parentRefs"] = [_reference(parent)]
    if health is not None:
        node["health"] = {"status": str(health.status)} | ({"message": health.message} if health.message else {})
    return {name: value for name, value in node.items() if value != ""}


def _reference(node: Json) -> Json:
    return {name: node[name] for name in ("group", "kind", "namespace", "name", "uid") if name in node}
