"""Rollouts in closed loop: what they are made of, their delays, and that the numbers can be had again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import policy

from promoter.domain.forecast import Ending
from promoter.domain.policy import Bet, EvidencePolicy, Limits, RampPolicy
from promoter.errors import InvalidInput
from promoter.simulation.disturbances import Disturbance
from promoter.simulation.outcome import Outcome
from promoter.simulation.peers import ArgoRollouts, Flagger
from promoter.simulation.rollouts import Setup, peer_rollout, promoter_rollout
from promoter.simulation.trials import PEERS, PROMOTER, simulate, summary


def setup(base=0.001, canary=0.01, rate=1000, evidence=EvidencePolicy(), **changes):  # noqa: B008 - a frozen value
    given = policy(evidence=evidence, ramp=RampPolicy(budget=50, max_weight=50))
    return Setup.of(given, rate=rate, base=base, canary=canary, seed=5, **changes)


def test_a_broken_version_is_reverted_by_its_first_interval():
    outcome = promoter_rollout(setup(canary=0.5, evidence=EvidencePolicy(bet=Bet.REQUEST)), 0)
    assert (outcome.verdict, outcome.seconds, outcome.chosen) == (Ending.REVERTED, 5, Bet.REQUEST)
    # 1 % of 1000 requests a second, half of them failing, for 5 s and the 5 s that a commit takes.
    assert outcome.extra == pytest.approx(50, abs=25)


def test_a_revert_that_takes_longer_costs_more():
    given = setup(canary=0.5, evidence=EvidencePolicy(bet=Bet.REQUEST))
    slow = replace(given, revert_delay=60)
    assert promoter_rollout(slow, 0).extra - promoter_rollout(given, 0).extra == pytest.approx(55 * 5, abs=60)


def test_a_raise_that_takes_longer_exposes_fewer():
    # 0.2 % need some minutes: with weights that stay at 1 % the canary gets hardly any requests.
    given = setup(canary=0.002)
    late = replace(given, raise_delay=3600, horizon=60)
    soon = replace(given, raise_delay=0, horizon=60)
    assert abs(promoter_rollout(late, 1).extra) < promoter_rollout(soon, 1).extra


def test_a_good_version_gets_all_requests_once_it_has_soaked():
    outcome = promoter_rollout(setup(canary=0.001), 0)
    assert outcome.verdict is Ending.PROMOTED
    assert 300 <= outcome.seconds <= 330


def test_without_enough_requests_a_rollout_is_undecided():
    given = setup(rate=1, base=0.01, canary=0.01)
    assert promoter_rollout(replace(given, horizon=300), 0).verdict is Ending.UNDECIDED


def test_bunched_errors_choose_the_share_bet():
    assert promoter_rollout(setup(base=0.01, disturbance=Disturbance.BURSTS_5), 0).chosen == Bet.SHARE


def test_slow_pods_are_no_fault_of_the_version():
    found = simulate(setup(canary=0.001, disturbance=Disturbance.SLOW_PODS), 15, [PROMOTER])[PROMOTER]
    assert found.promoted.value == 1


def test_a_latency_limit_does_not_meet_latencies_that_are_drawn():
    given = policy(limits=Limits(error_ratio=0.3, latency_p99_ms=1.0))
    made = Setup.of(given, rate=1000, base=0.001, canary=0.001, disturbance=Disturbance.SLOW_PODS)
    assert made.policy.limits == Limits(error_ratio=0.3)


@pytest.mark.parametrize(
    ("scrape", "reaction", "interval", "slot"),
    [(5, 10, None, 5), (15, 25, None, 5), (15, 15, None, 15), (5, 10, 7, 1), (15, 30, 30, 15), (10, 10, None, 5)],
)
def test_a_slot_divides_scrapes_delays_and_intervals(scrape, reaction, interval, slot):
    evidence = EvidencePolicy(interval=interval and timedelta(seconds=interval))
    made = setup(evidence=evidence, scrape=timedelta(seconds=scrape), reaction=timedelta(seconds=reaction))
    assert made.scenario.slot == slot
    assert promoter_rollout(made, 0).verdict is Ending.REVERTED


@pytest.mark.parametrize("seconds", [0.5, 7.5, 0])
def test_what_is_no_whole_number_of_seconds_is_refused(seconds):
    with pytest.raises(InvalidInput, match="use whole seconds"):
        setup(scrape=timedelta(seconds=seconds))


def test_the_peers_meet_the_same_requests_at_their_own_weights():
    given = setup(canary=0.5, scrape=timedelta(seconds=15))
    argo, flagger = (peer_rollout(given, 0, peer(15)) for peer in (ArgoRollouts, Flagger))
    assert (argo.verdict, argo.seconds) == (Ending.REVERTED, 1515)
    assert argo.extra == pytest.approx(0.499 * 1000 * (0.2 * 600 + 0.4 * 600 + 0.6 * 315), rel=0.01)
    assert (flagger.verdict, flagger.seconds) == (Ending.REVERTED, 660)
    assert flagger.extra == pytest.approx(0.499 * 1000 * 0.05 * 660, rel=0.02)


def test_the_numbers_do_not_depend_on_how_many_processes_work():
    ended = []
    alone = simulate(setup(), 55, [PROMOTER])
    assert simulate(setup(), 55, [PROMOTER], workers=2, told=ended.append) == alone
    assert sum(ended) == 55
    assert simulate(replace(setup(), seed=6), 55, [PROMOTER]) != alone


def test_a_summary_tells_the_ends_apart():
    ends = [
        Outcome(Ending.REVERTED, 30, 10, "share"),
        Outcome(Ending.REVERTED, 60, 20, "share"),
        Outcome(Ending.PROMOTED, 300, 0, "request"),
        Outcome(Ending.UNDECIDED, 3600, 2, "share"),
    ]
    found = summary(ends)
    assert (found.reverted.value, found.promoted.value, found.undecided.value) == (0.5, 0.25, 0.25)
    assert (found.seconds_to_revert.value, found.seconds_to_promote.value, found.extra.value) == (45, 300, 8)
    assert found.bets == {"share": 3, "request": 1}


def test_rules_can_be_asked_one_by_one():
    assert list(simulate(replace(setup(), horizon=60), 1, [*PEERS])) == list(PEERS)
