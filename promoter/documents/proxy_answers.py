"""Proxies' counters as values: requests by version and code, each request once, as callers see it end.

Envoy's page as Envoy 1.40 prints it (its statistics: `cluster_stats` and `grpc_stats_filter` of its documentation):

- `envoy_cluster_grpc_<status>{envoy_cluster_name}`: calls that ended with this gRPC status, once the listener has the
  filter `envoy.filters.http.grpc_stats`. Those that Envoy ends itself are there, too: no endpoint, no connection, a
  connection that broke, the route's time-out (14, all of them).
- `envoy_cluster_upstream_rq{envoy_cluster_name, envoy_response_code}`: requests by HTTP status, with 503 and 504 where
  Envoy answers itself. A gRPC call is here as well, as 200 however it ended: so this counts for the REST port only.
- `envoy_cluster_upstream_rq_total{envoy_cluster_name}`: there from 0 on, as soon as the cluster is. It is read for the
  times of its samples, which show that Envoy was scraped before it had a code to tell.

A request whose caller left before the answer began is in none of these.

Istio's page (its reference of standard metrics): `istio_requests_total` has `grpc_response_status`, a number, on calls
over gRPC, whose `response_code` is 200 however they end, and `response_code` alone on all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from promoter.documents.prometheus_answers import Series, joined, version_named
from promoter.documents.promql import ENVOY_CODES, ENVOY_STATUS
from promoter.domain.measurements import Points, ProxyScrapes, ProxySeries
from promoter.domain.version import ModelVersion
from promoter.errors import MetricsUnavailable

OK = "OK"

_STATUSES = (
    *(OK, "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
# google/rpc/code.proto numbers them from 0.
_BY_NUMBER = {str(number): status for number, status in enumerate(_STATUSES)}
_GRPC_PORT = "8500"
_CLUSTER = re.compile(r".*-v(?P<version>[0-9]+)_(?P<port>[0-9]+)", re.ASCII)
_SERVICE = re.compile(r".*-v(?P<version>[0-9]+)", re.ASCII)

# Who scraped, not what was counted: a proxy that comes back elsewhere goes on, one that is scraped twice is found out.
_SCRAPERS = frozenset({"job", "instance", "endpoint", "container", "prometheus", "prometheus_replica", "replica"})

# Version and code of a series, None where it counts nothing of its own.
_Outcome = Callable[[Mapping[str, str]], tuple[ModelVersion, str] | None]


def envoy_series(series: Iterable[Series]) -> tuple[ProxySeries, ...]:
    """Envoys' counters. Raises MetricsUnavailable for a series that cannot be told apart from others."""
    return _proxy_series(series, _envoy_outcome)


def istio_series(series: Iterable[Series]) -> tuple[ProxySeries, ...]:
    """Counters of Istio's sidecars and gateways. Raises MetricsUnavailable, as above."""
    return _proxy_series(series, _istio_outcome)


def proxy_scrapes(series: Iterable[Series]) -> tuple[ProxyScrapes, ...]:
    """When each proxy was scraped.

    A proxy shows every counter that it has in every scrape, and Prometheus ends them all when a scrape fails: so the
    samples' times are the scrapes', whatever job they belong to.
    """
    times: dict[str, set[float]] = {}
    for one in series:
        times.setdefault(_source(one), set()).update(moment for moment, _ in one.points)
    return tuple(ProxyScrapes(source, tuple(sorted(found))) for source, found in sorted(times.items()))


def _proxy_series(series: Iterable[Series], outcome: _Outcome) -> tuple[ProxySeries, ...]:
    return tuple(
        ProxySeries(source, *found, points)
        for source, labels, points in _counters(series)
        if (found := outcome(labels)) is not None
    )


def _counters(series: Iterable[Series]) -> Iterable[tuple[str, Mapping[str, str], Points]]:
    """Source, labels and points of each counter, in an order of their own."""
    counters: dict[tuple[str, frozenset[tuple[str, str]]], list[Series]] = {}
    for one in series:
        if not all(isinstance(value, str) for value in one.labels.values()):
            raise MetricsUnavailable("a proxy's series has a label that is no text")
        counted = frozenset(pair for pair in one.labels.items() if pair[0] not in _SCRAPERS)
        counters.setdefault((_source(one), counted), []).append(one)
    ordered = sorted(counters.items(), key=lambda item: (item[0][0], sorted(item[0][1])))
    return ((source, dict(counted), joined(parts)) for (source, counted), parts in ordered)


def _source(series: Series) -> str:
    for name in ("pod", "instance"):
        value = series.labels.get(name)
        if isinstance(value, str) and value:
            return value
    raise MetricsUnavailable("a proxy's series has neither a label `pod` nor a label `instance`: keep one at least")


def _envoy_outcome(labels: Mapping[str, str]) -> tuple[ModelVersion, str] | None:
    name = labels.get("__name__", "")
    cluster = _matched(_CLUSTER, labels, "envoy_cluster_name")
    version, over_grpc = version_named(cluster["version"]), cluster["port"] == _GRPC_PORT
    if over_grpc and name.startswith(ENVOY_STATUS):
        return version, _status(name.removeprefix(ENVOY_STATUS))
    if not over_grpc and name == ENVOY_CODES:
        return version, _http_code(labels.get("envoy_response_code", ""))
    return None


def _istio_outcome(labels: Mapping[str, str]) -> tuple[ModelVersion, str] | None:
    version = version_named(_matched(_SERVICE, labels, "destination_service_name")["version"])
    code = _http_code(labels.get("response_code", ""))
    status = labels.get("grpc_response_status", "")
    return version, _status(status) if code == OK and status else code


def _matched(pattern: re.Pattern[str], labels: Mapping[str, str], name: str) -> re.Match[str]:
    found = pattern.fullmatch(labels.get(name, ""))
    if found is None:
        raise MetricsUnavailable(f"a proxy's series names no version: {name} is {labels.get(name, '')[:80]!r}")
    return found


def _status(number: str) -> str:
    # What a client makes of a number that is none.
    return _BY_NUMBER.get(number, "UNKNOWN")


def _http_code(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        raise MetricsUnavailable(f"a proxy's series has {text[:80]!r} for a status of HTTP")
    return OK if 200 <= int(text) < 300 else text
