"""The e-processes against exact fractions and 40-digit oracles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.betting import (
    ALTERNATIVES,
    EProcess,
    broken_logs,
    ceiling_logs,
    coin_logs,
    log_mean,
    log_weighted_mean,
    request_logs,
    share_logs,
    two_arm_log,
)

INTERVALS = ((5, 750, 14, 14250), (0, 760, 11, 14240), (9, 745, 13, 14255), (0, 750, 0, 14250), (12, 1500, 12, 13500))

SHARE_SCORES = {
    1.0: (0.769284525886889, 0.0382035725753667, 1.03122022098925, 1.03122022098925, 2.16917814939398),
    1.1: (0.724165618652283, -0.00138802471417033, 0.924023777013112, 0.924023777013112, 1.97612829049792),
    1.25: (0.664572273392634, -0.053496742039047, 0.785826228991223, 0.785826228991223, 1.72693251284895),
}

REQUEST_SCORES = {
    1.0: (3.08701347451084, 1.32885959804717, 11.317054246719, 11.317054246719, 23.1016380552096),
    1.1: (2.75676873683354, 1.06033065250394, 10.2827383041005, 10.2827383041005, 21.0814274396991),
    1.25: (2.32929345454809, 0.721399198886454, 8.98445500562519, 8.98445500562519, 18.6510148549102),
}

counts = st.integers(min_value=0, max_value=10**12)


@pytest.mark.parametrize("kappa", SHARE_SCORES)
def test_the_share_bet_reaches_the_known_scores(kappa):
    score, reached = EProcess(), []
    for bad_canary, canary, bad_stable, stable in INTERVALS:
        score.update(share_logs(bad_canary, canary, bad_stable, stable, kappa))
        reached.append(score.log)
    assert reached == pytest.approx(SHARE_SCORES[kappa], abs=1e-12)


@pytest.mark.parametrize("kappa", REQUEST_SCORES)
def test_the_request_bet_reaches_the_known_scores(kappa):
    score, reached = EProcess(), []
    for bad_canary, canary, bad_stable, stable in INTERVALS:
        score.update(request_logs(bad_canary, canary, bad_stable, stable, kappa))
        reached.append(score.log)
    assert reached == pytest.approx(REQUEST_SCORES[kappa], abs=1e-11)


# (a; bad and all requests of both arms; kappa, margin) and m, b, log e to 40 digits.
TWO_ARMS = [
    (30 / 11, (5, 750, 14, 14250), 1.0, 0.0, 1.0, 0.909090909090909091, 3.68216802705837612),
    (4.0, (5, 750, 14, 14250), 1.25, 0.001, 1.003, 0.803221913207745185, 1.61710059823723038),
    (0.2, (1, 750, 14, 14250), 1.0, 0.005, 0.996, 1.04227436060029592, 1.97625108402170589),
]


def factors(canary, stable, gain, kappa, excess):
    """Logs of a, b and m, out of the whole."""

    def log(bad_canary, bad_stable):
        return two_arm_log(bad_canary, canary, bad_stable, stable, gain=gain, kappa=kappa, excess=excess)

    return log(1, 0) - log(0, 0), log(0, 1) - log(0, 0), -log(0, 0) / canary


@pytest.mark.parametrize(("a", "counts", "kappa", "excess", "m", "b", "expected"), TWO_ARMS)
def test_the_two_arm_ratio_reaches_the_known_values(a, counts, kappa, excess, m, b, expected):
    assert two_arm_log(*counts, gain=a - 1, kappa=kappa, excess=excess) == pytest.approx(expected, abs=1e-13)
    log_a, log_b, log_m = factors(counts[1], counts[3], a - 1, kappa, excess)
    assert [math.exp(log) for log in (log_a, log_b, log_m)] == pytest.approx([a, b, m], abs=1e-13)


def expected_log(p_canary, p_stable, canary, stable, gain, kappa, excess):
    """Log of the mean of the ratio for independent requests with these chances to fail."""
    log_a, log_b, log_m = factors(canary, stable, gain, kappa, excess)
    ours, theirs = p_canary * math.expm1(log_a), p_stable * math.expm1(log_b)
    return canary * math.log1p(ours) + stable * math.log1p(theirs) - canary * log_m


@pytest.mark.parametrize(("p_stable", "expected"), [(0.01, -0.539109361517996198), (0.0, 0.0)])
def test_at_the_margin_the_ratio_has_the_known_mean(p_stable, expected):
    found = expected_log(1.25 * p_stable + 0.001, p_stable, 750, 14250, 3.0, 1.25, 0.001)
    assert found == pytest.approx(expected, abs=1e-11)


@given(
    canary=st.integers(1, 10**5),
    stable=st.integers(1, 10**5),
    p_stable=st.floats(0, 0.5),
    kappa=st.floats(1, 2),
    excess=st.floats(0, 0.2),
    stake=st.floats(0.001, 0.95),
    inside=st.floats(0, 1),
    worse=st.booleans(),
)
def test_under_the_null_the_ratio_does_not_grow_on_average(
    canary, stable, p_stable, kappa, excess, stake, inside, worse
):
    boundary = kappa * p_stable + excess
    if boundary > 1:
        return
    if worse:
        gain = stake * stable / (kappa * canary)
        p_canary = boundary * inside
    else:
        gain = -stake
        p_canary = boundary + (1 - boundary) * inside
    assert expected_log(p_canary, p_stable, canary, stable, gain, kappa, excess) <= 1e-9


def test_with_one_arm_it_is_bernoullis_likelihood_ratio():
    # The alternative 5 % against a ceiling of 1 %: odds ratio 5.21052631578947368.
    gain = 0.05 * 0.99 / (0.01 * 0.95) - 1
    found = two_arm_log(3, 100, 0, 0, gain=gain, kappa=0.0, excess=0.01)
    assert found == pytest.approx(0.827746759499539176, abs=1e-14)
    assert found == pytest.approx(3 * math.log(5) + 97 * math.log(0.95 / 0.99), abs=1e-13)


def test_one_request_bet_is_the_known_likelihood_ratio():
    logs = request_logs(5, 750, 14, 14250, 1.0)
    assert logs[ALTERNATIVES.index(3.0)] == pytest.approx(3.68216802705837612, abs=1e-12)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1.0, 2.0), st.booleans())
def test_with_one_bad_request_the_two_bets_are_the_same(canary, stable, kappa, ours):
    counts = (1, canary, 0, stable) if ours else (0, canary, 1, stable)
    assert request_logs(*counts, kappa) == pytest.approx(share_logs(*counts, kappa), abs=1e-9)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 10**5), st.integers(1, 10**5))
def test_the_request_bet_is_never_above_the_share_bet_for_each_bad_request(ours, theirs, canary, stable):
    share = share_logs(ours, canary, theirs, stable, 1.0)
    for request, one in zip(request_logs(ours, canary, theirs, stable, 1.0), share, strict=True):
        assert request <= (ours + theirs) * one + 1e-9 or (ours and theirs and request <= 1e-9)


@given(st.integers(0, 30), st.integers(30, 400), st.integers(0, 30), st.integers(30, 400), st.integers(2, 5))
def test_cutting_an_interval_in_equal_parts_leaves_the_request_bet_as_it_is(bad_c, canary, bad_s, stable, parts):
    whole = request_logs(bad_c * parts, canary * parts, bad_s * parts, stable * parts, 1.1)
    part = request_logs(bad_c, canary, bad_s, stable, 1.1)
    assert whole == pytest.approx([parts * log for log in part], abs=1e-9)


def test_a_coin_pays_what_was_staked_and_a_coin_not_tossed_pays_nothing():
    assert [math.exp(log) for log in coin_logs(worse=True)] == pytest.approx([1.3, 1.6, 1.9])
    assert [math.exp(log) for log in coin_logs(worse=False)] == pytest.approx([0.7, 0.4, 0.1])
    assert coin_logs(worse=None) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("rho", "factor"), [(3.0, 290 / 209), (10.0, 1280 / 551)])
def test_one_share_bet_is_the_exact_fraction(rho, factor):
    # theta = 1/20: 750 of 15 000 requests; 5 of 19 bad ones.
    logs = share_logs(5, 750, 14, 14250, 1.0)
    assert math.exp(logs[ALTERNATIVES.index(rho)]) == pytest.approx(factor, rel=1e-14)


def test_the_likelihood_ratio_against_a_ceiling_is_the_bernoulli_one():
    # x = 3 of n = 100 against a ceiling of 1 %; the alternative 50 % of `broken_logs` by hand.
    direct = 3 * math.log(0.5 / 0.01) + 97 * math.log(0.5 / 0.99)
    assert broken_logs(3, 100, 0.01)[1] == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("arms", [(0, 0, 3, 100), (3, 100, 0, 0), (0, 100, 0, 1000)])
def test_no_evidence_is_a_factor_of_one_but_the_interval_counts(arms):
    silent, score = EProcess(), EProcess()
    for intervals in (silent, score):
        intervals.update(share_logs(*INTERVALS[0], 1.1))
    before = score.log
    score.update(share_logs(*arms, 1.1))
    assert score.log == pytest.approx(before, abs=1e-15)
    # The restart weights moved on: the same bad interval now weighs differently.
    silent.update(share_logs(*INTERVALS[2], 1.1))
    score.update(share_logs(*INTERVALS[2], 1.1))
    assert silent.log != score.log


def test_a_score_starts_at_one():
    assert EProcess().log == 0.0


@given(st.integers(1, 300))
def test_the_restart_weights_and_what_is_left_sum_to_one(intervals):
    score = EProcess()
    for _ in range(intervals):
        score.update((0.0,))
    assert score.log == pytest.approx(0.0, abs=1e-12)


def mean_share_bets(bad, canary, stable, share):
    """The exact mean of each bet where every bad request is the canary's with the chance `share`."""
    means = [0.0] * len(ALTERNATIVES)
    for ours in range(bad + 1):
        chance = math.comb(bad, ours) * share**ours * (1 - share) ** (bad - ours)
        for index, log in enumerate(share_logs(ours, canary, bad - ours, stable, 1.0)):
            means[index] += chance * math.exp(log)
    return means


