"""What is chosen from stable's past: the bet, the margin, the dispersion, the latency bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import policy, version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.calibration import calibrate, chosen, latency_bounds
from promoter.decisions.dispersion import Dispersion, dispersion
from promoter.domain.measurements import LatencyProfile, Measurements, RequestSeries, TargetSeries
from promoter.domain.policy import Bet, EvidencePolicy, Limits

FIVE = timedelta(seconds=5)
CALM = {15: Dispersion(1.0, 2000, 0.5), 60: Dispersion(1.02, 480, 2.0), 300: Dispersion(1.1, 96, 10.0)}


def choice(past, **evidence):
    return chosen(past, LatencyProfile(), policy(evidence=EvidencePolicy(**evidence)), FIVE)


def test_dispersion_reaches_the_known_value():
    blocks = [[(2, 100), (0, 100), (1, 100)], [(0, 100), (0, 100), (0, 100)], [(4, 120), (1, 90), (1, 90)]]
    found = dispersion(blocks)
    assert found.df == 4
    assert found.phi == pytest.approx(0.95856524427953, abs=1e-13)
    assert found.phi * found.df == pytest.approx(6200 / 1617, rel=1e-14)
    assert found.mean_bad == pytest.approx(1.0)


@pytest.mark.parametrize("blocks", [[], [[(0, 100), (0, 100)]], [[(5, 100)]], [[(3, 3), (2, 2)]], [[(1, 10), (0, 0)]]])
def test_one_pod_or_no_failure_tells_nothing_of_how_failures_bunch(blocks):
    assert dispersion(blocks).phi is None


@given(st.integers(1, 40), st.integers(2, 6))
def test_an_outage_of_all_pods_at_once_cancels_out(bad, pods):
    assert dispersion([[(bad, 100)] * pods]).phi == pytest.approx(0.0, abs=1e-12)


def test_independent_failures_open_the_request_bet_at_one_scrape():
    made = choice(CALM)
    assert made.bet is Bet.REQUEST
    assert made.interval == FIVE
    assert made.phi == pytest.approx(1.1)
    assert "fail independently" in made.reason


@pytest.mark.parametrize("seconds", [15, 60, 300])
def test_bunched_failures_at_any_length_keep_the_share_bet(seconds):
    made = choice(CALM | {seconds: Dispersion(3.0, 500, 1.0)})
    assert made.bet is Bet.SHARE
    assert made.interval == timedelta(seconds=15)
    assert made.phi == pytest.approx(3.0)
    assert f"blocks of {seconds} s" in made.reason


@pytest.mark.parametrize("past", [{}, {15: Dispersion(1.0, 199, 0.1)}, {15: Dispersion(None, 0)}])
def test_too_little_history_keeps_the_share_bet_and_doubts_the_bound(past):
    made = choice(past)
    assert (made.bet, made.phi, made.kappa) == (Bet.SHARE, 2.0, 1.1)
    assert "too few errors" in made.reason


def test_the_policy_can_pin_everything():
    made = choice(CALM, bet=Bet.SHARE, kappa=1.3, interval=timedelta(seconds=7))
    assert (made.bet, made.kappa, made.interval) == (Bet.SHARE, 1.3, timedelta(seconds=7))
    assert "the policy asks for the share bet" in made.reason


@pytest.mark.parametrize(
    ("found", "kappa"),
    [(Dispersion(1.2, 96, 10.0), 1.1), (Dispersion(3.0, 96, 100.0), 1.26), (Dispersion(40.0, 96, 1.0), 1.5)],
)
def test_the_margin_grows_with_how_pods_differ_up_to_a_limit(found, kappa):
    assert choice(CALM | {300: found}).kappa == pytest.approx(kappa, abs=0.005)


@pytest.mark.parametrize(
    ("profile", "limit", "expected"),
    [
        (((1102.0, 0.9), (1983.59, 0.4), (3570.47, 0.01), (6426.84, 0.001)), None, (1983.59, 3570.47)),
        (((1102.0, 1.0), (1983.59, 0.0001), (3570.47, 0.0)), None, (1983.59,)),
        ((), 250.0, (393464.0,)),
        ((), None, ()),
        (tuple((float(bound), 0.1) for bound in range(10, 20)), None, (10.0, 11.0, 12.0, 13.0, 14.0)),
    ],
)
def test_latency_is_compared_where_stable_has_something_to_show(profile, limit, expected):
    assert latency_bounds(LatencyProfile(profile), Limits(latency_p99_ms=limit)) == expected


def history(bad_of_pod):
    """An hour of three pods, 20 requests a scrape; `bad_of_pod(pod, scrape)` of them fail."""
    series, targets = [], []
    for pod in range(3):
        good, bad, counts = 0, 0, ([], [])
        for scrape in range(720):
            fails = bad_of_pod(pod, scrape)
            good, bad = good + 20 - fails, bad + fails
            counts[0].append((scrape * 5.0, float(good)))
            counts[1].append((scrape * 5.0, float(bad)))
        series += [
            RequestSeries(f"s{pod}", version(42), status, tuple(points))
            for status, points in zip(("OK", "INTERNAL"), counts, strict=True)
        ]
        targets.append(TargetSeries(f"s{pod}", version(42), tuple((scrape * 5.0, 1.0) for scrape in range(720))))
    return Measurements(0.0, 3600.0, requests=tuple(series), targets=tuple(targets))


@pytest.mark.parametrize(
    ("bad_of_pod", "bet"),
    [
        (lambda pod, scrape: int((scrape * 7 + pod * 3) % 11 == 0), Bet.REQUEST),
        (lambda pod, scrape: 20 if (scrape + 240 * pod) % 720 < 12 else int(scrape % 11 == 0), Bet.SHARE),
    ],
)
def test_the_bet_is_chosen_from_raw_counters(bad_of_pod, bet):
    made = calibrate(history(bad_of_pod), LatencyProfile(), policy(), version(42), FIVE)
    assert made.bet is bet, made.reason


def test_without_history_the_share_bet_is_taken():
    assert calibrate(None, LatencyProfile(), policy(), version(42), FIVE).bet is Bet.SHARE
