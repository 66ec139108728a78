"""Services and DestinationRules as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promoter.domain.duration import parse_duration
from promoter.sandbox.agent.resources import Resource, reading


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port: the Service's number, the pods' number or port name behind it, and whether it speaks HTTP/2."""

    number: int
    target: int | str
    http2: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A name for the ready pods that carry all of `selector`."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is behind this Service. No selector selects nothing."""
        return bool(self.selector) and self.selector.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """What a DestinationRule says of connections to one Service; None leaves a value to the proxy.

    Times in seconds, `max_ejection_percent` and `min_health_percent` from 0 to 100. ejects: whether it asks
    for outlier detection at all. consecutive_errors, consecutive_gateway_errors: 0 switches a rule off.
    """

    max_connections: int | None = None
    max_pending_requests: int | None = None
    max_requests: int | None = None
    connect_timeout: float | None = None
    ejects: bool = False
    consecutive_errors: int | None = None
    consecutive_gateway_errors: int | None = None
    interval: float | None = None
    base_ejection_time: float | None = None
    max_ejection_percent: int | None = None
    min_health_percent: int | None = None


def service_from(resource: Resource) -> Service:
    """A Service's manifest as a value; raises InvalidInput."""
    with reading(resource):
        return Service(
            namespace=resource.key.namespace,
            name=resource.key.name,
            selector={str(key): str(value) for key, value in (resource.spec.get("selector") or {}).items()},
            ports=tuple(_port(port) for port in resource.spec["ports"]),
        )


def _port(port: Mapping[str, Any]) -> ServicePort:
    # Istio chooses the protocol by appProtocol, else by the name's prefix.
    protocol = port.get("appProtocol") or str(port.get("name", "")).split("-")[0]
    return ServicePort(
        number=int(port["port"]),
        target=port.get("targetPort", port["port"]),
        http2=protocol in {"grpc", "http2", "kubernetes.io/h2c"},
    )


def connection_policy_from(resource: Resource) -> tuple[str, ConnectionPolicy]:
    """The host of a DestinationRule and its policy; raises InvalidInput."""
    with reading(resource):
        policy = resource.spec.get("trafficPolicy") or {}
        pool = policy.get("connectionPool") or {}
        tcp, http = pool.get("tcp") or {}, pool.get("http") or {}
        outlier = policy.get("outlierDetection") or {}
        return str(resource.spec["host"]), ConnectionPolicy(
            max_connections=_whole(tcp.get("maxConnections")),
            max_pending_requests=_whole(http.get("http1MaxPendingRequests")),
            max_requests=_whole(http.get("http2MaxRequests")),
            connect_timeout=_seconds(tcp.get("connectTimeout")),
            ejects=bool(outlier),
            consecutive_errors=_whole(outlier.get("consecutive5xxErrors")),
            consecutive_gateway_errors=_whole(outlier.get("consecutiveGatewayErrors")),
            interval=_seconds(outlier.get("interval")),
            base_ejection_time=_seconds(outlier.get("baseEjectionTime")),
            max_ejection_percent=_whole(outlier.get("maxEjectionPercent")),
            min_health_percent=_whole(outlier.get("minHealthPercent")),
        )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _seconds(value: Any) -> float | None:
    return None if value is None else parse_duration(str(value)).total_seconds()
