"""The peers' rules on streams made by hand, second by second as their sources have it."""

from __future__ import annotations

import pytest

from promoter.domain.forecast import Ending
from promoter.simulation.peers import ArgoRollouts, Flagger


def walk(peer, bad_at, scrape=15, requests=100):
    """The verdict, its time, and the weights on the way; `bad_at` says how many of 100 fail in a scrape."""
    weights = [peer.weight]
    for end in range(scrape, 4000, scrape):
        verdict = peer.take(end, requests, bad_at(end))
        if verdict is not None:
            return verdict, end, weights
        if peer.weight != weights[-1]:
            weights.append(peer.weight)
    return None, None, weights


def test_argo_rollouts_takes_its_four_steps_of_ten_minutes():
    assert walk(ArgoRollouts(15), lambda end: 0) == (Ending.PROMOTED, 2400, [20, 40, 60, 80])


def test_argo_rollouts_reverts_at_the_fourth_failure_not_at_the_third():
    # From the second step on: after 615, 915, 1215 and 1515 s.
    assert walk(ArgoRollouts(15), lambda end: 50) == (Ending.REVERTED, 1515, [20, 40, 60])
    three = {615, 915, 1215}
    assert walk(ArgoRollouts(15), lambda end: 50 if end in three else 0)[0] is Ending.PROMOTED


def test_argo_rollouts_sees_only_the_last_scrape_before_it_measures():
    measured = {615, 915, 1215, 1515, 1815, 2115}
    assert walk(ArgoRollouts(15), lambda end: 0 if end in measured else 100)[0] is Ending.PROMOTED


@pytest.mark.parametrize(("bad", "verdict"), [(5, Ending.PROMOTED), (6, Ending.REVERTED)])
def test_argo_rollouts_lets_95_percent_pass(bad, verdict):
    assert walk(ArgoRollouts(15), lambda end: bad)[0] is verdict


def test_flagger_rises_by_5_to_50_and_promotes_after_ten_minutes():
    assert walk(Flagger(15), lambda end: 0) == (Ending.PROMOTED, 600, list(range(5, 51, 5)))


def test_flagger_reverts_one_interval_after_the_failure_that_reaches_the_threshold():
    assert walk(Flagger(15), lambda end: 50) == (Ending.REVERTED, 660, [5])


def test_flagger_keeps_the_weight_at_a_failed_check_and_never_forgets_one():
    # Every other minute fails: the tenth failure is that of minute 19, and minute 20 reverts.
    verdict, end, weights = walk(Flagger(15), lambda end: 50 if (end - 1) // 60 % 2 == 0 else 0)
    assert (verdict, end, weights[-1]) == (Ending.REVERTED, 1200, 50)


def test_flagger_weighs_the_whole_minute():
    # 1 % of a minute is let through, wherever in the minute it fell.
    assert walk(Flagger(15), lambda end: 4 if end % 60 == 0 else 0)[0] is Ending.PROMOTED
    assert walk(Flagger(15), lambda end: 5 if end % 60 == 0 else 0)[0] is Ending.REVERTED


@pytest.mark.parametrize(("peer", "end"), [(ArgoRollouts, 1515), (Flagger, 660)])
def test_no_value_is_a_failed_check(peer, end):
    assert walk(peer(15), lambda end: 0, requests=0)[:2] == (Ending.REVERTED, end)
