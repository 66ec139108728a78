"""Git that does not answer, refuses, or moves under our feet; and a promoter that dies."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from builders import RANKER, version
from fakes import Behaviour, World


def promoted(world):
    return lambda: world.release.stable.version == version(43) and world.release.canary is None


def test_an_unreachable_remote_loses_nothing_and_is_said():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.unreachable = True
    world.run(60)
    survey = world.reconciler.survey(world.now)
    assert survey.stale == "the Git remote does not answer"
    world.repository.unreachable = False
    assert world.run(600, until=promoted(world))


def test_waits_grow_while_the_remote_is_away_and_a_way_back_is_tried_every_five_seconds():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.unreachable = True
    longest = max(world.loop.one_pass() for _ in range(12))
    assert longest > timedelta(seconds=10)
    world.behaviour[43] = Behaviour(bad=1.0)
    world.advance(30)
    assert max(world.loop.one_pass() for _ in range(12)) <= timedelta(seconds=5)
    world.repository.unreachable = False
    assert world.run(10, until=lambda: bool(world.release.rejected))


def test_a_refused_push_is_not_a_success_and_a_refused_way_back_is_retried_until_it_is_let_in():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.refusal = "protected branch"
    world.behaviour[43] = Behaviour(bad=1.0)
    world.run(40)
    assert world.weight > 0
    world.repository.refusal = None
    assert world.run(10, until=lambda: world.weight == 0)


def test_somebody_who_pushes_first_wins_and_the_pass_is_computed_again():
    world = World(versions=[42, 43])
    world.repository.before_push = [lambda: world.repository.person({"README.md": "hello"})]
    assert world.run(600, until=promoted(world))
    assert world.repository.head["tree"]["README.md"] == b"hello"


def test_a_neighbour_who_commits_during_every_pass_does_not_hold_up_a_way_back():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.behaviour[43] = Behaviour(bad=1.0)
    world.advance(30)
    asked, commits = world.cluster.application, []

    def application(served, *, refresh=False):
        commits.append(world.repository.person({"environments/production/neighbour/notes.md": f"{len(commits)}"}))
        return asked(served, refresh=refresh)

    world.cluster.application = application
    world.loop.one_pass()
    assert world.weight == 0
    assert [entry.version for entry in world.release.rejected] == [version(43)]


def test_a_push_whose_answer_was_lost_is_not_made_twice():
    world = World(versions=[42, 43])
    world.repository.lose_answer = True
    assert world.run(600, until=promoted(world))
    assert len(world.subjects()) == len(set(world.subjects()))


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment_it_ends_the_same_and_makes_no_commit_twice(seed):
    rng = random.Random(seed)
    calm, shaken = World(versions=[42, 43]), World(versions=[42, 43])
    assert calm.run(900, until=promoted(calm))
    for _ in range(10):
        if shaken.run(rng.randint(1, 25), until=promoted(shaken)):
            break
        if rng.random() < 0.3:
            shaken.repository.lose_answer = True
        shaken.restart()
    assert shaken.run(900, until=promoted(shaken))
    assert shaken.release == calm.release
    assert len(shaken.subjects()) == len(set(shaken.subjects()))


def test_the_same_pass_on_the_same_facts_builds_the_same_commit():
    world = World(versions=[42, 43])
    drafts = []
    for _ in range(2):
        world.restart()
        drafts.append(world.reconciler.survey(world.now).draft)
    assert drafts[0] == drafts[1]
    assert drafts[0] is not None


def test_a_restart_at_any_time_reaches_the_same_evidence_to_the_last_bit():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.004)
    assert world.run(300, until=lambda: world.weight > 0)
    for _ in range(10):
        world.advance(5)
        before = world.action()
        world.restart()
        assert world.action() == before


def test_no_more_than_six_commits_a_minute_except_for_a_way_back():
    world = World(versions=[42, 43])
    for _ in range(6):
        world.repository.commit({"notes": str(world.repository.pushes)}, "ours", "promoter")
    assert "commits in the last minute" in world.action().reason
    world.advance(61)
    assert world.run(300, until=lambda: world.weight > 0)
    for _ in range(6):
        world.repository.commit({"notes": "again"}, "ours", "promoter")
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(20, until=lambda: bool(world.release.rejected))


def test_only_release_files_are_ever_written():
    world = World(versions=[42, 43])
    before = dict(world.repository.head["tree"])
    assert world.run(600, until=promoted(world))
    after = world.repository.head["tree"]
    assert {path for path in after if after[path] != before.get(path)} == {RANKER.release_path}
