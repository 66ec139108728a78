"""The scales: which streams exist, what they add up to, and that a restart changes nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from builders import arm, interval, policy
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.calibration import chosen
from promoter.decisions.evidence import Scales, excess, weigh
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import EvidencePolicy, Limits, Source

FIVE = timedelta(seconds=5)
PROFILE = LatencyProfile(((6426.84, 0.3), (11568.3, 0.01), (20823.0, 0.0)))


def scales(intervals, asked=None, profile=LatencyProfile(), weight_since=0.0):  # noqa: B008 - a frozen value
    asked = asked or policy()
    began, changed = (datetime.fromtimestamp(at, UTC) for at in (0.0, weight_since))
    return weigh(intervals, asked, chosen({}, profile, asked, FIVE), start=began, weight_since=changed)


def evidence(intervals, asked=None, weight=5, **rest):
    return scales(intervals, asked, **rest).evidence(weight=weight, rate=100.0)


def test_without_counts_the_odds_are_even_and_everything_is_possible():
    found = evidence([])
    assert (found.log_odds, found.upper_bound, found.intervals) == (0.0, 1.0, 0)
    assert set(found.log_e) == {"errors", "hard_ceiling"}


def test_limits_and_the_proxy_add_streams_of_their_own():
    asked = policy(limits=Limits(error_ratio=0.02, latency_p99_ms=250.0))
    proxied = IntervalCounts(15.0, arm(10, slow=(0,)), arm(90, slow=(0,)), arm(10), arm(90))
    assert set(evidence([proxied], asked).log_e) == {"errors", "proxy", "latency", "slo", "hard_ceiling"}


def test_errors_that_only_the_proxy_sees_count_against_the_canary():
    hidden = [IntervalCounts(15.0 * n, arm(50), arm(950), arm(50, 25, 25), arm(950)) for n in range(1, 5)]
    found = evidence(hidden)
    assert found.log_e["errors"] == pytest.approx(0.0)
    assert found.log_odds > math.log(100)
    assert excess(found) == pytest.approx(0.5)
    assert evidence(hidden, policy(evidence=EvidencePolicy(source=Source.SERVER))).log_odds < 0


def test_what_is_lacking_is_counted_from_a_source_that_speaks():
    # Both sources are asked by default; a proxy that is not read must not make it look as if nothing were known.
    def lacking(count):
        bound = scales([interval(15.0 * n, arm(50), arm(450)) for n in range(1, count + 1)]).bound
        return bound.requests_until(0.02, 0.025, ratio=0.0, share=0.1)

    assert lacking(1) > lacking(3) > lacking(6) > 0


def test_what_the_proxy_should_say_and_does_not_proves_nothing():
    silent = [interval(15.0 * n, arm(500), arm(9500)) for n in range(1, 9)]
    found = evidence(silent, policy(evidence=EvidencePolicy(source=Source.PROXY)))
    assert found.upper_bound == 1.0
    assert "errors" not in found.log_e


def test_a_ceiling_that_stable_breaks_as_well_is_said():
    broken = [interval(15.0 * n, arm(50, 40, 40), arm(950, 760, 760)) for n in range(1, 4)]
    assert evidence(broken).stable_breaks_ceiling
    assert not evidence([interval(15.0, arm(50, 40, 40), arm(950))]).stable_breaks_ceiling


def test_means_that_differ_inside_a_bucket_are_seen():
    slower = [
        IntervalCounts(15.0 * n, ArmCounts(50, mean_us=9000.0), ArmCounts(950, mean_us=6500.0)) for n in range(1, 40)
    ]
    found = evidence(slower)
    assert found.slower_intervals == found.compared_intervals == 39
    assert found.log_e["latency"] > math.log(100)


def test_the_bound_is_asked_again_after_each_change_of_weight():
    clean = [interval(15.0 * n, arm(500), arm(9500)) for n in range(1, 11)]
    since_start = evidence(clean).upper_bound
    assert evidence(clean, weight_since=150.0).upper_bound == 1.0
    assert since_start < evidence(clean, weight_since=75.0).upper_bound < 1.0


def test_a_split_that_is_not_the_one_asked_for_is_measured_and_never_evidence():
    lopsided = [interval(15.0 * n, arm(4000), arm(6000)) for n in range(1, 4)]
    found = evidence(lopsided, weight=5)
    assert found.split.measured == pytest.approx(0.4)
    assert found.split.log_e > math.log(1e4)
    assert found.log_odds <= 0.0
    assert evidence(lopsided, weight=100).split is None


def test_a_split_as_asked_for_is_no_news():
    right = [interval(15.0 * n, arm(500), arm(9500)) for n in range(1, 40)]
    assert evidence(right, weight=5).split.log_e < 0


arms = st.tuples(st.integers(0, 10), st.integers(10, 500), st.integers(0, 30), st.integers(30, 5000))
courses = st.lists(arms, max_size=25).map(
    lambda drawn: [
        interval(15.0 * n, arm(n_c, x_c, x_c, (x_c, 0)), arm(n_s, x_s, x_s, (x_s, 0)))
        for n, (x_c, n_c, x_s, n_s) in enumerate(drawn, 1)
    ]
)


@given(courses)
def test_fed_one_by_one_or_at_once_or_again_the_numbers_are_the_same_to_the_last_bit(intervals):
    asked = policy(limits=Limits(error_ratio=0.05))
    calibration = chosen({}, PROFILE, asked, FIVE)
    one_by_one = Scales(asked, calibration, start=0.0)
    for counts in intervals:
        one_by_one.add(counts, at_present_weight=True)
    at_once = evidence(intervals, asked, profile=PROFILE)
    assert one_by_one.evidence(weight=5, rate=100.0) == at_once == evidence(intervals, asked, profile=PROFILE)


@given(courses)
def test_one_stream_that_is_sure_enough_decides_for_all(intervals):
    found = evidence(intervals, profile=PROFILE)
    weights = {"errors": 0.45, "latency": 0.25, "hard_ceiling": 0.1}
    for name, log in found.log_e.items():
        assert found.log_odds >= math.log(weights[name] / 0.8) + log - 1e-9
