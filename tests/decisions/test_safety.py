"""Harm that is proven, and the sentence that says what was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, arm, canary, change, observation, policy, release, stable

from promoter.decisions.calibration import chosen
from promoter.decisions.evidence import weigh
from promoter.decisions.rollout import decide
from promoter.decisions.safety import harm
from promoter.decisions.trial import Trial
from promoter.domain.action import Hold, Revert, Withdraw
from promoter.domain.evidence import IntervalCounts
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import Limits

BOUND = 20823.0
FAILED = "of requests failed against 0 % on stable"


def action(intervals, profile=LatencyProfile(((BOUND, 0.1),)), **asked):  # noqa: B008 - a frozen value
    """What is made of intervals of (canary, stable) and, where a proxy counts, (canary, stable) as it sees them.

    An arm is (requests, bad, slow).
    """
    given = policy(**asked)
    calibration = chosen({}, profile, given, timedelta(seconds=5))
    start = NOON - timedelta(hours=1)
    counts = [
        IntervalCounts(
            start.timestamp() + 15 * number,
            *(arm(requests, bad, bad, (slow,)) for requests, bad, slow in arms),
        )
        for number, arms in enumerate(intervals, start=1)
    ]
    scales = weigh(counts, given, calibration, start=start, weight_since=start)
    on_trial = canary(43, weight=10, since=start)
    seen = observation(release=release(stable(42), on_trial), policy=given, calibration=calibration)
    evidence = scales.evidence(weight=10, rate=100.0)
    return harm(Trial(seen, stable(42), on_trial, calibration, tuple(counts), evidence, scales.bound))


@pytest.mark.parametrize(
    ("arms", "reason"),
    [
        (((100, 10, 20), (900, 0, 90)), "10 % of requests failed against 0 % on stable"),
        (
            ((100, 10, 60), (900, 0, 90)),
            f"10 % {FAILED}, and 60 % of requests took longer than 20.8 ms against 10 % on stable",
        ),
        (((100, 0, 60), (900, 0, 90)), "60 % of requests took longer than 20.8 ms against 10 % on stable"),
        (
            ((100, 0, 10), (900, 0, 90), (100, 10, 0), (900, 0, 0)),
            "10 % of requests failed against 0 % on stable, as the proxy sees it",
        ),
        (
            ((100, 10, 10), (900, 0, 90), (100, 10, 0), (900, 0, 0)),
            "10 % of requests failed against 0 % on stable",
        ),
    ],
    ids=["failures", "failures and slowness", "slowness", "only the proxy sees it", "both see it"],
)
def test_a_revert_says_what_was_seen(arms, reason):
    found = action([arms] * 12)
    assert isinstance(found, Revert)
    assert found.reason == reason


def test_a_fault_that_begins_late_is_told_of_the_last_five_minutes():
    before = ((1000, 0, 100), (9000, 0, 900))
    late = ((1000, 3, 103), (9000, 0, 900))
    found = action([before] * 220 + [late] * 20)
    assert isinstance(found, Revert)
    assert found.reason == "in the last five minutes 0.3 % of requests failed against 0 % on stable"


def test_what_stable_fails_as_well_is_no_fault_of_the_version():
    found = action([((100, 61, 61), (900, 540, 540))] * 12, limits=Limits(error_ratio=0.02))
    assert isinstance(found, Hold)
    assert found.alarm
    assert "so does stable: the fault is elsewhere" in found.reason


def test_without_harm_there_is_nothing_to_say():
    assert action([((100, 0, 10), (900, 0, 90))] * 12) is None


@pytest.mark.parametrize(("newest", "blind"), [(NOON - timedelta(seconds=90), 90), (None, 600)])
def test_a_commit_by_a_clock_that_is_ahead_does_not_put_a_withdrawal_off(newest, blind):
    ahead = change(at=NOON + timedelta(hours=3), author="Ada", ours=False)
    seen = observation(release=release(canary=canary()), changed=ahead, newest_sample=newest)
    assert seen.blind_for(NOON) == timedelta(seconds=blind)
    assert isinstance(decide(seen, NOON), Withdraw)
