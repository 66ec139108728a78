"""Recorded counts, judged again: the numbers of the engine's oracles, and the decisions of the live rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import policy
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.recorded import prepared
from promoter.decisions.replay import Judgement, replay
from promoter.domain.action import Hold, Revert, SetWeight
from promoter.domain.policy import Bet, EvidencePolicy, Limits, RampPolicy, Source
from promoter.domain.recording import PodCount, Recording, Track
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput

TEN = timedelta(seconds=10)
FIFTEEN = timedelta(seconds=15)

# (bad, requests) of the canary and of stable in intervals of 15 s, and the known scores after each, kappa 1.1.
INTERVALS = ((5, 750, 14, 14250), (0, 760, 11, 14240), (9, 745, 13, 14255), (0, 750, 0, 14250), (12, 1500, 12, 13500))
SCORES = {
    Bet.SHARE: (0.724165618652283, -0.00138802471417033, 0.924023777013112, 0.924023777013112, 1.97612829049792),
    Bet.REQUEST: (2.75676873683354, 1.06033065250394, 10.2827383041005, 10.2827383041005, 21.0814274396991),
}


def pinned(bet=Bet.SHARE, **rest):
    return policy(evidence=EvidencePolicy(bet=bet, kappa=1.1, interval=FIFTEEN), **rest)


def recording(intervals=INTERVALS, first=15, step=15, past=(), **rest):
    """One pod an arm. past: (bad, requests) of stable's pods before the rollout, which follow each other."""
    counts = [
        PodCount(first - step * (len(past) - position), Track.STABLE, "s-0", requests, bad)
        for position, (bad, requests) in enumerate(past)
    ]
    for position, (ours, canary, theirs, stable) in enumerate(intervals):
        end = float(first + step * position)
        counts.append(PodCount(end, Track.STABLE, "s-0", stable, theirs))
        counts.append(PodCount(end, Track.CANARY, "c-0", canary, ours))
    return Recording(tuple(counts), ModelVersion(42), ModelVersion(43), **rest)


def judged(case, *, as_recorded=False):
    return replay(case, reaction_time=TEN, as_recorded=as_recorded)


@pytest.mark.parametrize("as_recorded", [False, True])
@pytest.mark.parametrize("bet", SCORES)
def test_the_known_scores_are_reached_whatever_the_weights(bet, as_recorded):
    found = judged(prepared(recording(), pinned(bet)), as_recorded=as_recorded)
    scores = [interval.evidence.log_e["errors"] for interval in found.intervals]
    assert scores == pytest.approx(SCORES[bet], abs=1e-9)
    assert [interval.end for interval in found.intervals] == [15, 30, 45, 60, 75]


def test_a_good_canary_rises_soaks_and_is_promoted_after_its_guard():
    short = pinned(soak=timedelta(minutes=1), guard=timedelta(seconds=30))
    found = judged(prepared(recording([(0, 1000, 0, 9000)] * 30), short))
    weights = [found.first_weight, *(interval.weight for interval in found.intervals)]
    assert found.judgement is Judgement.PROMOTE
    assert "has carried all requests for 30s" in found.reason
    assert weights == sorted(weights)
    assert weights[-1] == 100
    assert isinstance(found.intervals[-1].action, Hold)
    assert "the rollout has ended: 43 is promoted" in found.intervals[-1].action.reason


def test_counts_that_end_before_the_guard_are_a_promotion_that_says_so():
    found = judged(prepared(recording([(0, 1000, 0, 9000)] * 6), pinned(soak=timedelta(minutes=1))))
    assert found.judgement is Judgement.PROMOTE
    assert found.reason.endswith("the counts end before the guard does")


def test_a_broken_canary_is_reverted_and_nothing_is_decided_after_that():
    found = judged(prepared(recording([(500, 1000, 0, 9000)] * 4), pinned(Bet.REQUEST)))
    assert found.judgement is Judgement.REVERT
    assert "50 % of requests failed against 0 % on stable" in found.reason
    assert isinstance(found.intervals[0].action, Revert)
    assert [interval.weight for interval in found.intervals] == [0, 0, 0, 0]
    assert all("43 is reverted" in interval.action.reason for interval in found.intervals[1:])


def test_as_recorded_the_weights_are_those_of_the_counts_and_the_ramp_is_a_suggestion():
    quiet = [(0, 50, 0, 950)] * 3 + [(0, 203, 0, 797)] * 3 + [(0, 1000, 0, 0)] * 2
    found = judged(prepared(recording(quiet), pinned()), as_recorded=True)
    assert found.first_weight == 5
    assert [interval.weight for interval in found.intervals] == [5, 5, 5, 20, 20, 20, 100, 100]
    assert isinstance(found.intervals[1].action, SetWeight)


def test_chance_is_no_change_of_weight():
    wavering = [(0, count, 0, 1000 - count) for count in (50, 58, 43, 61, 47)]
    found = judged(prepared(recording(wavering), pinned()), as_recorded=True)
    assert {interval.weight for interval in found.intervals} == {5}


def test_a_share_that_is_not_the_weight_is_no_alarm_because_the_weight_was_another():
    found = judged(prepared(recording([(0, 50, 0, 950)] * 20), pinned(soak=timedelta(minutes=1))))
    assert not any(isinstance(interval.action, Hold) and interval.action.alarm for interval in found.intervals)


def test_before_the_first_request_nothing_is_decided_and_after_the_canary_left_neither():
    case = prepared(recording([(0, 0, 0, 1000)] * 3 + [(0, 100, 0, 900)] * 3), pinned())
    assert [interval.end for interval in judged(case).intervals] == [60, 75, 90]
    without = recording()
    left = replace(without, counts=(*without.counts, PodCount(300.0, Track.STABLE, "s-0", 1000, 0)))
    assert judged(prepared(left, pinned())).intervals[-1].end == 75


