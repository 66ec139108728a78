"""From raw counters to counts per interval: differences per pod, resets, births, and how fresh it all is.

Nothing here judges. The rules for bad data are those of docs/evidence.md, "Counting".
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from promoter.decisions.tally import Histogram, Tally
from promoter.domain.evidence import IntervalCounts
from promoter.domain.measurements import Measurements, Points, ProxyScrapes, TargetSeries
from promoter.domain.version import ModelVersion

_RATE_WINDOW = 60.0


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
    """Counts of both arms for each whole interval of the wall clock that ended after `since` (seconds).

    The proxy's counts are None for an interval in which no proxy was scraped: their growth comes with the next.
    """
    length = interval.total_seconds()
    first = math.floor(since / length) + 1
    last = math.floor(seen.at / length)
    if last < first:
        return ()
    servers = {version: Tally(len(bounds_us)) for version in (canary, stable)}
    births = _Births(seen, scrape_interval)
    _tally_requests(servers, seen, births, length)
    _tally_buckets(servers, seen, births, length, bounds_us)
    _tally_latency(servers, seen, births, length)
    proxies = {version: Tally() for version in (canary, stable)}
    _tally_proxies(proxies, seen, length)
    scraped = {math.ceil(at / length) for proxy in seen.proxies for at in proxy.times}
    return tuple(
        IntervalCounts(
            number * length,
            servers[canary].counts(number),
            servers[stable].counts(number),
            proxies[canary].counts(number) if number in scraped else None,
            proxies[stable].counts(number) if number in scraped else None,
        )
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


class RecentRate:
    """Requests per second over the last minute, of counts that come interval by interval. length: seconds of one."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._requests: deque[float] = deque(maxlen=max(1, math.ceil(_RATE_WINDOW / length)))

    def add(self, requests: float) -> float:
        """The rate at the end of an interval with so many requests."""
        self._requests.append(requests)
        return sum(self._requests) / (len(self._requests) * self._length)


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


class _ProxyPast:
    """Tells whether a proxy's counter that appears inside the window began at 0.

    Only a proxy that was scraped before without it proves that: what another one has counted before its first
    sample is unknown, and that sample only a starting point.
    """

    def __init__(self, proxies: Iterable[ProxyScrapes]) -> None:
        self._first_scrape = {proxy.source: proxy.times[0] for proxy in proxies if proxy.times}

    def at_zero(self, source: str, points: Points) -> bool:
        """Whether the proxy showed other counters before this one."""
        return bool(points) and self._first_scrape.get(source, math.inf) < points[0][0]


def _tally_requests(tallies: Mapping[ModelVersion, Tally], seen: Measurements, births: _Births, length: float) -> None:
    for series in seen.requests:
        if (tally := tallies.get(series.version)) is not None:
            born = births.at_zero(series.pod, series.points)
            for at, growth in increments(series.points, born_at_zero=born):
                tally.requests(math.ceil(at / length), series.status, growth)


def _tally_buckets(
    tallies: Mapping[ModelVersion, Tally],
    seen: Measurements,
    births: _Births,
    length: float,
    bounds_us: tuple[float, ...],
) -> None:
    for bucket in seen.latency:
        tally = tallies.get(bucket.version)
        if tally is not None and bucket.bound_us in bounds_us:
            position = bounds_us.index(bucket.bound_us)
            born = births.at_zero(bucket.pod, bucket.points)
            for at, growth in increments(bucket.points, born_at_zero=born):
                tally.fast(math.ceil(at / length), position, growth)


def _tally_latency(tallies: Mapping[ModelVersion, Tally], seen: Measurements, births: _Births, length: float) -> None:
    for totals in seen.latency_totals:
        if (tally := tallies.get(totals.version)) is not None:
            histogram = Histogram(totals.pod, totals.api, totals.entrypoint)
            born = births.at_zero(totals.pod, totals.counts)
            for at, growth in increments(totals.counts, born_at_zero=born):
                tally.successes(math.ceil(at / length), histogram, growth)
            printed = dict(totals.sums_us)
            for at, growth in increments(totals.sums_us, born_at_zero=born):
                tally.latency(math.ceil(at / length), histogram, growth, printed[at])


def _tally_proxies(tallies: Mapping[ModelVersion, Tally], seen: Measurements, length: float) -> None:
    past = _ProxyPast(seen.proxies)
    for series in seen.proxy:
        if (tally := tallies.get(series.version)) is not None:
            born = past.at_zero(series.source, series.points)
            for at, growth in increments(series.points, born_at_zero=born):
                tally.requests(math.ceil(at / length), series.code, growth)
