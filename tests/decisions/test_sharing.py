"""Limits that rollouts share: who goes, who waits, and behind whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, canary, change, digest, observation, release, version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.sharing import in_flight, share, use
from promoter.decisions.transition import released
from promoter.domain.action import Hold, Promote, Revert, SetWeight, StartCanary, Withdraw
from promoter.domain.freeze import Unreadable
from promoter.domain.names import ServedModel
from promoter.domain.shared_limits import SharedLimits


def model(name, environment="production"):
    return ServedModel(environment, name)


def seen(name, weight=None, minutes=10, environment="production"):
    """A model at rest, or with a canary at `weight`; its release changed `minutes` ago."""
    at = NOON - timedelta(minutes=minutes)
    trial = None if weight is None else canary(weight=weight, since=at)
    return observation(served=model(name, environment), release=release(canary=trial), changed=change(at=at))


def start():
    return StartCanary(version(43), digest(43), 1, 4, "newer")


def to(weight):
    return SetWeight(version(43), weight, 2, "no harm")


def shared(limits, *pairs, unseen=()):
    """What becomes of each model's action."""
    observations = {one.served: one for one, _ in pairs}
    found = share(observations, {one.served: action for one, action in pairs}, dict(unseen), {"production": limits})
    behind = {str(served): [str(other) for other in others] for served, others in found.behind.items()}
    return [found.actions[one.served] for one, _ in pairs], behind


def test_the_model_whose_release_has_been_unchanged_the_longest_starts_first():
    actions, behind = shared(
        SharedLimits(concurrent_rollouts=2),
        (seen("at-work", weight=5), Hold("not enough")),
        (seen("young", minutes=1), start()),
        (seen("b-old", minutes=60), start()),
        (seen("a-old", minutes=60), start()),
    )
    assert [type(action) for action in actions] == [Hold, Hold, Hold, StartCanary]
    assert behind == {
        "production/b-old": ["production/at-work", "production/a-old"],
        "production/young": ["production/at-work", "production/a-old", "production/b-old"],
    }
    assert actions[2].reason == (
        "environments/limits.yaml allows 2 rollouts in production at once; waits behind production/at-work, "
        "production/a-old; next: newer"
    )


def test_many_are_told_by_their_number():
    pairs = [(seen(f"m{number}", weight=0), Hold("x")) for number in range(6)]
    actions, _ = shared(SharedLimits(concurrent_rollouts=1), *pairs, (seen("late"), start()))
    assert "allows 1 rollout in production at once" in actions[-1].reason
    assert "waits behind production/m0, production/m1, production/m2 and 3 more;" in actions[-1].reason


def test_a_raise_beyond_the_exposure_is_cut_where_that_is_worth_a_commit_and_waits_where_not():
    actions, behind = shared(
        SharedLimits(exposure=30),
        (seen("first", weight=10, minutes=30), to(20)),
        (seen("second", weight=4, minutes=20), to(16)),
        (seen("third", weight=0, minutes=10), to(2)),
    )
    assert actions[0] == to(20)
    assert actions[1].weight == 10
    assert actions[1].reason.endswith("no more than 10 %, for environments/limits.yaml allows production 30 %")
    assert "allows production an exposure of 30 %, and 0 % is left" in actions[2].reason
    assert behind == {"production/third": ["production/first", "production/second"]}


def test_a_cut_that_is_not_worth_a_commit_waits_and_so_do_those_after_it():
    actions, behind = shared(
        SharedLimits(exposure=26),
        (seen("first", weight=20, minutes=30), to(30)),
        (seen("second", weight=1, minutes=20), to(2)),
    )
    assert [type(action) for action in actions] == [Hold, Hold]
    assert behind == {"production/first": ["production/second"], "production/second": ["production/first"]}


def test_what_is_proven_is_no_exposure_and_pods_ask_for_none():
    actions, behind = shared(
        SharedLimits(exposure=10),
        (seen("full", weight=100, minutes=30), Hold("guard")),
        (seen("proven", weight=10, minutes=20), to(100)),
        (seen("pods", weight=0, minutes=20), to(0)),
    )
    assert actions[1:] == [to(100), to(0)]
    assert behind == {}


