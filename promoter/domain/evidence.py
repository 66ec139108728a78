"""Counts per evidence interval, and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """One version's requests in one interval, summed over its pods.

    bad: every request that did not end OK. faults: those for which the server is to blame.
    slow: requests that were not answered OK within each bound, in the order of the bounds.
    mean_us: mean latency of the successful ones in microseconds; None where it is not known exactly enough.
    """

    requests: int = 0
    bad: int = 0
    faults: int = 0
    slow: tuple[int, ...] = ()
    mean_us: float | None = None


@dataclass(frozen=True, slots=True)
class IntervalCounts:
    """Both arms in one interval of the wall clock. `end` is in seconds since the epoch.

    canary, stable: as the servers count. proxy_canary, proxy_stable: as the proxy before them counts; None
    where it does not.
    """

    end: float
    canary: ArmCounts
    stable: ArmCounts
    proxy_canary: ArmCounts | None = None
    proxy_stable: ArmCounts | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """The share of requests that was measured since the last weight change, beside the weight that was asked for.

    asked, measured: from 0 to 1. log_e: natural log of the e-value against their being the same.
    """

    asked: float
    measured: float
    log_e: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all intervals of a rollout amount to.

    start, end: from the rollout's beginning to the end of the last whole interval, seconds since the epoch.
    canary, stable: totals over the rollout; proxy_canary, proxy_stable: the same as the proxy counts, None where
    it does not. last_canary, last_stable: totals over the last five minutes.
    log_e: natural log of each e-process by name (errors, proxy, latency, slo, hard_ceiling), those that exist.
    log_odds: natural log of their weighted mean, the odds against the canary.
    upper_bound: excess error ratio that is not exceeded, with confidence 1 - false_promote.
    slower_intervals, compared_intervals: in how many of how many intervals the canary's mean latency was above
    the margin.
    bounds_us: the latency bounds, in microseconds, in the order of `slow`.
    rate: requests per second, both arms, over the last minute.
    """

    start: float
    end: float
    intervals: int
    canary: ArmCounts
    stable: ArmCounts
    last_canary: ArmCounts
    last_stable: ArmCounts
    log_odds: float
    upper_bound: float
    rate: float
    log_e: Mapping[str, float] = field(default_factory=dict)
    bounds_us: tuple[float, ...] = ()
    first_request_at: float | None = None
    stable_breaks_ceiling: bool = False
    proxy_canary: ArmCounts | None = None
    proxy_stable: ArmCounts | None = None
    slower_intervals: int = 0
    compared_intervals: int = 0
    split: Split | None = None
