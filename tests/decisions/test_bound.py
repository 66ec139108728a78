"""The bound on excess errors against 40-digit oracles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.bound import ExcessBound
from promoter.domain.evidence import ArmCounts


def bound(*intervals, phi=1.0):
    gathered = ExcessBound(phi)
    for bad_canary, canary, bad_stable, stable in intervals:
        gathered.update(ArmCounts(canary, bad_canary), ArmCounts(stable, bad_stable))
    return gathered


@pytest.mark.parametrize(
    ("intervals", "phi", "expected"),
    [
        ([(0, 1000, 0, 19000)], 1, 0.00391131699438243461),
        ([(1, 1000, 19, 19000)], 1, 0.00585009954184526348),
        ([(1, 1000, 19, 19000), (0, 2000, 20, 18000), (12, 10000, 11, 10000)], 1, 0.00111045380543052225),
        ([(1, 1000, 19, 19000), (0, 2000, 20, 18000), (12, 10000, 11, 10000)], 2, 0.00167917571524702125),
    ],
)
def test_the_bound_reaches_the_known_values(intervals, phi, expected):
    assert bound(*intervals, phi=phi).value(0.05) == pytest.approx(expected, abs=1e-9)


def test_with_one_alternative_it_is_the_rule_of_three(monkeypatch):
    monkeypatch.setattr("promoter.decisions.bound._GRID", (0.0,))
    found = bound((0, 1000, 0, 19000)).value(0.05)
    assert found == pytest.approx(0.00299124954509529624, abs=1e-10)
    assert found == pytest.approx(1 - 0.05 ** (1 / 1000), abs=1e-10)


def test_nothing_is_known_before_the_first_request():
    assert ExcessBound(1.0).value(0.05) == 1.0
    assert bound((0, 0, 5, 100), (0, 10, 0, 0)).value(0.05) == 1.0


def test_a_canary_that_fails_everything_is_bounded_by_nothing():
    assert bound((500, 500, 0, 500)).value(0.05) == 1.0


arms = st.tuples(st.integers(0, 20), st.integers(20, 5000), st.integers(0, 50), st.integers(50, 50000))


@given(st.lists(arms, min_size=1, max_size=6), st.floats(1.0, 5.0))
def test_the_bound_is_a_ratio_that_falls_with_proof_and_rises_with_doubt(intervals, phi):
    value = bound(*intervals, phi=phi).value(0.05)
    assert 0.0 <= value <= 1.0
    assert bound(*intervals, (0, 500, 0, 5000), phi=phi).value(0.05) <= value + 1e-9
    assert bound(*intervals, phi=phi * 1.5).value(0.05) >= value - 1e-9
    assert bound(*intervals, phi=phi).value(0.01) >= value - 1e-9
    worse = [(intervals[0][0] + 1, *intervals[0][1:]), *intervals[1:]]
    assert bound(*worse, phi=phi).value(0.05) >= value - 1e-9


def test_the_requests_that_are_still_needed_are_enough_and_not_far_from_least():
    gathered = bound((0, 100, 0, 900))
    more = gathered.requests_until(0.005, 0.05, ratio=0.0, share=0.1)
    assert bound((0, 100, 0, 900), (0, more, 0, 9 * more)).value(0.05) <= 0.005
    fewer = int(more * 0.9)
    assert bound((0, 100, 0, 900), (0, fewer, 0, 9 * fewer)).value(0.05) > 0.005


def test_nothing_more_is_needed_once_the_margin_is_met():
    assert bound((0, 10000, 0, 90000)).requests_until(0.005, 0.05, ratio=0.0, share=0.1) == 0


def test_no_number_of_requests_proves_what_is_not_so():
    assert bound((900, 1000, 0, 1000)).requests_until(1e-12, 0.05, ratio=0.3, share=0.1) is None
