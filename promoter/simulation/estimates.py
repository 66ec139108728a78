"""What a number of simulated rollouts says about all of them: shares and means with their 95 % intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_Z = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval. low, high: None where one value is all there is."""

    value: float
    low: float | None
    high: float | None


def share(count: int, whole: int) -> Estimate:
    """`count` of `whole`, with Wilson's score interval (Wilson, JASA 1927); `whole` is at least 1."""
    ratio = count / whole
    centre = ratio + _Z**2 / (2 * whole)
    reach = _Z * math.sqrt(ratio * (1 - ratio) / whole + _Z**2 / (4 * whole**2))
    scale = 1 + _Z**2 / whole
    # At either end the two halves cancel out exactly; floating point alone would miss it.
    low = 0.0 if count == 0 else (centre - reach) / scale
    high = 1.0 if count == whole else (centre + reach) / scale
    return Estimate(ratio, low, high)


def mean(values: Sequence[float]) -> Estimate | None:
    """The mean with its normal interval; None of no values."""
    if not values:
        return None
    middle = statistics.fmean(values)
    if len(values) == 1:
        return Estimate(middle, None, None)
    reach = _Z * statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(middle, middle - reach, middle + reach)
