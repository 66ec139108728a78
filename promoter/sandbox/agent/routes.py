"""VirtualServices as values. Pure. The rules are Istio's: first match wins, weights are shares of their sum."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promoter.domain.duration import parse_duration
from promoter.errors import InvalidInput
from promoter.sandbox.agent.resources import Resource, reading

# A DNS name, `*`, or `*.` and a DNS name. Envoy refuses its whole route table for one bad name, so
# none gets that far.
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_HEADER = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Destination:
    """A Service's port, its weight (from 0), and the response headers it sets."""

    namespace: str
    service: str
    port: int
    weight: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """Requests whose path begins with `prefix` go to the destinations; `timeout` in seconds, None for none."""

    name: str
    prefix: str
    timeout: float | None
    destinations: tuple[Destination, ...]


@dataclass(frozen=True, slots=True)
class VirtualService:
    """Routes for the hosts of one model, first match first."""

    namespace: str
    name: str
    hosts: tuple[str, ...]
    routes: tuple[Route, ...]


def virtual_service_from(resource: Resource) -> VirtualService:
    """A VirtualService's manifest as a value; raises InvalidInput, as Istio's webhook would."""
    with reading(resource):
        hosts = tuple(str(host) for host in resource.spec["hosts"])
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise InvalidInput(f"{host!r} is not a host name")
        namespace = resource.key.namespace
        routes = tuple(_route(entry, match, namespace) for entry in resource.spec["http"] for match in matches(entry))
        return VirtualService(namespace, resource.key.name, hosts, routes)


def matches(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The conditions of one `http` entry, of which one must hold; without any, everything matches."""
    return entry.get("match") or [{}]


def destination_service(host: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of the Service that a destination's host means, seen from `namespace`."""
    name, _, rest = host.partition(".")
    return (rest.split(".")[0] or namespace, name)


def _route(entry: Mapping[str, Any], match: Mapping[str, Any], namespace: str) -> Route:
    unknown = set(match) - {"uri", "name"} | set(match.get("uri") or {}) - {"prefix"}
    if unknown:
        raise InvalidInput(f"the sandbox matches by uri prefix only, not by {', '.join(sorted(unknown))}")
    if entry.get("mirrors"):
        raise InvalidInput("the sandbox copies no requests; set route.mirror.percent to 0")
    if int((entry.get("retries") or {}).get("attempts", 0)) != 0:
        raise InvalidInput("retries hide failures from the evidence; set retries.attempts to 0")
    destinations = tuple(_destination(item, namespace, len(entry["route"])) for item in entry["route"])
    if sum(destination.weight for destination in destinations) == 0:
        raise InvalidInput("the weights of a route add up to 0")
    timeout = entry.get("timeout")
    return Route(
        name=str(entry.get("name", "")),
        prefix=str((match.get("uri") or {}).get("prefix", "/")),
        timeout=None if timeout is None else parse_duration(str(timeout)).total_seconds(),
        destinations=destinations,
    )


def _destination(item: Mapping[str, Any], namespace: str, siblings: int) -> Destination:
    target = item["destination"]
    owner, service = destination_service(str(target["host"]), namespace)
    # A single destination receives everything, whatever its weight says (virtual_service.proto).
    weight = 100 if siblings == 1 else int(item.get("weight", 0))
    if weight < 0:
        raise InvalidInput(f"{weight} is not a weight")
    headers = ((item.get("headers") or {}).get("response") or {}).get("set") or {}
    for name in headers:
        if not _HEADER.fullmatch(str(name)):
            raise InvalidInput(f"{name!r} is not a header name")
    return Destination(
        namespace=owner,
        service=service,
        port=int(target["port"]["number"]),
        weight=weight,
        headers={str(name): str(value) for name, value in headers.items()},
    )
