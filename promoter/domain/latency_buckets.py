"""The latency histogram of TensorFlow Serving: where its buckets end."""

from __future__ import annotations

from bisect import bisect_left

# Upper bounds in microseconds, rising, without +Inf: `Exponential(10, 1.8, 33)` in TensorFlow Serving,
# servables/tensorflow/util.cc. The server prints them with six significant digits, so these are the
# numbers that a scrape reads back.
BOUNDS_US: tuple[float, ...] = tuple(float(f"{10 * 1.8**power:.6g}") for power in range(33))


def bucket_at_or_above(bound_us: float) -> float:
    """The first bucket bound that is not below `bound_us`; the last one where every bound is."""
    position = bisect_left(BOUNDS_US, bound_us)
    return BOUNDS_US[min(position, len(BOUNDS_US) - 1)]
