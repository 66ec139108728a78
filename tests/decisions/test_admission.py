"""Without a preflight that was passed nothing starts; what fails it is rejected."""

from __future__ import annotations

import pytest
from builders import NOON, canary, observation, release, stable, stored
from preflights import failed, passed

from promoter.decisions.rollout import decide
from promoter.decisions.transition import released
from promoter.domain.action import Hold, Promote, Reject
from promoter.domain.observation import Observation
from promoter.domain.preflight import CheckName, Pending
from promoter.domain.release import Rejection
from promoter.domain.version import Listing

OFFERED = Listing((stored(42), stored(43)))


def test_without_an_answer_nothing_is_admitted():
    assert isinstance(Observation.__dataclass_fields__["preflight"].default, Pending)


@pytest.mark.parametrize("alarm", [False, True])
def test_a_version_waits_for_its_preflight(alarm):
    action = decide(observation(listing=OFFERED, preflight=Pending("it runs since noon", alarm=alarm)), NOON)
    assert action == Hold("43 waits for its preflight: it runs since noon", alarm=alarm)


def test_a_first_version_waits_for_its_preflight_and_becomes_stable_by_it():
    nothing = release(stable=None)
    waiting = observation(release=nothing, listing=Listing((stored(1),)), preflight=Pending("it runs"))
    assert decide(waiting, NOON) == Hold("1 waits for its preflight: it runs")
    found = passed(1, None)
    action = decide(observation(release=nothing, listing=Listing((stored(1),)), preflight=found), NOON)
    assert isinstance(action, Promote)
    assert action.preflight == found


def test_a_first_version_that_fails_is_rejected_and_the_one_below_it_is_offered():
    nothing = release(stable=None)
    seen = observation(release=nothing, listing=Listing((stored(1), stored(2))), preflight=failed(2, None))
    action = decide(seen, NOON)
    assert isinstance(action, Reject)
    after = released(nothing, action, NOON)
    assert after.rejected == (Rejection(stored(2).version, action.reason),)
    assert after.stable is None
    seen = observation(release=after, listing=Listing((stored(1), stored(2))), preflight=passed(1, None))
    assert decide(seen, NOON).version == stored(1).version


def test_a_failure_rejects_the_version_with_the_first_reason_and_touches_nothing_else():
    before = release(stable(42, replicas=None), rejected=[Rejection(stored(41).version, "x")])
    found = failed(43, 42, CheckName.SIGNATURES, "input x is gone")
    action = decide(observation(release=before, listing=OFFERED, preflight=found), NOON)
    assert action == Reject(stored(43).version, "its preflight failed: signatures: input x is gone", found)
    after = released(before, action, NOON)
    assert after.stable == before.stable
    assert after.canary is None
    assert [entry.version.number for entry in after.rejected] == [41, 43]


def test_a_failure_needs_no_argo_cd_and_no_prometheus():
    seen = observation(listing=OFFERED, preflight=failed(43, 42), application=None, measurements=None)
    assert isinstance(decide(seen, NOON), Reject)


@pytest.mark.parametrize(
    "found",
    [passed(44, 42), passed(43, 41), passed(43, None), failed(44, 42)],
    ids=["another candidate", "another stable", "nothing compared", "another one's failure"],
)
def test_a_result_about_other_files_neither_starts_nor_rejects(found):
    action = decide(observation(listing=OFFERED, preflight=found), NOON)
    assert isinstance(action, Hold)
    assert action.alarm
    assert "is about other files" in action.reason


def test_a_stable_version_that_fails_condemns_no_candidate():
    found = failed(43, 42, CheckName.STABLE, "the stable version: it cannot be loaded")
    action = decide(observation(listing=OFFERED, preflight=found), NOON)
    assert isinstance(action, Hold)
    assert action.alarm
    assert "cannot be compared with what is served" in action.reason


def test_a_rollout_that_goes_on_asks_for_no_preflight():
    seen = observation(release=release(canary=canary(43)), listing=OFFERED, preflight=Pending("it runs"))
    assert "preflight" not in decide(seen, NOON).reason


def test_a_rejection_that_is_there_already_is_not_written_twice():
    before = release(rejected=[Rejection(stored(43).version, "x")])
    action = Reject(stored(43).version, "y", failed(43, 42))
    assert released(before, action, NOON) == before
