"""The stated chances of being wrong, on many simulated rollouts. The seeds are fixed, so a failure is news."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from multiprocessing import get_context

import pytest
from builders import policy

from promoter.domain.policy import Bet, RampPolicy
from promoter.simulation.disturbances import Disturbance
from promoter.simulation.rollouts import Setup
from promoter.simulation.schedule import seconds_to_revert
from promoter.simulation.stream import Scenario
from promoter.simulation.trials import PROMOTER, simulate

ALPHA, BETA = 0.01, 0.05


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        yield processes


def reverts(pool, runs, bet, rate=100, base=0.01, canary=None, disturbance=Disturbance.NONE):
    """Seconds to the revert in each run on the schedule of weights, None where there is none."""
    scenario = Scenario(rate, base, base if canary is None else canary, disturbance, slot=15)
    judged = partial(seconds_to_revert, scenario, 2, bet=bet, kappa=1.1, alpha=ALPHA)
    return list(pool.map(judged, range(runs), chunksize=25))


def most(chance, runs):
    """The chance and three standard deviations of what so many runs show of it."""
    return chance + 3 * math.sqrt(chance * (1 - chance) / runs)


def share(times):
    return sum(seconds is not None for seconds in times) / len(times)


@pytest.mark.parametrize(
    ("runs", "bet", "disturbance"),
    [
        (2000, Bet.REQUEST, Disturbance.NONE),
        (2000, Bet.SHARE, Disturbance.BURSTS_5),
        (500, Bet.SHARE, Disturbance.RETRIES),
        (500, Bet.SHARE, Disturbance.POD_BLIPS),
        (500, Bet.SHARE, Disturbance.WRONG_SPLIT),
        (500, Bet.REQUEST, Disturbance.WRONG_SPLIT),
    ],
)
def test_a_good_version_is_reverted_no_more_often_than_was_said(pool, runs, bet, disturbance):
    assert share(reverts(pool, runs, bet, disturbance=disturbance)) <= most(ALPHA, runs)


def test_the_request_bet_does_not_hold_under_bursts(pool):
    # If it held, the bursts would be none, and the test above would show nothing.
    assert share(reverts(pool, 200, Bet.REQUEST, disturbance=Disturbance.BURSTS_5)) > 0.9


@pytest.mark.parametrize(("bet", "within"), [(Bet.REQUEST, 30), (Bet.SHARE, 90)])
def test_ten_times_the_errors_at_1000_requests_a_second_are_found(pool, bet, within):
    times = reverts(pool, 200, bet, rate=1000, base=0.001, canary=0.01)
    assert sum(seconds is not None and seconds <= within for seconds in times) >= 0.95 * len(times)


def test_a_version_at_the_margin_is_promoted_no_more_often_than_was_said():
    given = policy(ramp=RampPolicy(budget=50, max_weight=50))
    setup = Setup.of(
        given, rate=1000, base=0.001, canary=0.001 + given.evidence.margin, seed=2, scrape=timedelta(seconds=5)
    )
    assert simulate(setup, 200, [PROMOTER], workers=2)[PROMOTER].promoted.value <= most(BETA, 200)
