"""Which step may be merged in the place of which: what it does counts, and not how it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, arm, canary, digest, release, version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.approval import BRANCHES
from promoter.decisions.steps import COMMANDS, PASSES, STEPS, Step
from promoter.decisions.transition import released
from promoter.domain.action import Promote, Revert, SetWeight, StartCanary, Withdraw
from promoter.domain.release import Promotion, Release

AT_REST = release()
RAMPING = release(canary=canary(weight=10, replicas=2))
START = StartCanary(version(43), digest(43), 2, 4, "it is new")
WEIGHTS = st.integers(0, 100)
PODS = st.integers(1, 50)
LATER = st.integers(0, 600).map(lambda seconds: NOON + timedelta(seconds=seconds))


def step(before, action, now=NOON):
    return Step(before, released(before, action, now))


def raise_to(weight, replicas=4):
    return SetWeight(version(43), weight, replicas, "no sign of harm")


@given(PODS, PODS, LATER)
def test_a_start_stands_whatever_its_time_and_pods_are(replicas, floor, later):
    wanted = step(AT_REST, replace(START, replicas=replicas, stable_replicas=floor, reason="another"), later)
    assert step(AT_REST, START).stands_for(wanted)


def test_a_start_of_another_version_or_of_other_files_does_not_stand():
    assert not step(AT_REST, START).stands_for(step(AT_REST, replace(START, version=version(44))))
    assert not step(AT_REST, START).stands_for(step(AT_REST, replace(START, digest=digest(99))))


@given(st.integers(11, 100), st.integers(11, 100), PODS, PODS)
def test_a_raise_stands_exactly_as_long_as_the_evidence_allows_its_weight(offered, allowed, some, others):
    stands = step(RAMPING, raise_to(offered, some)).stands_for(step(RAMPING, raise_to(allowed, others)))
    assert stands == (offered <= allowed)


@given(st.integers(11, 100), PODS)
def test_a_raise_does_not_stand_for_pods_alone_nor_for_a_way_back(offered, pods):
    raised = step(RAMPING, raise_to(offered))
    assert not raised.stands_for(step(RAMPING, raise_to(10, pods)))
    for back in (Revert(version(43), "it fails"), Withdraw(version(43), "blind")):
        assert not raised.stands_for(step(RAMPING, back))
        assert not step(RAMPING, back).stands_for(raised)


@given(PODS, PODS)
def test_pods_stand_for_pods_however_many(some, others):
    assert step(RAMPING, raise_to(10, some)).stands_for(step(RAMPING, raise_to(10, others)))


def test_a_way_back_stands_for_the_same_for_another_reason_and_for_no_other():
    revert, withdraw = Revert(version(43), "3 % failed"), Withdraw(version(43), "blind for 61s")
    assert step(RAMPING, revert).stands_for(step(RAMPING, replace(revert, reason="4 % failed")))
    assert step(RAMPING, withdraw).stands_for(step(RAMPING, replace(withdraw, reason="blind for 90s")))
    assert not step(RAMPING, withdraw).stands_for(step(RAMPING, revert))
    assert not step(RAMPING, revert).stands_for(step(RAMPING, withdraw))


def test_a_step_of_another_release_does_not_stand():
    elsewhere = release(stable=arm(41), canary=canary(weight=10, replicas=2))
    assert not step(elsewhere, raise_to(20)).stands_for(step(RAMPING, raise_to(20)))


def test_what_takes_requests_back_is_told_from_what_does_not():
    full = release(canary=canary(weight=100))
    reverted = released(RAMPING, Revert(version(43), "it fails"), NOON)
    back = release(canary=canary(weight=0, promote=Promotion.BACK))
    assert step(RAMPING, Revert(version(43), "it fails")).takes_back
    assert step(RAMPING, Withdraw(version(43), "blind")).takes_back
    assert step(full, Withdraw(version(43), "blind")).takes_back
    assert step(back, replace(raise_to(100), back=True)).takes_back
    assert step(AT_REST, replace(START, back=True)).takes_back
    for before, action in (
        (AT_REST, START),
        (RAMPING, raise_to(20)),
        (RAMPING, raise_to(10, 9)),
        (full, Promote(version(43), digest(43), "the guard is over")),
        # No request goes there any more: only its pods are taken away.
        (reverted, Revert(version(43), "it fails")),
    ):
        assert not step(before, action).takes_back, action


@given(WEIGHTS, WEIGHTS)
def test_a_canary_loses_requests_where_its_weight_falls_and_only_there(before, after):
    with_weight = [release(canary=canary(weight=weight)) for weight in (before, after)]
    assert Step(*with_weight).takes_back == (after < before)


def test_a_first_version_takes_nothing_back():
    assert not step(Release(), Promote(version(42), digest(42), "the first")).takes_back


@pytest.mark.parametrize("branch", [PASSES, COMMANDS])
def test_no_question_to_people_is_on_a_branch_of_steps(branch):
    assert branch.startswith(STEPS)
    assert not branch.startswith(BRANCHES)
