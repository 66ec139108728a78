"""Envoy's configuration as JSON values: bootstrap, listener, routes, clusters, endpoints. Pure.

Discovery is by files (LDS, RDS, CDS, and EDS with one file a cluster, because Envoy takes exactly one resource from
each). What the routes mean is istiod's translation (pilot/pkg/networking/core/route/route.go): destinations of weight 0
are dropped and weights passed on as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promoter.sandbox.agent.mesh import Cluster, cluster_name
from promoter.sandbox.agent.routes import Destination, Route, VirtualService
from promoter.sandbox.agent.services import ConnectionPolicy

ROUTES = "models"

_TYPE = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_GRPC_STATS = f"{_TYPE}.extensions.filters.http.grpc_stats.v3.FilterConfig"
_ROUTER = f"{_TYPE}.extensions.filters.http.router.v3.Router"
_HTTP_OPTIONS = f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"
_LARGEST = 2**32 - 1

Json = dict[str, Any]

# By virtual host and path prefix: the weight of each cluster.
RouteWeights = Mapping[tuple[str, str], Mapping[str, int]]


def bootstrap(directory: Path, admin: tuple[str, int]) -> Json:
    """The file Envoy is started with: where its admin page listens and where it finds the rest."""
    return {
        "node": {"id": "sandbox", "cluster": "sandbox"},
        "admin": {"address": _address(*admin)},
        "dynamic_resources": {
            "lds_config": _watched(directory / "lds.json"),
            "cds_config": _watched(directory / "cds.json"),
        },
    }


def listener(directory: Path, listen: tuple[str, int]) -> Json:
    """The one listener: HTTP/1.1 and HTTP/2 on one port, routed by host and path, gRPC statuses counted by cluster."""
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "gateway",
        "codec_type": "AUTO",
        "rds": {"route_config_name": ROUTES, "config_source": _watched(directory / "rds.json")},
        "http_filters": [
            {
                "name": "envoy.filters.http.grpc_stats",
                "typed_config": {"@type": _GRPC_STATS, "stats_for_all_methods": False},
            },
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}},
        ],
    }
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": "gateway",
        "address": _address(*listen),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def route_configuration(routes: Sequence[VirtualService]) -> Json:
    """One virtual host for each host name, with the routes of every VirtualService that names it, in their order."""
    hosts = sorted({host for route in routes for host in route.hosts})
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [
            {
                "name": host,
                "domains": ["*"] if host == "*" else [host, f"{host}:*"],
                "routes": [
                    _route(service, route) for service in routes if host in service.hosts for route in service.routes
                ],
            }
            for host in hosts
        ],
    }


def cluster_configuration(cluster: Cluster, directory: Path) -> Json:
    """One cluster, whose endpoints come from a file of its own."""
    policy = cluster.policy
    protocol: Json = {"http2_protocol_options": {}} if cluster.http2 else {"http_protocol_options": {}}
    thresholds = {
        "max_connections": _or_largest(policy.max_connections),
        "max_pending_requests": _or_largest(policy.max_pending_requests),
        "max_requests": _or_largest(policy.max_requests),
        "max_retries": 0,
    }
    configuration: Json = {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": cluster.name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(endpoints_file(directory, cluster.name))},
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": _duration(policy.connect_timeout or 10.0),
        "circuit_breakers": {"thresholds": [thresholds]},
        "common_lb_config": {"healthy_panic_threshold": {"value": policy.min_health_percent or 0}},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP_OPTIONS,
                "explicit_http_config": protocol,
            }
        },
    }
    if policy.ejects:
        configuration["outlier_detection"] = _outlier_detection(policy)
    return configuration


def load_assignment(cluster: Cluster) -> Json:
    """The endpoints of one cluster."""
    endpoints = [{"endpoint": {"address": _address(address, port)}} for address, port in cluster.endpoints]
    return {
        "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster.name,
        "endpoints": [{"lb_endpoints": endpoints}] if endpoints else [],
    }


def endpoints_file(directory: Path, cluster: str) -> Path:
    """Where a cluster's endpoints are written."""
    return directory / "eds" / f"{cluster}.json"


def discovery_response(resources: Iterable[Json]) -> str:
    """A file that Envoy reads resources from.

    Its version is the hash of what it says. Envoy's admin page reports the version of what it has
    taken: so we know when it has.
    """
    listed = list(resources)
    version = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, "resources": listed}, indent=1)


def route_weights(dump: Mapping[str, Any]) -> RouteWeights:
    """The weights in Envoy's own dump of its routes."""
    weights: dict[tuple[str, str], Mapping[str, int]] = {}
    for configuration in dump.get("configs") or ():
        for host in configuration.get("route_config", {}).get("virtual_hosts") or ():
            for route in host.get("routes") or ():
                clusters = route.get("route", {}).get("weighted_clusters", {}).get("clusters") or ()
                # First match wins: a later route of the same prefix never carries traffic.
                weights.setdefault(
                    (host["name"], route["match"]["prefix"]),
                    {cluster["name"]: int(cluster.get("weight", 0)) for cluster in clusters},
                )
    return weights


def _route(service: VirtualService, route: Route) -> Json:
    return {
        "name": f"{service.namespace}/{service.name}/{route.name}",
        "match": {"prefix": route.prefix},
        "route": {
            "weighted_clusters": {"clusters": [_weighted(item) for item in route.destinations if item.weight > 0]},
            "timeout": _duration(route.timeout or 0.0),
        },
    }


def _weighted(destination: Destination) -> Json:
    return {
        "name": cluster_name(destination.namespace, destination.service, destination.port),
        "weight": destination.weight,
        "response_headers_to_add": [
            # A percent sign begins a command in Envoy's header values.
            {
                "header": {"key": name, "value": value.replace("%", "%%")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
            for name, value in sorted(destination.headers.items())
        ],
    }


def _outlier_detection(policy: ConnectionPolicy) -> Json:
    """What istiod makes of `outlierDetection` (cluster_traffic_policy.go).

    A rule that is not named keeps Envoy's default, 0 switches it off, and ejection by success rate is
    always off.
    """
    detection: Json = {
        "interval": _duration(policy.interval or 10.0),
        "base_ejection_time": _duration(policy.base_ejection_time or 30.0),
        "max_ejection_percent": 10 if policy.max_ejection_percent is None else policy.max_ejection_percent,
        "enforcing_success_rate": 0,
    }
    for rule, limit in (
        ("consecutive_5xx", policy.consecutive_errors),
        ("consecutive_gateway_failure", policy.consecutive_gateway_errors),
    ):
        if limit is not None:
            detection[f"enforcing_{rule}"] = 100 if limit else 0
            detection |= {rule: limit} if limit else {}
    return detection


def _watched(path: Path) -> Json:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _duration(seconds: float) -> str:
    return f"{seconds:.3f}s"


def _or_largest(limit: int | None) -> int:
    return _LARGEST if limit is None else limit
