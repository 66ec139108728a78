"""The split against a beta-binomial e-value to 40 digits."""

from __future__ import annotations

import math

import pytest
from builders import arm, interval
from mpmath import beta, mp, mpf

from promoter.decisions.split import SplitCheck, is_another_split


def result(canary, stable, asked):
    check = SplitCheck()
    check.update(interval(5, arm(canary), arm(stable)))
    return check.result(asked)


def test_the_known_value_is_reached():
    found = math.exp(result(5, 14, 0.05).log_e)
    assert found == pytest.approx(5.30293681878440609, rel=1e-13)


@pytest.mark.parametrize(
    ("canary", "stable", "asked"), [(0, 3, 0.01), (70, 930, 0.05), (400, 200, 0.5), (1, 9999, 0.3)]
)
def test_it_is_the_mixture_of_all_shares(canary, stable, asked):
    mp.dps = 40
    share = mpf(asked)
    exact = beta(canary + share, stable + 1 - share) / beta(share, 1 - share)
    exact /= share**canary * (1 - share) ** stable
    assert result(canary, stable, asked).log_e == pytest.approx(float(mp.log(exact)), abs=1e-9)


def test_chance_is_no_other_split_and_twice_the_weight_is():
    assert not is_another_split(result(60, 940, 0.05))
    assert is_another_split(result(1000, 9000, 0.05))
