"""What a forge shows beside the promoter's commits in the course of a rollout."""

from __future__ import annotations

from fakes import World

from promoter.domain.pull_request import CommitState


def shown(world):
    """The states of each of the promoter's commits, by its subject; the newest state last."""
    return {
        entry["message"].splitlines()[0]: [status.state for status in world.forge.statuses[entry["id"]]]
        for entry in world.repository.commits
        if entry["author"] == "promoter"
    }


def test_every_commit_is_pending_until_it_is_live():
    world = World(versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version.number == 43)
    world.run(10)
    states = shown(world)
    assert states.pop("ranker: production: 43 is stable") == [CommitState.SUCCESS]
    assert len(states) > 3
    assert all(course == [CommitState.PENDING, CommitState.SUCCESS] for course in states.values()), states
    [status] = [found[-1] for found in world.forge.statuses.values()][-1:]
    assert status.url == "https://argocd.example/applications/production-ranker"


def test_a_commit_that_takes_a_version_back_is_a_failure():
    world = World(versions=(42, 43))
    assert world.run(300, until=lambda: world.weight > 0)
    world.behaviour[43].bad = 1.0
    assert world.run(120, until=lambda: world.weight == 0)
    world.run(60)
    states = shown(world)
    assert states["ranker: production: canary 43 reverted"] == [CommitState.FAILURE]
    assert states["ranker: production: canary 43 removed"] == [CommitState.FAILURE]


def test_what_could_not_be_told_is_told_later():
    world = World(versions=(42, 43))
    world.forge.down = "the forge does not answer"
    assert world.run(300, until=lambda: world.weight > 0)
    assert not any(world.forge.statuses.values())
    assert world.forge.calls < 20
    world.forge.down = None
    world.run(60)
    assert shown(world)["ranker: production: canary 43 starts at 0 %"][-1] is CommitState.SUCCESS


def test_a_fresh_promoter_follows_what_the_one_before_it_pushed():
    world = World(versions=(42, 43))
    assert world.run(300, until=lambda: world.weight > 0)
    pushed = world.repository.head["id"]
    world.restart()
    world.run(30)
    assert world.forge.statuses[pushed][-1].state is CommitState.SUCCESS
