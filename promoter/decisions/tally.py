"""One arm's growth, summed by interval number, and what it is as counts."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from promoter.domain.evidence import ArmCounts

# Codes for which the server is to blame (gRPC status codes 2, 4, 8, 12 to 15). The rest is often the
# caller's fault: it counts in the comparison with stable, where bad callers hit both arms alike.
_SERVER_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
# RESOURCE_EXHAUSTED over REST (TensorFlow Serving, http_server.cc).
_TOO_MANY_REQUESTS = "429"

# A mean is known where its sum moves in steps of at most this share of its growth.
_COARSEST = 0.05


@dataclass(frozen=True, slots=True)
class Histogram:
    """One latency histogram of one pod."""

    pod: str
    api: str
    entrypoint: str


class Tally:
    """Growth of one arm's counters by interval number. The order in which it is added changes nothing."""

    def __init__(self, bounds: int = 0) -> None:
        self._total: dict[int, float] = defaultdict(float)
        self._bad: dict[int, float] = defaultdict(float)
        self._faults: dict[int, float] = defaultdict(float)
        self._fast: list[dict[int, float]] = [defaultdict(float) for _ in range(bounds)]
        self._latency: dict[int, dict[Histogram, _Latency]] = defaultdict(lambda: defaultdict(_Latency))

    def requests(self, number: int, code: str, growth: float) -> None:
        """Requests that ended with `code`: "OK", the name of a status, or a number of HTTP's."""
        self._total[number] += growth
        if code != "OK":
            self._bad[number] += growth
        if code in _SERVER_FAULTS or code == _TOO_MANY_REQUESTS or (len(code) == 3 and code.startswith("5")):
            self._faults[number] += growth

    def fast(self, number: int, position: int, growth: float) -> None:
        """Successes at or under the bound at `position`."""
        self._fast[position][number] += growth

    def successes(self, number: int, histogram: Histogram, growth: float) -> None:
        """Requests whose latency the histogram holds."""
        self._latency[number][histogram].successes += growth

    def latency(self, number: int, histogram: Histogram, growth_us: float, sum_us: float) -> None:
        """Microseconds that these requests took together. sum_us: all that the histogram has summed up, as printed."""
        latency = self._latency[number][histogram]
        latency.growth_us.append(growth_us)
        latency.step_us = max(latency.step_us, printed_step(sum_us))

    def counts(self, number: int) -> ArmCounts:
        """The counts of one interval."""
        requests = round(self._total.get(number, 0))
        # Latency is recorded for successes only, so whatever is not under the bound was slow or bad.
        # A scrape may fall between the two counters of one request: clamp.
        slow = tuple(min(requests, max(0, requests - round(fast.get(number, 0)))) for fast in self._fast)
        return ArmCounts(
            requests,
            min(requests, round(self._bad.get(number, 0))),
            min(requests, round(self._faults.get(number, 0))),
            slow,
            self._mean_us(number),
        )

    def _mean_us(self, number: int) -> float | None:
        """Mean latency of successes; None without any, or where one pod's sum is too coarse to show its growth."""
        pods: dict[str, list[_Latency]] = defaultdict(list)
        for histogram, latency in self._latency.get(number, {}).items():
            if latency.successes > 0:
                pods[histogram.pod].append(latency)
        growths = [[growth for latency in pod for growth in latency.growth_us] for pod in pods.values()]
        for pod, growth in zip(pods.values(), growths, strict=True):
            if math.fsum(latency.step_us for latency in pod) > _COARSEST * math.fsum(growth):
                return None
        successes = sum(latency.successes for pod in pods.values() for latency in pod)
        return math.fsum(one for growth in growths for one in growth) / successes if successes else None


@dataclass(slots=True)
class _Latency:
    """One histogram's growth in one interval. Each growth is kept: floats would add up differently in another order."""

    successes: float = 0.0
    growth_us: list[float] = field(default_factory=list)
    step_us: float = 0.0


def printed_step(value: float) -> float:
    """The step in which TensorFlow Serving prints a number of this size: six significant digits (Abseil's StrCat)."""
    return 10.0 ** (math.floor(math.log10(value)) - 5) if value > 0 else 0.0