@given(st.integers(1, 60), st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1))
def test_the_share_bet_is_fair_when_bad_requests_fall_by_traffic_and_loses_when_fewer_do(bad, canary, stable, fewer):
    theta = canary / (canary + stable)
    assert mean_share_bets(bad, canary, stable, theta) == pytest.approx([1.0] * len(ALTERNATIVES), abs=1e-9)
    assert max(mean_share_bets(bad, canary, stable, fewer * theta)) <= 1 + 1e-9


@given(st.integers(1, 30), st.integers(1, 300), st.integers(1, 300))
def test_the_share_bet_is_fair_when_bad_requests_are_drawn_without_return(bad, canary, stable):
    bad = min(bad, canary + stable)
    expected = [0.0] * len(ALTERNATIVES)
    for ours in range(max(0, bad - stable), min(bad, canary) + 1):
        chance = math.comb(canary, ours) * math.comb(stable, bad - ours) / math.comb(canary + stable, bad)
        for index, log in enumerate(share_logs(ours, canary, bad - ours, stable, 1.0)):
            expected[index] += chance * math.exp(log)
    assert expected == pytest.approx([1.0] * len(ALTERNATIVES), abs=1e-9)


@given(counts, counts, counts, counts, st.floats(1.0, 2.0))
def test_scores_stay_finite_and_a_bet_never_wins_more_than_one_over_theta(bad_c, good_c, bad_s, good_s, kappa):
    canary, stable = bad_c + good_c, bad_s + good_s
    logs = share_logs(bad_c, canary, bad_s, stable, kappa)
    assert all(math.isfinite(log) for log in logs)
    if canary and stable:
        theta = kappa * canary / (kappa * canary + stable)
        assert all(log <= -math.log(theta) + 1e-9 for log in logs)


