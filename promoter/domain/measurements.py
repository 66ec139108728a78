"""Raw counters as Prometheus holds them: per pod or proxy, nothing judged and nothing differenced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from promoter.domain.version import ModelVersion

# (time in seconds since the epoch, value), in rising order of time.
Points = tuple[tuple[float, float], ...]


class ProxyMetrics(StrEnum):
    """Whose counters of the requests between callers and model servers Prometheus holds."""

    NONE = "none"
    ENVOY = "envoy"
    ISTIO = "istio"


@dataclass(frozen=True, slots=True)
class RequestSeries:
    """`:tensorflow:serving:request_count` of one pod and one status ("OK", "INTERNAL", …)."""

    pod: str
    version: ModelVersion
    status: str
    points: Points


@dataclass(frozen=True, slots=True)
class LatencySeries:
    """One bucket of `:tensorflow:serving:request_latency` of one pod: successful requests at or under the bound.

    bound_us: the bucket's upper bound in microseconds. api, entrypoint: TensorFlow Serving's labels.
    """

    pod: str
    version: ModelVersion
    api: str
    entrypoint: str
    bound_us: float
    points: Points


@dataclass(frozen=True, slots=True)
class LatencyTotals:
    """`_sum` and `_count` of one histogram of `:tensorflow:serving:request_latency`: successful requests only.

    sums_us: total latency in microseconds, as printed with six significant digits. counts: how many requests.
    """

    pod: str
    version: ModelVersion
    api: str
    entrypoint: str
    sums_us: Points
    counts: Points


@dataclass(frozen=True, slots=True)
class ProxySeries:
    """Requests for one version that ended with one code, as one proxy counted them; several series may be alike.

    source: the proxy's pod, or its address where it has none. code: "OK"; a gRPC status by its name; or an
    HTTP status by its number, 0 where the caller left before there was one.
    """

    source: str
    version: ModelVersion
    code: str
    points: Points


@dataclass(frozen=True, slots=True)
class ProxyScrapes:
    """When one proxy that has counted requests for the model was scraped: seconds since the epoch, rising."""

    source: str
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TargetSeries:
    """`up` of one pod: 1 where a scrape succeeded, 0 where it failed."""

    pod: str
    version: ModelVersion
    points: Points


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything one evaluation instant of Prometheus said about one model in one environment.

    start, at: the window, in seconds since the epoch; `at` is the instant of evaluation. proxy, proxies: empty
    where no proxy's counters are read, or none has counted a request for this model.
    """

    start: float
    at: float
    requests: tuple[RequestSeries, ...] = ()
    latency: tuple[LatencySeries, ...] = ()
    targets: tuple[TargetSeries, ...] = ()
    latency_totals: tuple[LatencyTotals, ...] = ()
    proxy: tuple[ProxySeries, ...] = ()
    proxies: tuple[ProxyScrapes, ...] = ()


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Share of a version's requests that were slower than each bucket bound, over the hour before a rollout.

    exceedance: (bound in microseconds, share from 0 to 1), in rising order of bounds; empty where
    there was no traffic.
    """

    exceedance: tuple[tuple[float, float], ...] = ()