def test_stables_past_chooses_the_bet_and_the_margin():
    steady = [(2, 1000)] * 239
    pods = recording(past=steady)
    two = replace(
        pods,
        counts=tuple(
            sorted(
                (*pods.counts, *(replace(count, pod="s-1") for count in pods.counts if count.end < 15)),
                key=lambda count: count.end,
            )
        ),
    )
    case = prepared(two, policy())
    assert case.calibration.bet is Bet.REQUEST
    assert case.calibration.interval == FIFTEEN
    assert case.calibration.base == pytest.approx(0.002)
    assert len(case.intervals) == 5


def test_without_a_past_the_share_bet_is_taken():
    assert prepared(recording(), policy()).calibration.bet is Bet.SHARE


def test_scrapes_are_gathered_into_intervals_of_the_clock():
    thirds = [(0, 100, 0, 900)] * 6
    case = prepared(recording(thirds, first=5, step=5), pinned())
    assert [counts.canary.requests for counts in case.intervals] == [300, 300]
    assert case.ends == (15, 30)


def test_intervals_are_never_shorter_than_the_counts_are_apart():
    case = prepared(recording(first=60, step=60), policy())
    assert case.calibration.interval == timedelta(seconds=60)
    assert len(case.intervals) == 5


def test_a_gap_is_an_interval_without_requests_and_an_unknown_time_is_left_out():
    with_gap = recording()
    gone = replace(with_gap, counts=tuple(count for count in with_gap.counts if count.end != 45))
    assert [counts.stable.requests for counts in prepared(gone, pinned()).intervals] == [14250, 14240, 0, 14250, 13500]
    unknown = replace(with_gap, unknown=frozenset({45.0}))
    assert prepared(unknown, pinned()).ends == (15, 30, 60, 75)


def test_times_off_the_clock_keep_their_own_ends():
    case = prepared(recording(first=1_700_000_000), pinned())
    assert case.ends[0] == 1_700_000_000
    assert len(case.intervals) == 5


def test_a_time_that_is_far_out_is_a_mistake():
    wide = recording()
    far = replace(wide, counts=(*wide.counts, PodCount(1e12, Track.CANARY, "c-0", 1, 0)))
    with pytest.raises(InvalidInput, match="is a time wrong"):
        prepared(far, pinned())


def latency(slow):
    """`slow` of a thousand of the canary's requests take longer than the second bound, beside stable's ten."""
    counts = []
    for position in range(30):
        end = 15.0 * (position + 1)
        counts.append(PodCount(end, Track.STABLE, "s-0", 9000, 0, (6300, 8910)))
        counts.append(PodCount(end, Track.CANARY, "c-0", 1000, 0, (700, 990 - slow)))
    return Recording(tuple(counts), ModelVersion(42), ModelVersion(43), bounds_us=(11568.3, 20823.0))


def test_latency_is_judged_where_there_are_columns_for_it():
    assert judged(prepared(latency(0), pinned())).judgement is not Judgement.REVERT
    found = judged(prepared(latency(290), pinned()))
    assert found.judgement is Judgement.REVERT
    assert "of requests took longer than 20.8 ms" in found.reason
    assert set(found.intervals[0].evidence.log_e) == {"errors", "latency", "hard_ceiling"}


def test_what_the_counts_do_not_speak_of_is_left_out_and_said():
    asked = pinned(limits=Limits(error_ratio=0.02, latency_p99_ms=250), paused=True)
    asked = replace(asked, evidence=replace(asked.evidence, source=Source.PROXY))
    case = prepared(recording(), asked)
    assert (case.policy.limits.latency_p99_ms, case.policy.paused) == (None, False)
    assert len(case.notes) == 3
    assert "le_393464" in case.notes[0]
    assert set(judged(case).intervals[0].evidence.log_e) == {"errors", "slo", "hard_ceiling"}


def test_a_canary_that_never_answered_is_undecided():
    found = judged(prepared(recording([(0, 0, 0, 1000)] * 5), pinned()))
    assert (found.judgement, found.reason, found.intervals) == (
        Judgement.UNDECIDED,
        "the canary answered no request",
        (),
    )


counts_of_an_interval = st.tuples(st.integers(0, 20), st.integers(20, 3000), st.integers(0, 40), st.integers(40, 9000))


@given(st.lists(counts_of_an_interval, min_size=2, max_size=25), st.sampled_from([Bet.SHARE, Bet.REQUEST]))
def test_a_restart_at_any_interval_changes_not_one_bit(intervals, bet):
    asked = pinned(bet, soak=timedelta(seconds=45), ramp=RampPolicy(max_weight=50))
    whole = judged(prepared(recording(intervals), asked))
    for length in range(1, len(intervals) + 1):
        again = judged(prepared(recording(intervals[:length]), asked))
        assert again.intervals == whole.intervals[:length]


def test_pods_and_their_order_change_nothing():
    split = recording()
    halves = tuple(
        half
        for count in split.counts
        for half in (
            replace(count, requests=count.requests - count.requests // 3, bad=count.bad // 2),
            replace(count, pod=f"{count.pod}-too", requests=count.requests // 3, bad=count.bad - count.bad // 2),
        )
    )
    again = tuple(sorted(halves, key=lambda count: (count.end, count.pod), reverse=False))
    one, other = (judged(prepared(replace(split, counts=counts), pinned())) for counts in (halves, again))
    assert one == other == judged(prepared(split, pinned()))
