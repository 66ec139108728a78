"""Raw counters as Prometheus holds them: per pod, nothing judged and nothing differenced."""

from __future__ import annotations

from dataclasses import dataclass

from promoter.domain.version import ModelVersion

# (time in seconds since the epoch, value), in rising order of time.
Points = tuple[tuple[float, float], ...]


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
class TargetSeries:
    """`up` of one pod: 1 where a scrape succeeded, 0 where it failed."""

    pod: str
    version: ModelVersion
    points: Points


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything one evaluation instant of Prometheus said about one model in one environment.

    start, at: the window, in seconds since the epoch; `at` is the instant of evaluation.
    """

    start: float
    at: float
    requests: tuple[RequestSeries, ...] = ()
    latency: tuple[LatencySeries, ...] = ()
    targets: tuple[TargetSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Share of a version's requests that were slower than each bucket bound, over the hour before a rollout.

    exceedance: (bound in microseconds, share from 0 to 1), in rising order of bounds; empty where
    there was no traffic.
    """

    exceedance: tuple[tuple[float, float], ...] = ()
