"""Intervals against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.simulation.estimates import Estimate, mean, share


@pytest.mark.parametrize(
    ("count", "whole", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_wilsons_interval(count, whole, low, high):
    found = share(count, whole)
    assert found.value == count / whole
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_a_share_lies_within_its_interval_and_that_within_0_and_1(pair):
    found = share(*pair)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_mean_has_an_interval_from_two_values_on():
    assert mean([]) is None
    assert mean([3]) == Estimate(3, None, None)
    found = mean([1, 2, 3, 4])
    assert (found.value, found.high - found.value) == pytest.approx((2.5, 1.959964 * 1.2909944 / 2))
