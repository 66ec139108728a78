"""From raw counters to counts per interval: differences per pod, resets, births, and how fresh it all is.

Nothing here judges. The rules for bad data are those of docs/evidence.md, "Counting".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta

from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.measurements import Measurements, Points, TargetSeries
from promoter.domain.version import ModelVersion

_RATE_WINDOW = 60.0

# Codes for which the server is to blame (gRPC status codes 2, 4, 8, 12 to 15). The rest is often the
# caller's fault: it counts in the comparison with stable, where bad callers hit both arms alike.
_SERVER_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def increments(points: Points, *, born_at_zero: bool) -> Iterator[tuple[float, float]]:
    """(time, growth) for each sample of one counter.

    A decrease is a reset: the growth is the new value. The first sample counts in full where the
    counter is known to have been 0 before (`born_at_zero`), and is only a starting point otherwise.
    Samples that are not finite are passed over, so the next difference spans the gap.
    """
    previous = 0.0 if born_at_zero else None
    for at, value in points:
        if not math.isfinite(value):
            continue
        if previous is not None:
            yield at, value - previous if value >= previous else value
        previous = value


def interval_counts(
    seen: Measurements,
    *,
    canary: ModelVersion,
    stable: ModelVersion,
    bounds_us: tuple[float, ...],
    since: float,
    interval: timedelta,
    scrape_interval: timedelta,
) -> tuple[IntervalCounts, ...]:
    """Counts of both arms for each whole interval of the wall clock that ended after `since` (seconds)."""
    length = interval.total_seconds()
    first = math.floor(since / length) + 1
    last = math.floor(seen.at / length)
    if last < first:
        return ()
    births = _Births(seen, scrape_interval)
    tallies = {canary: _Tally(len(bounds_us)), stable: _Tally(len(bounds_us))}
    for series in seen.requests:
        tally = tallies.get(series.version)
        if tally is None:
            continue
        born = births.at_zero(series.pod, series.points)
        for at, growth in increments(series.points, born_at_zero=born):
            tally.requests(math.ceil(at / length), series.status, growth)
    for bucket in seen.latency:
        tally = tallies.get(bucket.version)
        if tally is None or bucket.bound_us not in bounds_us:
            continue
        position = bounds_us.index(bucket.bound_us)
        born = births.at_zero(bucket.pod, bucket.points)
        for at, growth in increments(bucket.points, born_at_zero=born):
            tally.fast(math.ceil(at / length), position, growth)
    return tuple(
        IntervalCounts(number * length, tallies[canary].counts(number), tallies[stable].counts(number))
        for number in range(first, last + 1)
    )


def seen_until(targets: Iterable[TargetSeries], version: ModelVersion, pods: frozenset[str]) -> float | None:
    """Until when every one of `pods` was scraped (any pod of `version`, where none is named); None for never."""
    newest: dict[str, float] = {}
    for series in targets:
        if series.version == version and (not pods or series.pod in pods):
            answered = [at for at, value in series.points if value == 1]
            if answered:
                newest[series.pod] = max(answered)
    if not newest or not pods <= newest.keys():
        return None
    return min(newest.values()) if pods else max(newest.values())


def pod_blocks(
    seen: Measurements, version: ModelVersion, seconds: int, scrape_interval: timedelta
) -> list[list[tuple[int, int]]]:
    """(bad, requests) of each pod of `version`, for each whole block of `seconds` on the wall clock."""
    births = _Births(seen, scrape_interval)
    blocks: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for series in seen.requests:
        if series.version != version:
            continue
        born = births.at_zero(series.pod, series.points)
        for at, growth in increments(series.points, born_at_zero=born):
            pod = blocks[math.ceil(at / seconds)][series.pod]
            pod[0] += growth if series.status != "OK" else 0.0
            pod[1] += growth
    last = math.floor(seen.at / seconds)
    return [
        [(round(bad), round(requests)) for bad, requests in blocks[number].values()]
        for number in sorted(blocks)
        if number <= last
    ]


def request_rate(seen: Measurements, scrape_interval: timedelta) -> float:
    """Requests per second of all versions together, over the last minute that was scraped."""
    births = _Births(seen, scrape_interval)
    scrapes = [at for target in seen.targets for at, _ in target.points]
    if not scrapes:
        return 0.0
    end = max(scrapes)
    begin = max(end - _RATE_WINDOW, min(scrapes))
    requests = sum(
        growth
        for series in seen.requests
        for at, growth in increments(series.points, born_at_zero=births.at_zero(series.pod, series.points))
        if at > begin
    )
    return requests / (end - begin) if end > begin else 0.0


class _Births:
    """Tells whether a series that appears inside the window began at 0."""

    def __init__(self, seen: Measurements, scrape_interval: timedelta) -> None:
        self._margin = 2.5 * scrape_interval.total_seconds()
        self._start = seen.start
        self._scrapes = sorted({at for target in seen.targets for at, _ in target.points})
        self._first_scrape: dict[str, float] = {}
        self._answers: dict[str, list[float]] = defaultdict(list)
        for target in seen.targets:
            if target.points:
                known = self._first_scrape.get(target.pod, math.inf)
                self._first_scrape[target.pod] = min(known, target.points[0][0])
                self._answers[target.pod] += [at for at, value in target.points if value == 1]

    def at_zero(self, pod: str, points: Points) -> bool:
        """Whether the pod answered before without this series, or was itself born inside the window."""
        if not points:
            return False
        appeared = points[0][0]
        if any(at < appeared for at in self._answers[pod]):
            return True
        first = self._first_scrape.get(pod)
        if first is None or first <= self._start + self._margin:
            return False
        # A pod that shows up right after a gap in everything may be old: the gap hid it.
        return any(first - self._margin <= at < first for at in self._scrapes)


class _Tally:
    """One arm's growth by interval number."""

    def __init__(self, bounds: int) -> None:
        self._total: dict[int, float] = defaultdict(float)
        self._bad: dict[int, float] = defaultdict(float)
        self._faults: dict[int, float] = defaultdict(float)
        self._fast: list[dict[int, float]] = [defaultdict(float) for _ in range(bounds)]

    def requests(self, number: int, status: str, growth: float) -> None:
        self._total[number] += growth
        if status != "OK":
            self._bad[number] += growth
        if status in _SERVER_FAULTS:
            self._faults[number] += growth

    def fast(self, number: int, position: int, growth: float) -> None:
        self._fast[position][number] += growth

    def counts(self, number: int) -> ArmCounts:
        requests = round(self._total.get(number, 0))
        # Latency is recorded for successes only, so whatever is not under the bound was slow or bad.
        # A scrape may fall between the two counters of one request: clamp.
        slow = tuple(min(requests, max(0, requests - round(fast.get(number, 0)))) for fast in self._fast)
        return ArmCounts(
            requests,
            min(requests, round(self._bad.get(number, 0))),
            min(requests, round(self._faults.get(number, 0))),
            slow,
        )
