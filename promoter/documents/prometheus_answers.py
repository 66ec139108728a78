"""Prometheus' answers as values: raw counters per pod, and shares of requests by bucket.

What proxies count is `promoter.documents.proxy_answers`' part.

An answer that cannot be trusted is no answer: a series without the labels that the scrape configuration
puts on every pod, or two series for one thing, raise MetricsUnavailable. Fetching is
`promoter.adapters.prometheus`' part, and judging nobody's here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from promoter.documents.one_line import one_line
from promoter.documents.promql import LATENCY_COUNT, LATENCY_SUM
from promoter.domain.measurements import (
    LatencyProfile,
    LatencySeries,
    LatencyTotals,
    Points,
    RequestSeries,
    TargetSeries,
)
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidName, MetricsUnavailable

# TensorFlow Serving prints bounds with six significant digits, Prometheus 3 adds a `.0`.
_SAME_BOUND = 1e-5


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer. dropped: how many samples were no number (NaN, infinite)."""

    labels: Mapping[str, str]
    points: Points
    dropped: int = 0


def parse_matrix(result: object, start: float, at: float) -> tuple[Series, ...]:
    """The series of a range vector, with their samples from `start` to `at` (seconds since the epoch, both included).

    Raises MetricsUnavailable for another shape, and for a series of which no sample is a number.
    """
    series = tuple(_series(entry, "values", start, at) for entry in _entries(result))
    return tuple(one for one in series if one.points)


def parse_vector(result: object, at: float) -> tuple[Series, ...]:
    """The series of an instant vector, each with its one sample, or none where it is no number."""
    return tuple(_series({**entry, "values": [entry.get("value")]}, "values", at, at) for entry in _entries(result))


def request_series(series: Iterable[Series]) -> tuple[RequestSeries, ...]:
    """The request counters of each pod by status."""
    return tuple(
        RequestSeries(pod, version_named(version), status, points)
        for (pod, version, status), points in _by_identity(series, "pod", "model_version", "status").items()
    )


def latency_series(series: Iterable[Series], bounds_us: Sequence[float]) -> tuple[LatencySeries, ...]:
    """The latency buckets of each pod at `bounds_us`, whose `bound_us` is the one of `bounds_us`.

    Raises MetricsUnavailable where a histogram has some of the bounds and lacks others.
    """
    found = [
        LatencySeries(pod, version_named(version), api, entrypoint, bound, points)
        for (pod, version, api, entrypoint, le), points in _by_identity(
            series, "pod", "model_version", "API", "entrypoint", "le"
        ).items()
        for bound in bounds_us
        if _is_bound(le, bound)
    ]
    histograms: dict[tuple[str, ModelVersion, str, str], set[float]] = {}
    for one in found:
        histograms.setdefault((one.pod, one.version, one.api, one.entrypoint), set()).add(one.bound_us)
    for (pod, *_), bounds in histograms.items():
        missing = sorted(set(bounds_us) - bounds)
        if missing:
            raise MetricsUnavailable(f"the latency of pod {pod} has no bucket at {missing[0]:g} µs, but has others")
    return tuple(found)


def latency_totals(series: Iterable[Series]) -> tuple[LatencyTotals, ...]:
    """Sum and count of each pod's latency histograms. Where Prometheus keeps one of the two only, there is no mean."""
    found = _by_identity(series, "__name__", "pod", "model_version", "API", "entrypoint")
    return tuple(
        LatencyTotals(pod, version_named(version), api, entrypoint, sums, counts)
        for (name, pod, version, api, entrypoint), sums in found.items()
        if name == LATENCY_SUM and (counts := found.get((LATENCY_COUNT, pod, version, api, entrypoint))) is not None
    )


def target_series(series: Iterable[Series]) -> tuple[TargetSeries, ...]:
    """`up` of each pod."""
    return tuple(
        TargetSeries(pod, version_named(version), points)
        for (pod, version), points in _by_identity(series, "pod", "model_version").items()
    )


