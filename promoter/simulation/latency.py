"""How long simulated requests take: lognormal, on pods that are never quite alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from promoter.domain.evidence import ArmCounts
from promoter.domain.latency_buckets import BOUNDS_US
from promoter.domain.measurements import LatencyProfile

# 99 % within 64 ms.
_MEDIAN_US = 20_000.0
_SIGMA = 0.5

# Standard deviation of the logarithm of a pod's own factor.
_POD_SIGMA = 0.1


class SlowPods:
    """Puts latencies to counts: each pod of an arm has a factor of its own, drawn anew for every interval."""

    def __init__(self, seed: int, run: int, bounds_us: tuple[float, ...]) -> None:
        self._rng = np.random.default_rng((seed, run, 3))
        self._bounds_us = bounds_us

    def timed(self, counts: ArmCounts, pods: int) -> ArmCounts:
        """`counts` with how many were slower than each bound, and with their mean."""
        factors = np.exp(self._rng.normal(0.0, _POD_SIGMA, pods)).tolist()
        answered = counts.requests - counts.bad
        slower, before = [], 1.0
        left = answered
        for bound in self._bounds_us:
            share = math.fsum(_exceedance(bound / factor) for factor in factors) / pods
            left = int(self._rng.binomial(left, min(1.0, share / before))) if before else 0
            slower.append(left + counts.bad)
            before = share
        return replace(counts, slow=tuple(slower), mean_us=self._mean(factors, answered))

    def _mean(self, factors: list[float], answered: int) -> float | None:
        if not answered:
            return None
        mean = _MEDIAN_US * math.exp(_SIGMA**2 / 2) * math.fsum(factors) / len(factors)
        spread = mean * math.sqrt(math.expm1(_SIGMA**2) / answered)
        return float(self._rng.normal(mean, spread))


def profile() -> LatencyProfile:
    """What an hour of such requests looks like."""
    return LatencyProfile(tuple((bound, _exceedance(bound)) for bound in BOUNDS_US))


def _exceedance(bound_us: float) -> float:
    """The share of requests that take longer than `bound_us`."""
    return math.erfc(math.log(bound_us / _MEDIAN_US) / _SIGMA / math.sqrt(2)) / 2
