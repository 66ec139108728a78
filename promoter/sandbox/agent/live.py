"""What really is live: VirtualServices with the weights that Envoy reports, compared with what Git asks for. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from promoter.errors import InvalidInput
from promoter.sandbox.agent.envoy import RouteWeights
from promoter.sandbox.agent.mesh import cluster_name
from promoter.sandbox.agent.resources import Resource, ResourceKey
from promoter.sandbox.agent.routes import destination_service, matches, virtual_service_from


def live_route(applied: Resource, weights: RouteWeights) -> Resource | None:
    """An applied VirtualService with the weights that the proxy really uses; None where it has none of its routes.

    A destination that the proxy does not have has weight 0: that is how such a route is configured.
    """
    body = copy.deepcopy(dict(applied.body))
    host = body["spec"]["hosts"][0]
    for entry in body["spec"]["http"]:
        for match in matches(entry):
            clusters = weights.get((host, (match.get("uri") or {}).get("prefix", "/")))
            if clusters is None:
                return None
            for item in entry["route"]:
                item["weight"] = clusters.get(_cluster(item, applied.key.namespace), 0)
    return Resource(applied.key, applied.version, body)


def is_live(applied: Resource, weights: RouteWeights) -> bool:
    """Whether the proxy splits requests exactly as the applied VirtualService says."""
    live = live_route(applied, weights)
    if live is None:
        return False
    try:
        return virtual_service_from(live) == virtual_service_from(applied)
    except InvalidInput:
        return False


def in_sync(target: Iterable[Resource], applied: Mapping[ResourceKey, Resource], weights: RouteWeights | None) -> bool:
    """Whether exactly the target's objects are applied and their routes are live.

    weights: what the proxy reports, None where it does not answer; the objects alone decide then.
    """
    wanted = {resource.key: resource for resource in target}
    if wanted != applied:
        return False
    routes = [resource for resource in wanted.values() if resource.key.kind == "VirtualService"]
    return weights is None or all(is_live(route, weights) for route in routes)


def _cluster(item: Mapping[str, Any], namespace: str) -> str:
    target = item["destination"]
    return cluster_name(*destination_service(str(target["host"]), namespace), int(target["port"]["number"]))
