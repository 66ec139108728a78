"""Weights that fit the budget, and the pods they need."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.ramp import (
    affordable_weight,
    first_weight,
    largest_next_weight,
    next_weight,
    replicas_for,
    weight_within,
)
from promoter.domain.policy import RampPolicy

TEN = timedelta(seconds=10)

weights = st.integers(1, 99)
ramps = st.builds(
    RampPolicy,
    budget=st.floats(0.1, 10_000),
    max_weight=weights,
    steps=st.sets(weights, max_size=5).map(lambda steps: tuple(sorted(steps))),
)


@pytest.mark.parametrize(
    ("budget", "rate", "bound", "expected"),
    [
        (50, 100, 1.0, 5),
        (50, 100, 0.5, 10),
        (50, 100, 0.01, 30),
        (50, 1000, 1.0, 1),
        (50, 0, 1.0, 1),
        (7, 10, 1.0, 7),
        (50, 100, 0.0, 30),
    ],
)
def test_the_weight_is_the_budget_over_what_is_at_risk(budget, rate, bound, expected):
    assert affordable_weight(RampPolicy(budget=budget), rate, TEN, bound) == expected


@given(ramps, st.integers(1, 100), st.floats(0, 1e6), st.floats(0, 1))
def test_a_weight_never_falls_and_its_worst_case_fits_the_budget(ramp, current, rate, bound):
    weight = next_weight(ramp, current, rate, TEN, bound)
    assert weight >= current
    if weight > current:
        assert weight >= 1.5 * current or weight in (ramp.max_weight, *ramp.steps)
        assert weight <= min(ramp.max_weight, 4 * current)
        assert weight / 100 * rate * 10 * bound <= ramp.budget * (1 + 1e-9) or weight == 1
        assert not any(current < step < weight for step in ramp.steps)
        assert weight <= max(current, largest_next_weight(ramp, current))


@given(ramps, st.floats(0, 1e6))
def test_the_first_weight_is_between_one_and_the_cap(ramp, rate):
    assert 1 <= first_weight(ramp, rate, TEN) <= max(1, ramp.max_weight)


@given(st.integers(1, 100), st.integers(1, 500))
def test_pods_carry_the_weight_they_were_made_for(weight, full):
    replicas = replicas_for(weight, full)
    assert 1 <= replicas <= full
    assert weight_within(replicas, full) >= weight
    assert replicas == 1 or weight_within(replicas - 1, full) < weight
