"""Simulated latencies: their profile, their bounds, and pods that differ."""

from __future__ import annotations

from statistics import fmean, stdev

import pytest

from promoter.domain.evidence import ArmCounts
from promoter.simulation.latency import SlowPods, profile

BOUNDS = (20823.0, 37481.3, 67466.4)


def test_half_take_longer_than_20_ms_and_one_in_a_hundred_longer_than_64_ms():
    exceedance = dict(profile().exceedance)
    assert exceedance[20823.0] == pytest.approx(0.468, abs=0.002)
    assert exceedance[67466.4] == pytest.approx(0.0075, abs=0.0005)
    assert list(exceedance.values()) == sorted(exceedance.values(), reverse=True)


def test_slow_counts_are_nested_and_include_the_bad_ones():
    pods = SlowPods(1, 1, BOUNDS)
    for _ in range(50):
        timed = pods.timed(ArmCounts(1000, 40, 40), 3)
        assert 1000 >= timed.slow[0] >= timed.slow[1] >= timed.slow[2] >= 40
        assert (timed.requests, timed.bad, timed.faults) == (1000, 40, 40)


def test_one_pod_differs_by_a_tenth_from_interval_to_interval_and_nine_by_less():
    pods = SlowPods(1, 2, BOUNDS)
    means = {count: [pods.timed(ArmCounts(100_000), count).mean_us for _ in range(400)] for count in (1, 9)}
    assert fmean(means[9]) == pytest.approx(22_700, rel=0.01)
    assert stdev(means[1]) / fmean(means[1]) == pytest.approx(0.1, rel=0.15)
    assert stdev(means[9]) / fmean(means[9]) == pytest.approx(0.1 / 3, rel=0.15)


def test_no_request_has_no_latency():
    timed = SlowPods(1, 3, BOUNDS).timed(ArmCounts(), 1)
    assert (timed.slow, timed.mean_us) == ((0, 0, 0), None)
