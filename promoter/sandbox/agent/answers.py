"""Argo CD's REST answers as JSON values. Pure. Field names are Argo CD's (pkg/apis/application/v1alpha1/types.go)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promoter.domain.names import ServedModel
from promoter.sandbox.agent.envoy import RouteWeights
from promoter.sandbox.agent.live import live_route
from promoter.sandbox.agent.repository import CHART, value_files
from promoter.sandbox.agent.resources import Resource, ResourceKey
from promoter.sandbox.agent.status import ApplicationStatus, SyncOperation
from promoter.sandbox.agent.times import timestamp
from promoter.sandbox.agent.tree import DeploymentView, resource_tree

REFRESH_ANNOTATION = "argocd.argoproj.io/refresh"
PROJECT = "default"

_UIDS = uuid.UUID("b2a6d0fa-57c1-4ee7-8a61-b6f0a1f2c7d3")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GitSource:
    """Where Applications come from."""

    repository: str
    branch: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One Application at one moment. `deployments` by name."""

    served: ServedModel
    source: GitSource
    created: datetime
    status: ApplicationStatus
    target: tuple[Resource, ...]
    applied: Mapping[ResourceKey, Resource]
    applied_at: Mapping[ResourceKey, datetime]
    deployments: Mapping[str, DeploymentView]


def application(snapshot: Snapshot, *, refreshing: bool) -> Json:
    """`GET /api/v1/applications/{name}`; `refreshing`: a refresh is requested and not yet done."""
    served, status = snapshot.served, snapshot.status
    metadata: Json = {
        "name": served.application,
        "namespace": "argocd",
        "uid": str(uuid.uuid5(_UIDS, f"{served.application}/{snapshot.created.isoformat()}")),
        "creationTimestamp": timestamp(snapshot.created),
    }
    if refreshing:
        metadata["annotations"] = {REFRESH_ANNOTATION: "normal"}
    spec = _spec(snapshot)
    answer: Json = {
        "metadata": metadata,
        "spec": {"project": PROJECT, **spec, "syncPolicy": {"automated": {"prune": True}}},
        "status": _status(snapshot, spec),
    }
    if status.requested is not None:
        answer["operation"] = _operation(status.requested)
    return answer


def tree(snapshot: Snapshot) -> Json:
    """`GET /api/v1/applications/{name}/resource-tree`"""
    return resource_tree(snapshot.applied, snapshot.applied_at, snapshot.deployments)


def managed_resources(snapshot: Snapshot, weights: RouteWeights | None, wanted: Mapping[str, str]) -> Json:
    """`GET /api/v1/applications/{name}/managed-resources`

    weights: what the proxy reports now, None where it does not answer; no route is live then. wanted: what
    `group`, `kind`, `namespace` and `name` must be, as far as given.
    """
    target = {resource.key: resource for resource in snapshot.target}
    keys = sorted(target.keys() | snapshot.applied.keys())
    return {
        "items": [
            {
                "group": key.group,
                "kind": key.kind,
                "namespace": key.namespace,
                "name": key.name,
                "targetState": _text(target.get(key)),
                "liveState": _text(_live(snapshot.applied.get(key), weights)),
            }
            for key in keys
            if all(getattr(key, name) == value for name, value in wanted.items())
        ]
    }


def sync_windows() -> Json:
    """`GET /api/v1/applications/{name}/syncwindows`: the project has none, and Argo CD leaves empty lists out."""
    return {"canSync": True}


def _live(applied: Resource | None, weights: RouteWeights | None) -> Resource | None:
    if applied is None or applied.key.kind != "VirtualService":
        return applied
    return None if weights is None else live_route(applied, weights)


def _text(resource: Resource | None) -> str:
    return json.dumps(None if resource is None else resource.body)


def _spec(snapshot: Snapshot) -> Json:
    """The part of `spec` that a comparison depends on, and repeats in `comparedTo`."""
    return {
        "source": {
            "repoURL": snapshot.source.repository,
            "path": CHART,
            "targetRevision": snapshot.source.branch,
            "helm": {"valueFiles": [f"/{path}" for path in value_files(snapshot.served)]},
        },
        "destination": {"server": "https://kubernetes.default.svc", "namespace": snapshot.served.environment},
    }


def _status(snapshot: Snapshot, spec: Json) -> Json:
    status = snapshot.status
    health: Json = {"status": str(status.health.status)}
    if status.health_since is not None:
        health["lastTransitionTime"] = timestamp(status.health_since)
    answer: Json = {
        "sourceType": "Helm",
        "sync": {"status": str(status.sync), "comparedTo": spec, "revision": status.revision},
        "health": health,
        "resources": [_resource_status(resource, snapshot) for resource in snapshot.target],
    }
    if status.reconciled_at is not None:
        answer["reconciledAt"] = timestamp(status.reconciled_at)
    if status.conditions:
        answer["conditions"] = [
            {"type": entry.type, "message": entry.message, "lastTransitionTime": timestamp(entry.since)}
            for entry in status.conditions
        ]
    if status.operation is not None:
        answer["operationState"] = _operation_state(status.operation, spec)
    return answer


def _resource_status(resource: Resource, snapshot: Snapshot) -> Json:
    key = resource.key
    synced = snapshot.applied.get(key) == resource
    named = {"version": resource.version, "kind": key.kind, "namespace": key.namespace, "name": key.name}
    return {**({"group": key.group} if key.group else {}), **named, "status": "Synced" if synced else "OutOfSync"}


def _operation(revision: str) -> Json:
    return {
        "sync": {"revision": revision, "prune": True},
        "initiatedBy": {"automated": True},
        "retry": {"limit": 5},
    }


def _operation_state(operation: SyncOperation, spec: Json) -> Json:
    state: Json = {
        "operation": _operation(operation.revision),
        "phase": str(operation.phase),
        "message": operation.message,
        "startedAt": timestamp(operation.started_at),
        "syncResult": {"revision": operation.revision, "source": spec["source"]},
    }
    if operation.finished_at is not None:
        state["finishedAt"] = timestamp(operation.finished_at)
    return state
