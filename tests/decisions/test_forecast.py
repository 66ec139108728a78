"""What is expected before a rollout, and that it is near to what simulated rollouts do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import policy

from promoter.decisions.calibration import chosen
from promoter.decisions.forecast import BAD_RATIOS, expected_course, forecast, in_short
from promoter.domain.forecast import Ending
from promoter.domain.measurements import LatencyProfile
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import Approval, ApprovalPolicy, Bet, EvidencePolicy, Limits
from promoter.simulation.rollouts import Setup
from promoter.simulation.trials import PROMOTER, simulate

FIVE = timedelta(seconds=5)
REQUEST, SHARE = EvidencePolicy(bet=Bet.REQUEST), EvidencePolicy(bet=Bet.SHARE)


def calibration(given, base=0.001):
    return chosen({}, LatencyProfile(((20823.0, 0.1),)), given, FIVE, base=base)


def course(ratio, evidence=REQUEST, rate=1000.0, base=0.001, full=10, **rest):
    given = policy(evidence=evidence, **rest)
    return expected_course(given, calibration(given, base), ClusterTraits(), rate=rate, full=full, ratio=ratio)


def test_people_who_have_to_agree_do_so_at_once_in_what_is_expected():
    asked = ApprovalPolicy(start=Approval.PULL_REQUEST, promote=Approval.PULL_REQUEST)
    assert course(0.001, approval=asked) == course(0.001)


def test_a_version_like_stable_rises_to_the_largest_weight_soaks_and_gets_all_requests():
    good = course(0.001)
    weights = [weight for _, weight in good.weights]
    assert good.ending is Ending.PROMOTED
    assert weights == sorted(weights)
    assert weights[-2:] == [30, 100]
    assert 300 <= good.seconds <= 320
    assert good.extra == pytest.approx(0, abs=5)
    assert [at for at, _ in good.weights] == sorted(at for at, _ in good.weights)


def test_the_worse_a_version_the_sooner_it_is_reverted():
    seconds = [course(ratio).seconds for ratio in (0.005, 0.01, 0.05, 0.5)]
    assert seconds == sorted(seconds, reverse=True)
    # The first interval, and the canary's 1 % of 1000 requests a second until weight 0 is live, half of them failing.
    worst = course(0.5)
    assert (worst.ending, worst.seconds, worst.weights[-1]) == (Ending.REVERTED, 5, (10.0, 0))
    assert worst.failed == pytest.approx(1000 * 0.01 * 0.5 * 10, abs=1)
    assert worst.losses[-1] == (10.0, worst.extra)


def test_without_enough_requests_there_is_no_end():
    thin = course(0.001, rate=0.1)
    assert thin.ending is Ending.UNDECIDED
    assert thin.seconds == timedelta(hours=1, minutes=5).total_seconds()


def test_few_pods_make_no_difference_because_they_come_one_step_ahead():
    # One pod of three is made for the first weight and the one after it; more come one step ahead of each weight.
    few, many = course(0.001, full=3), course(0.001, full=100)
    assert few.weights[-1][1] == many.weights[-1][1] == 100
    assert all(weight <= 30 for _, weight in few.weights[:-1])


def test_a_latency_limit_is_left_out_because_nobody_knows_how_fast_it_will_be():
    assert course(0.001, limits=Limits(latency_p99_ms=250)).ending is Ending.PROMOTED


def test_all_ratios_are_asked():
    given = policy(evidence=REQUEST)
    found = forecast(given, calibration(given), ClusterTraits(), rate=1000, full=10)
    assert tuple(case.ratio for case in found.bad) == BAD_RATIOS
    assert found.good.ratio == found.base == 0.001
    assert found.need.in_time


def test_the_start_commit_is_told_in_two_sentences():
    given = policy(evidence=REQUEST)
    said = in_short(given, calibration(given), ClusterTraits(), rate=1000, full=10)
    assert said.startswith("Expected of a version like stable: 1, 2, 8, 30 %, all requests after 5m5s")
    assert "One that fails 1 % more of its requests would be reverted after about" in said


@pytest.mark.parametrize("evidence", [REQUEST, SHARE], ids=["request", "share"])
@pytest.mark.parametrize(("rate", "base", "canary"), [(1000, 0.001, 0.01), (100, 0.001, 0.05), (1000, 0.001, 0.002)])
def test_a_forecast_is_near_to_the_mean_of_simulated_rollouts(evidence, rate, base, canary):
    given = policy(evidence=evidence)
    setup = Setup.of(given, rate=rate, base=base, canary=canary, seed=7)
    found = simulate(setup, 40, [PROMOTER])[PROMOTER]
    # The simulation's pods differ as chance has it; here the middle of it is compared.
    phi = replace(calibration(given, base), phi=1.0 if evidence is REQUEST else 2.0)
    told = expected_course(given, phi, ClusterTraits(), rate=rate, full=100, ratio=canary)
    assert told.ending is Ending.REVERTED
    assert found.seconds_to_revert is not None
    assert found.extra is not None
    assert told.seconds == pytest.approx(found.seconds_to_revert.value, rel=0.5, abs=10)
    assert found.extra.value / 2.5 <= told.extra <= found.extra.value * 2