def latency_profile(buckets: Iterable[Series], requests: Iterable[Series]) -> LatencyProfile:
    """Share of requests slower than each bound: 1 - (successes at or under it) / (requests, failed ones included).

    buckets: one series for each `le`, requests: one series without labels; both are growth over the same time.
    """
    total = sum(value for one in requests for _, value in one.points)
    if total <= 0:
        return LatencyProfile()
    shares = {_bound(label(one, "le")): 1 - value / total for one in buckets for _, value in one.points}
    return LatencyProfile(
        tuple((bound, min(1.0, max(0.0, share))) for bound, share in sorted(shares.items()) if math.isfinite(bound))
    )


def _entries(result: object) -> list[Mapping[str, object]]:
    if not isinstance(result, list) or not all(isinstance(entry, dict) for entry in result):
        raise MetricsUnavailable("the answer is no list of series")
    return result


def _series(entry: Mapping[str, object], key: str, start: float, at: float) -> Series:
    labels, values = entry.get("metric"), entry.get(key)
    if not isinstance(labels, dict) or not isinstance(values, list):
        raise MetricsUnavailable("the answer holds a series of another type than was asked for")
    try:
        samples = [(float(moment), float(value)) for moment, value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise MetricsUnavailable(f"{_described(labels)} holds a sample that is none") from error
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(samples)):
        raise MetricsUnavailable(f"the samples of {_described(labels)} are not in the order of time")
    wanted = [(moment, value) for moment, value in samples if start <= moment <= at]
    points = tuple(sample for sample in wanted if math.isfinite(sample[1]))
    if wanted and not points:
        raise MetricsUnavailable(f"{_described(labels)} holds no number, only NaN or infinity")
    return Series(labels, points, len(wanted) - len(points))


def _by_identity(series: Iterable[Series], *labels: str) -> Mapping[tuple[str, ...], Points]:
    """The points of each combination of `labels`, in the order of the combinations."""
    found: dict[tuple[str, ...], list[Series]] = {}
    for one in series:
        found.setdefault(tuple(label(one, name) for name in labels), []).append(one)
    return {identity: joined(parts) for identity, parts in sorted(found.items())}


def joined(parts: Sequence[Series]) -> Points:
    """One series out of several that follow each other, as when a pod comes back with another address."""
    ordered = sorted(parts, key=lambda part: part.points)
    for earlier, later in pairwise(ordered):
        if later.points[0][0] <= earlier.points[-1][0]:
            raise MetricsUnavailable(
                f"{_described(later.labels)} is there twice at the same time: the pod is scraped by two jobs, or the "
                "answers of two replicas of Prometheus are not de-duplicated"
            )
    return tuple(point for part in ordered for point in part.points)


def label(series: Series, name: str) -> str:
    """A label that must be there; raises MetricsUnavailable."""
    value = series.labels.get(name)
    if not isinstance(value, str) or not value:
        raise MetricsUnavailable(
            f"{_described(series.labels)} has no label {name!r}: the scrape configuration of the chart's PodMonitor "
            "puts it there, or TensorFlow Serving has renamed it"
        )
    return value


def version_named(text: str) -> ModelVersion:
    """The version that a label names; raises MetricsUnavailable."""
    try:
        return ModelVersion.from_name(text)
    except InvalidName as error:
        raise MetricsUnavailable(f"a label of a series: {error}") from error


def _is_bound(le: str, bound_us: float) -> bool:
    return math.isclose(_bound(le), bound_us, rel_tol=_SAME_BOUND)


def _bound(le: str) -> float:
    try:
        bound = float(le)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise MetricsUnavailable(f"the bucket bound le={le[:80]!r} is no number")
    return bound


def _described(labels: Mapping[str, object]) -> str:
    """The series in few words: its name, and its pod where it has one."""
    name, pod = (value if isinstance(value := labels.get(key), str) else "" for key in ("__name__", "pod"))
    return one_line(f"{name[:120] or 'a series'} of pod {pod[:120]}" if pod else name[:120] or "a series")