def test_one_that_has_all_of_the_exposure_itself_is_told_so():
    actions, behind = shared(SharedLimits(exposure=3), (seen("alone", weight=3), to(12)))
    assert "none of it is another's: only proof for 100 % leads on" in actions[0].reason
    assert behind == {}


def test_other_environments_are_not_concerned():
    other = seen("ranker", environment="staging")
    actions, _ = shared(SharedLimits(concurrent_rollouts=1), (seen("full", weight=0), Hold("x")), (other, start()))
    assert actions[1] == start()


def test_the_canary_of_a_model_whose_policy_does_not_parse_counts():
    broken = {model("broken"): release(canary=canary(weight=20))}
    actions, behind = shared(SharedLimits(concurrent_rollouts=1), (seen("late"), start()), unseen=broken)
    assert isinstance(actions[0], Hold)
    assert behind == {"production/late": ["production/broken"]}


@pytest.mark.parametrize("action", [start(), to(20), Promote(version(43), digest(43), "proven")])
def test_limits_that_nobody_can_tell_hold_every_step_forward_with_an_alarm_and_no_way_back(action):
    one, back = seen("one", weight=10), seen("back", weight=10)
    found = share(
        {one.served: one, back.served: back},
        {one.served: action, back.served: Revert(version(43), "bad")},
        {},
        Unreadable("environments/limits.yaml:2: unknown key"),
    )
    held = found.actions[one.served]
    assert held.alarm
    assert "nobody can tell what the limits are, so nothing starts and nothing rises" in held.reason
    assert found.actions[back.served] == Revert(version(43), "bad")


MOVES = st.sampled_from(["rest", "start", "raise", "all", "promote", "revert", "withdraw"])
COURSES = st.lists(st.lists(st.tuples(MOVES, st.integers(1, 99)), min_size=5, max_size=5), min_size=1, max_size=12)
LIMITS = st.builds(SharedLimits, st.none() | st.integers(1, 4), st.none() | st.integers(1, 60))


def wanted(move, weight, of):
    """What a model would do: whatever is possible of what was drawn."""
    trial = of.release.canary
    if trial is None:
        return start() if move == "start" else Hold("nothing to do")
    if move == "raise" and trial.weight < weight:
        return to(weight)
    if move == "all" and trial.weight < 100:
        return to(100)
    if move == "promote" and trial.weight == 100:
        return Promote(version(43), digest(43), "proven")
    if move == "revert":
        return Revert(version(43), "bad")
    return Withdraw(version(43), "blind") if move == "withdraw" else Hold("nothing to do")


@given(COURSES, LIMITS, st.randoms(use_true_random=False))
def test_no_pass_takes_more_than_the_limits_and_every_process_decides_alike(course, limits, order):
    models = {one.served: one for one in (seen(f"m{number}") for number in range(5))}
    now = NOON
    for drawn in course:
        now += timedelta(seconds=5)
        actions = {served: wanted(*move, models[served]) for served, move in zip(models, drawn, strict=True)}
        found = share(models, actions, {}, {"production": limits})
        shuffled = list(models)
        order.shuffle(shuffled)
        again = share(
            {one: models[one] for one in shuffled}, {one: actions[one] for one in shuffled}, {}, {"production": limits}
        )
        assert (again.actions, again.behind) == (found.actions, found.behind)
        before = use(in_flight(models, {}, "production"))
        for served, action in found.actions.items():
            asked, one = actions[served], models[served]
            if not isinstance(asked, StartCanary | SetWeight):
                assert action == asked
            if isinstance(action, SetWeight):
                assert one.release.canary.weight < action.weight <= asked.weight
            after = released(one.release, action, now)
            if after != one.release:
                models[served] = replace(one, release=replace(after, rejected=()), changed=change(at=now))
        taken = use(in_flight(models, {}, "production"))
        assert limits.concurrent_rollouts is None or taken.rollouts <= limits.concurrent_rollouts
        assert limits.exposure is None or taken.exposure <= limits.exposure
        if before.rollouts == 0 and any(isinstance(action, StartCanary) for action in actions.values()):
            assert any(isinstance(action, StartCanary) for action in found.actions.values())
