"""Whole rollouts on a branch that takes no push: every step goes by pull request, and a way back is tried as a push."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import RANKER, version
from fakes import POLICY, Behaviour, FakePreflights, World
from preflights import passed
from structlog.testing import capture_logs
from test_verbs import Person

from promoter.domain.pull_request import Checks, PullRequestState
from promoter.domain.release import Promotion

STEPS = "promoter-steps/pass"
COMMANDS = "promoter-steps/comments"
PENDING = Checks(pending=("ci/test",))
REFUSAL = "protected branch: pushes are not allowed"


@pytest.fixture
def world():
    world = World(versions=[42], by_pull_request=True)
    world.repository.refusal = REFUSAL
    return world


@pytest.fixture
def rising(world):
    """A canary that has requests, and nothing is open."""
    world.store.versions.append(43)
    assert world.run(300, until=lambda: world.weight > 0)
    return world


def checks(world, found):
    """What the checks of every commit say from now on."""
    world.forge.found = defaultdict(lambda: found)


def opened(world):
    """The one step that is open, where it comes to that."""
    assert world.run(120, until=lambda: world.forge.open), world.action().reason
    [one] = world.forge.open
    return one


def events(logs, name):
    return [entry for entry in logs if entry["event"] == name]


def started(world):
    return world.release.canary is not None


def promoted(world):
    return world.release.stable.version == version(43) and world.release.canary is None


def test_a_whole_rollout_goes_by_pull_requests_and_no_push(world):
    world.store.versions.append(43)
    assert world.run(1200, until=lambda: promoted(world)), world.action().reason
    assert world.repository.pushes == 0
    assert {one.state for one in world.forge.pulls.values()} == {PullRequestState.MERGED}
    assert {one.branch for one in world.forge.pulls.values()} == {STEPS}
    assert [one.title for one in world.forge.pulls.values()] == world.subjects()
    assert world.subjects()[0] == "ranker: production: canary 43 starts at 0 %"
    assert world.subjects()[-1] == "ranker: production: 43 is stable"
    # Each is the promoter's own commit, with its status.
    told = {world.repository._find(revision)["message"].splitlines()[0] for revision in world.forge.statuses}
    assert told == set(world.subjects())


def test_a_pull_request_says_what_its_commit_says_and_who_merges_it(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    body = opened(world).body
    assert body.startswith("<!-- promoter: step ")
    assert "Promoter-Action: start-canary" in body
    assert "The promoter merges this itself, when its checks have passed" in body
    assert "Traceback" not in body


def test_a_step_waits_for_its_checks_and_is_not_made_anew_at_each_pass(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    with capture_logs() as logs:
        assert not world.run(300, until=lambda: started(world))
    assert world.repository.offered[STEPS]["pushes"] == 1
    assert [entry["what"] for entry in events(logs, "step.waits")] == [f"{one.url}, checks not over yet: ci/test"]
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))
    assert world.forge.pulls[one.number].state is PullRequestState.MERGED


def test_nobody_is_asked_about_checks_more_often_than_every_ten_seconds(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    opened(world)
    calls = world.forge.calls
    world.run(100)
    # The page and the checks of one step; and the approvals' look once a minute, with that of the comments.
    assert world.forge.calls - calls <= 2 * 11 + 4


def test_checks_that_take_minutes_make_no_good_version_look_bad_and_shorten_no_guard():
    world = World(versions=[42, 43], rate=2000, by_pull_request=True)
    world.repository.refusal = REFUSAL
    while not promoted(world):
        assert len(world.forge.pulls) < 20
        checks(world, PENDING)
        assert world.run(600, until=lambda: world.forge.open), world.action().reason
        world.run(300)
        checks(world, Checks())
        # It may be made anew meanwhile, for more.
        assert world.run(60, until=lambda: not world.forge.open), world.reconciler.waiting
        assert not world.release.rejected
        if world.weight == 100:
            full = world.now
    assert world.now - full >= timedelta(seconds=30) + timedelta(minutes=5)


def test_a_promoter_that_starts_again_does_not_judge_a_weight_before_it_can_have_been_live(rising):
    world = rising
    since = world.now
    world.restart()
    weight = world.weight
    assert not world.run(540, until=lambda: world.weight != weight or world.forge.open)
    assert world.run(300, until=lambda: world.weight > weight), world.action().reason
    assert world.now - since >= timedelta(minutes=9)


def test_a_step_whose_checks_fail_is_never_merged_and_is_merged_once_they_are_mended(world):
    checks(world, Checks(failed=("ci/test", "ci/lint")))
    world.store.versions.append(43)
    with capture_logs() as logs:
        one = opened(world)
        assert not world.run(120, until=lambda: started(world))
    [waits] = [entry["what"] for entry in events(logs, "step.waits") if "failed" in entry["what"]]
    assert waits == f"{one.url}, checks failed: ci/test, ci/lint"
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))


def test_what_is_ten_minutes_old_is_made_anew_in_place(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.run(700)
    assert [found.number for found in world.forge.open] == [one.number]
    assert world.repository.offered[STEPS]["pushes"] == 2
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))
    assert world.now - world.release.canary.since < timedelta(minutes=10)


def test_the_forges_rules_have_the_last_word(world):
    world.forge.rule = "Required status check 'ci/test' is expected."
    world.store.versions.append(43)
    one = opened(world)
    with capture_logs() as logs:
        assert not world.run(60, until=lambda: started(world))
    assert [entry["what"] for entry in events(logs, "step.waits")] == [f"{one.url}: {world.forge.rule}"]
    world.forge.rule = None
    assert world.run(30, until=lambda: started(world))


def test_a_freeze_closes_the_step_and_says_so(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.repository.refusal = None
    Person(world).says("freeze", None, None, None, reason="the gateway drops requests")
    checks(world, Checks())
    world.run(60)
    assert not started(world)
    assert world.forge.pulls[one.number].state is PullRequestState.CLOSED
    assert "the gateway drops requests" in world.forge.texts(one.number)[-1]
    Person(world).says("unfreeze", None, None)
    # The promoter's own closing is nobody's no.
    assert world.run(60, until=lambda: started(world))


def test_a_person_who_commits_first_has_the_step_made_anew_on_their_commit(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    persons = world.repository.person({"README.md": "hello"})
    world.run(20)
    [changed] = world.forge.open
    assert changed.number == one.number
    assert world.repository.offered[STEPS]["parent"] == persons
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))
    assert world.repository.head["tree"]["README.md"] == b"hello"


def test_a_head_that_moves_between_the_last_look_and_the_merge_keeps_the_step_out(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    opened(world)
    real = world.forge.checks

    def meanwhile(revision):
        world.forge.checks = real
        persons.append(world.repository.person({"README.md": "hello"}))
        return Checks()

    persons = []
    world.forge.checks = meanwhile
    world.run(20, until=lambda: persons)
    assert world.repository.head["id"] == persons[0]
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))


def test_a_step_that_is_not_due_any_more_is_not_merged_and_closed_after_a_minute(rising):
    world = rising
    checks(world, PENDING)
    one = opened(world)
    world.metrics.down = "no answer"
    checks(world, Checks())
    before = world.weight
    world.run(30)
    assert world.weight == before
    assert world.forge.pulls[one.number].state is PullRequestState.OPEN
    world.cluster.broken = "no answer"
    world.run(30)
    assert world.forge.pulls[one.number].state is not PullRequestState.MERGED


def test_an_open_raise_stands_for_a_higher_one_until_its_checks_have_passed(rising):
    world = rising
    checks(world, PENDING)
    one = opened(world)
    offered = world.repository.offered[STEPS]
    world.run(200)
    assert world.repository.offered[STEPS] == offered
    checks(world, Checks())
    before = world.weight
    assert world.run(30, until=lambda: world.weight != before or world.forge.pulls[one.number].state is not one.state)
    assert world.repository.head["id"] == offered["id"]


def test_a_way_back_is_pushed_where_that_is_let_in_and_waits_for_no_check(rising):
    world = rising
    world.repository.refusal = None
    checks(world, PENDING)
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: world.weight == 0)
    assert world.repository.pushes == 1
    assert world.release.rejection(version(43))


def test_a_way_back_whose_push_is_refused_is_merged_in_the_same_pass(rising):
    world = rising
    world.behaviour[43] = Behaviour(bad=1.0)
    with capture_logs() as logs:
        assert world.run(60, until=lambda: world.weight == 0)
    assert world.repository.pushes == 0
    assert events(logs, "step.merged")
    assert not [entry for entry in logs if entry["log_level"] == "critical"]
    title = list(world.forge.pulls.values())[-1].title
    assert title == "ranker: production: canary 43 reverted"


def test_a_way_back_that_the_forge_bars_is_the_loudest_alarm_and_is_tried_every_five_seconds(rising):
    world = rising
    world.forge.rule = "Required status check 'ci/test' is expected."
    checks(world, PENDING)
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: any("reverted" in one.title for one in world.forge.open))
    with capture_logs() as logs:
        waits = [world.loop.one_pass() for _ in range(12) if world.advance(5) is None]
    assert max(waits) <= timedelta(seconds=5)
    told = events(logs, "push.refused")
    assert len(told) == 12
    assert {entry["log_level"] for entry in told} == {"critical"}
    assert REFUSAL in told[-1]["detail"]
    assert "Required status check" in told[-1]["detail"]
    assert "by hand" in told[-1]["way_out"]
    assert world.repository.offered[STEPS]["pushes"] <= 3
    world.forge.rule = None
    assert world.run(6, until=lambda: world.weight == 0)


def test_a_refused_push_of_a_way_back_is_tried_again_after_a_minute(rising):
    world = rising
    world.forge.rule = "no"
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: any("reverted" in one.title for one in world.forge.open))
    world.repository.refusal = None
    assert world.run(70, until=lambda: world.weight == 0)
    assert world.repository.pushes == 1
    checks(world, Checks())
    world.forge.rule = None
    # What is open is overtaken by it.
    world.run(180)
    assert world.release.canary is None
    assert world.forge.open == []


def test_a_way_back_takes_the_place_of_an_open_raise_at_once(rising):
    world = rising
    checks(world, PENDING)
    one = opened(world)
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: world.weight == 0)
    assert world.forge.pulls[one.number].title == "ranker: production: canary 43 reverted"
    assert world.forge.pulls[one.number].state is PullRequestState.MERGED


def test_a_forge_that_is_away_keeps_no_way_back_from_being_pushed(rising):
    world = rising
    world.forge.down = "no answer within 10s"
    world.repository.refusal = None
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: world.weight == 0)


def test_a_way_back_that_neither_git_nor_the_forge_takes_is_pushed_as_soon_as_git_does(rising):
    world = rising
    world.forge.down = "no answer within 10s"
    world.behaviour[43] = Behaviour(bad=1.0)
    with capture_logs() as logs:
        assert not world.run(60, until=lambda: world.weight == 0)
    assert "no answer within 10s" in events(logs, "push.refused")[-1]["detail"]
    world.repository.refusal = None
    assert world.run(6, until=lambda: world.weight == 0)


def test_a_forge_that_is_away_is_asked_again_after_half_a_minute(world):
    world.forge.down = "no answer within 10s"
    world.store.versions.append(43)
    with capture_logs() as logs:
        world.run(100)
    told = [entry for entry in events(logs, "step.not_made") if entry["branch"] == STEPS]
    assert 1 <= len(told) <= 4
    assert told[0]["retry_in"] == 30
    world.forge.down = None
    assert world.run(60, until=lambda: started(world))


def test_an_answer_that_is_lost_after_the_merge_is_read_from_the_branch(world):
    world.store.versions.append(43)
    world.forge.lose_answer = True
    assert world.run(60, until=lambda: started(world))
    assert world.run(1200, until=lambda: promoted(world))


def test_a_person_who_closes_a_step_says_no_until_they_think_again(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.forge.decline(one.number)
    checks(world, Checks())
    with capture_logs() as logs:
        world.run(400)
    assert len(world.forge.pulls) == 1
    assert len(events(logs, "step.declined")) == 1
    world.restart()
    assert not world.run(100, until=lambda: started(world))
    assert len(world.forge.pulls) == 1
    world.forge.pulls[one.number] = replace(world.forge.pulls[one.number], state=PullRequestState.OPEN)
    assert world.run(60, until=lambda: started(world))


def test_a_no_to_one_version_is_none_to_the_next(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    world.forge.decline(opened(world).number)
    checks(world, Checks())
    world.run(60)
    world.store.versions.append(44)
    assert world.run(120, until=lambda: started(world))
    assert world.release.canary.version == version(44)


def test_a_person_who_closes_a_way_back_is_respected_as_loudly_as_there_is(rising):
    world = rising
    world.forge.rule = "no"
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: any("reverted" in one.title for one in world.forge.open))
    [one] = world.forge.open
    world.forge.decline(one.number)
    world.forge.rule = None
    with capture_logs() as logs:
        world.run(50)
    assert world.weight > 0
    assert world.forge.open == []
    told = events(logs, "push.refused")
    assert len(told) >= 9
    assert {entry["log_level"] for entry in told} == {"critical"}
    assert "a person closed the pull request" in told[-1]["detail"]
    world.forge.pulls[one.number] = replace(world.forge.pulls[one.number], state=PullRequestState.OPEN)
    assert world.run(10, until=lambda: world.weight == 0)


def test_a_person_may_merge_a_step_before_the_promoter_does(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.forge.merge_as_it_is(one.number)
    checks(world, Checks())
    assert world.run(1200, until=lambda: promoted(world))
    assert world.repository.pushes == 0


def test_what_others_push_to_the_steps_branch_is_never_merged(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    opened(world)
    ours = world.repository.offered[STEPS]["id"]
    world.run(30)
    world.repository.offered[STEPS]["id"] = "e" * 40
    checks(world, Checks())
    with capture_logs() as logs:
        assert world.run(60, until=lambda: started(world))
    assert world.repository.head["id"] == ours
    assert events(logs, "step.restored")[0]["found"] == "e" * 40


def test_a_promoter_that_starts_again_takes_up_what_is_open(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.restart()
    world.run(60)
    assert world.repository.offered[STEPS]["pushes"] == 1
    checks(world, Checks())
    assert world.run(30, until=lambda: started(world))
    assert world.forge.pulls[one.number].state is PullRequestState.MERGED


def test_a_promoter_that_starts_again_closes_what_is_not_due_any_more(world):
    checks(world, PENDING)
    world.store.versions.append(43)
    one = opened(world)
    world.store.versions.remove(43)
    world.restart()
    world.run(120)
    assert world.forge.pulls[one.number].state is PullRequestState.CLOSED


@pytest.fixture
def asked():
    """A merged pull request of an approval, where commands are heard, and a canary with requests."""
    world = World(policy=POLICY + "approval: {start: pull-request}\n", versions=(42, 43), by_pull_request=True)
    world.repository.refusal = REFUSAL
    world.preflights = FakePreflights({43: passed(43, 42)})
    world.restart()
    assert world.run(120, until=lambda: world.forge.open)
    world.forge.merge(1)
    assert world.run(300, until=lambda: world.weight > 0)
    return world


def of_commands(world):
    return [one for one in world.forge.pulls.values() if one.branch == COMMANDS]


def test_a_revert_in_a_comment_goes_by_pull_request_where_the_branch_takes_no_push(asked):
    world = asked
    world.forge.speak(1, "/revert\nit answers nonsense")
    assert world.run(60, until=lambda: world.weight == 0)
    [one] = of_commands(world)
    assert one.title == "ranker: production: canary 43 reverted by Ada of Tests (ada)"
    assert world.repository.pushes == 0
    world.run(30)
    assert any("Done, in [`" in text for text in world.forge.texts(1))


def test_a_command_waits_for_its_checks_and_is_answered_when_it_is_done(asked):
    world = asked
    checks(world, PENDING)
    world.forge.speak(1, "/promote")
    world.run(120)
    [one] = of_commands(world)
    assert one.state is PullRequestState.OPEN
    assert not any("Done, in [`" in text for text in world.forge.texts(1))
    checks(world, Checks())

    def told():
        return any("Done, in [`" in text for text in world.forge.texts(1))

    assert world.run(90, until=told)
    assert world.release.canary is None or world.release.canary.promote is Promotion.FULL
    assert [one.state for one in of_commands(world)] == [PullRequestState.MERGED]


def test_questions_to_people_and_steps_do_not_touch_each_other(asked):
    world = asked
    checks(world, PENDING)
    one = opened(world)
    world.run(200)
    assert world.forge.pulls[one.number].state is PullRequestState.OPEN
    assert RANKER.release_path in world.repository.offered[STEPS]["files"]
