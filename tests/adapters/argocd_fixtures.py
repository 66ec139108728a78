"""Argo CD 3.x's answers for one application, as its API server sends them."""

from __future__ import annotations

import json
from typing import Any

HEAD = "3f1c0a9d5b7e42c68f90a1b2c3d4e5f60718293a"


def application(**status: Any) -> dict[str, Any]:
    """`GET /api/v1/applications/production-resnet50`; `status` replaces fields of the status."""
    source = {
        "repoURL": "https://git.example.com/shop/serving.git",
        "path": "charts/model-serving",
        "targetRevision": "refs/heads/main",
        "helm": {
            "valueFiles": [
                "/environments/production/resnet50/values.yaml",
                "/environments/production/resnet50/release.yaml",
            ],
            "releaseName": "production-resnet50",
        },
    }
    destination = {"server": "https://kubernetes.default.svc", "namespace": "production"}
    return {
        "metadata": {
            "name": "production-resnet50",
            "namespace": "argocd",
            "uid": "6f0b8f3e-6d5e-4e6e-8b7e-7a8f5f0a9b1c",
            "resourceVersion": "184467",
            "generation": 912,
            "creationTimestamp": "2026-11-20T09:00:00Z",
            "annotations": {"argocd.argoproj.io/manifest-generate-paths": "."},
        },
        "spec": {
            "source": source,
            "destination": destination,
            "project": "serving",
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]},
        },
        "status": {
            "resources": [
                {
                    "group": "apps",
                    "version": "v1",
                    "kind": "Deployment",
                    "namespace": "production",
                    "name": "resnet50-v42",
                    "status": "Synced",
                    "health": {"status": "Healthy"},
                },
            ],
            "sync": {
                "status": "Synced",
                "comparedTo": {"source": source, "destination": destination},
                "revision": HEAD,
            },
            "health": {"status": "Healthy", "lastTransitionTime": "2026-11-22T20:16:50Z"},
            "history": [{"revision": HEAD, "deployedAt": "2026-11-22T20:16:40Z", "id": 17, "source": source}],
            "reconciledAt": "2026-11-22T20:16:41Z",
            "operationState": {
                "operation": {"sync": {"revision": HEAD, "prune": True}, "initiatedBy": {"automated": True}},
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "syncResult": {"revision": HEAD, "source": source, "resources": []},
                "startedAt": "2026-11-22T20:16:39Z",
                "finishedAt": "2026-11-22T20:16:40Z",
            },
            "sourceType": "Helm",
            "summary": {"images": ["tensorflow/serving:2.20.0"]},
            "controllerNamespace": "argocd",
            **status,
        },
    }


def node(kind: str, name: str, parent: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """One node of the resource tree."""
    group = "" if kind in ("Pod", "Service", "ConfigMap") else "apps"
    found = {
        "group": group,
        "version": "v1",
        "kind": kind,
        "namespace": "production",
        "name": name,
        "uid": f"uid-{kind}-{name}",
        "resourceVersion": "184460",
        "createdAt": "2026-11-22T20:10:00Z",
        **fields,
    }
    if parent is not None:
        keys = ("group", "kind", "namespace", "name", "uid")
        found["parentRefs"] = [{key: parent[key] for key in keys if parent.get(key)}]
    return {key: value for key, value in found.items() if value is not None}


def pod(
    name: str, replica_set: dict[str, Any], containers="1/1", reason="Running", health="Healthy", restarts=0
) -> dict[str, Any]:
    info = [
        {"name": "Status Reason", "value": reason},
        {"name": "Node", "value": "node-3"},
        {"name": "Containers", "value": containers},
        *([{"name": "Restart Count", "value": str(restarts)}] if restarts else ()),
    ]
    return node(
        "Pod",
        name,
        replica_set,
        info=info,
        health={"status": health} if health else None,
        images=["tensorflow/serving:2.20.0"],
    )


def version_nodes(version: int, pods: tuple[dict[str, Any], ...] | int = 1, health="Healthy") -> list[dict[str, Any]]:
    """A version's Deployment, ReplicaSet and pods; `pods` is how many, or what differs in each."""
    deployment = node("Deployment", f"resnet50-v{version}", health={"status": health})
    replica_set = node("ReplicaSet", f"resnet50-v{version}-5c7d", deployment, info=[{"name": "Revision", "value": "1"}])
    traits = ({},) * pods if isinstance(pods, int) else pods
    return [
        *(pod(f"resnet50-v{version}-5c7d-{index}", replica_set, **each) for index, each in enumerate(traits)),
        replica_set,
        deployment,
    ]


def tree(*nodes: dict[str, Any]) -> dict[str, Any]:
    others = [node("Service", "resnet50-v42", health={"status": "Healthy"}), node("ConfigMap", "resnet50-v42")]
    return {"nodes": [*others, *nodes], "orphanedNodes": None, "hosts": [{"name": "node-3"}], "shardsCount": 1}


SOME = {"uri": {"prefix": "/"}, "headers": {"x-model-version": {"exact": "canary"}}}


def virtual_service(grpc: dict[str, Any], rest: dict[str, Any] | None = None, testers: str = "") -> dict[str, Any]:
    """A live VirtualService; `grpc` and `rest` are weights by host, None leaves a weight out.

    testers: the host that requests with a header are sent to, before all others.
    """

    def rule(name: str, weights: dict[str, Any], port: int) -> dict[str, Any]:
        routes = []
        for host, weight in weights.items():
            destination = {"destination": {"host": host, "port": {"number": port}}}
            routes.append(destination if weight is None else {**destination, "weight": weight})
        return {"name": name, "retries": {"attempts": 0}, "route": routes, "timeout": "5s"}

    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "resnet50", "namespace": "production", "resourceVersion": "184465"},
        "spec": {
            "hosts": ["resnet50"],
            "http": [
                *([rule("grpc-canary-0", {testers: 100}, 8500) | {"match": [SOME]}] if testers else []),
                rule("grpc", grpc, 8500),
                rule("rest", grpc if rest is None else rest, 8501),
            ],
        },
    }


def gateway_route(kind: str, weights: dict[str, Any], testers: str = "") -> dict[str, Any]:
    """A live HTTPRoute or GRPCRoute, as the API server completes it; `weights` by Service."""
    matched = {"path": {"type": "Exact", "value": "/v1/models/resnet50:predict"}, "method": "POST"}
    if kind == "GRPCRoute":
        matched = {"method": {"type": "Exact", "service": "tensorflow.serving.PredictionService"}}
    some = {**matched, "headers": [{"type": "Exact", "name": "x-model-version", "value": "canary"}]}

    def rule(match: dict[str, Any], backends: dict[str, Any]) -> dict[str, Any]:
        refs = [{"group": "", "kind": "Service", "name": name, "weight": weight} for name, weight in backends.items()]
        return {"matches": [match], "backendRefs": refs}

    rules = [*([rule(some, {testers: 100})] if testers else []), rule(matched, weights)]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "spec": {"rules": rules}}


def managed_resources(live: dict[str, Any] | None, name: str = "resnet50") -> dict[str, Any]:
    text = json.dumps(live)
    return {
        "items": [
            {
                "group": "networking.istio.io",
                "kind": "VirtualService",
                "namespace": "production",
                "name": name,
                "targetState": json.dumps(virtual_service({f"{name}-v42": 90, f"{name}-v43": 10})),
                "liveState": text,
                "normalizedLiveState": text,
                "predictedLiveState": text,
                "resourceVersion": "184465",
            }
        ]
    }
