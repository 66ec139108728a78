"""What the proxy is to do: clusters, their endpoints and the routes, gathered from all Applications. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promoter.sandbox.agent.pod_template import PodTemplate
from promoter.sandbox.agent.routes import VirtualService
from promoter.sandbox.agent.services import ConnectionPolicy, Service, ServicePort


@dataclass(frozen=True, slots=True)
class Backend:
    """A ready pod."""

    namespace: str
    address: str
    template: PodTemplate


@dataclass(frozen=True, slots=True)
class Cluster:
    """One port of one Service. endpoints: address and port of each ready pod behind it."""

    name: str
    http2: bool
    policy: ConnectionPolicy
    endpoints: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Everything the proxy is configured from. Clusters by name."""

    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    routes: tuple[VirtualService, ...] = ()


def cluster_name(namespace: str, service: str, port: int) -> str:
    """The cluster of a Service's port. Names in Kubernetes have no underscore, so no two are the same."""
    return f"{namespace}_{service}_{port}"


def gather(
    services: Mapping[tuple[str, str], Service],
    policies: Mapping[tuple[str, str], ConnectionPolicy],
    routes: Sequence[VirtualService],
    backends: Sequence[Backend],
) -> Mesh:
    """One cluster for each port of each Service, with the ready pods behind it."""
    clusters = (
        _cluster(service, port, policies.get(key, ConnectionPolicy()), backends)
        for key, service in services.items()
        for port in service.ports
    )
    ordered = sorted(routes, key=lambda route: (route.namespace, route.name))
    return Mesh({cluster.name: cluster for cluster in clusters}, tuple(ordered))


def _cluster(service: Service, port: ServicePort, policy: ConnectionPolicy, backends: Iterable[Backend]) -> Cluster:
    endpoints = (
        (backend.address, number)
        for backend in backends
        if backend.namespace == service.namespace and service.selects(backend.template.labels)
        if (number := _port_number(port, backend.template)) is not None
    )
    name = cluster_name(service.namespace, service.name, port.number)
    return Cluster(name, port.http2, policy, tuple(sorted(endpoints)))


def _port_number(port: ServicePort, template: PodTemplate) -> int | None:
    return port.target if isinstance(port.target, int) else template.ports.get(port.target)