@given(st.integers(1, 50), st.integers(0, 50), st.integers(100, 10**5), st.integers(100, 10**5))
def test_the_bet_rises_with_the_canary_share_of_a_fixed_total_and_falls_with_the_margin(ours, theirs, canary, stable):
    worse = share_logs(ours, canary, theirs, stable, 1.1)
    better = share_logs(ours - 1, canary, theirs + 1, stable, 1.1)
    lenient = share_logs(ours, canary, theirs, stable, 1.3)
    assert all(low <= high + 1e-12 for low, high in zip(better, worse, strict=True))
    total = EProcess(), EProcess()
    total[0].update(worse)
    total[1].update(lenient)
    assert total[1].log <= total[0].log + 1e-12


@given(st.integers(0, 1000), st.integers(1, 1000), st.sampled_from([0.001, 0.02, 0.2, 0.9]))
def test_the_ceiling_bet_is_at_most_fair_at_the_ceiling(bad, good, ceiling):
    requests = bad + good
    logs = ceiling_logs(bad, requests, ceiling)
    assert all(math.isfinite(log) for log in logs)
    if bad / requests <= ceiling:
        assert all(log <= 1e-12 for log in logs)


def test_an_alternative_above_certainty_does_not_bet_against_a_ceiling():
    logs = ceiling_logs(10, 10, 0.2)
    assert [log > 0 for log in logs] == [rho < 5 for rho in ALTERNATIVES]


def test_the_weighted_mean_needs_no_sum_of_one():
    assert log_weighted_mean([(0.45, 1.0), (0.45, 1.0)]) == pytest.approx(1.0)
    assert log_weighted_mean([(3.0, 5.0), (1.0, -math.inf)]) == pytest.approx(5.0 + math.log(0.75))
    assert log_mean([-math.inf, -math.inf]) == -math.inf
