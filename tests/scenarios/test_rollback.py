"""Back to a version that was stable: as a way back where that was lately, and as a canary where it was not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import RANKER, digest, version
from fakes import POLICY, FakePreflights, World
from preflights import failed
from test_verbs import Person

from promoter.control.explain import Explainer, Outcome
from promoter.control.observe import Observer
from promoter.domain.application import Health
from promoter.domain.release import Promotion
from promoter.errors import InvalidInput


@pytest.fixture
def world():
    """43 has taken 42's place, which was rolled out over 41 by hand."""
    world = World(versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.run(10)
    return world


def rolled_back(world, number=42):
    return world.release.stable.version == version(number) and world.release.canary is None


def goes_back(world, number=42, **said):
    return Person(world).says("rollback", "ranker", None, version(number), **said)


def without_ready_pods(world, number):
    """Its pods are there, and crash."""
    world.behaviour[number].health = Health.PROGRESSING
    world.behaviour[number].pod_reason = "CrashLoopBackOff"


def test_what_was_stable_lately_comes_back_with_its_pods_before_its_requests(world):
    made = len(world.subjects())
    draft, said = goes_back(world)
    assert "It was stable until 2026-11-22 12:" in draft.message
    assert (world.release.start.version, world.release.start.digest) == (version(42), digest(42))
    assert world.run(60, until=lambda: world.weight == 100)
    assert len(world.cluster.ready(42)) == 4
    assert world.subjects()[made:] == [
        "ranker: production: canary 42 starts at 0 %",
        "ranker: production: canary 42 at 100 %",
    ]
    reached = world.now
    assert world.run(120, until=lambda: rolled_back(world))
    assert world.now - reached >= timedelta(seconds=30)
    [left] = world.release.rejected
    assert (left.version, left.reason) == (version(43), f"Ada went back to 42 in commit {said[:12]}")
    world.run(120)
    assert rolled_back(world)
    world.store.versions.append(44)
    assert world.run(900, until=lambda: rolled_back(world, 44))


def test_every_step_of_a_way_back_is_explained_by_the_same_decision(world):
    goes_back(world)
    assert world.run(120, until=lambda: rolled_back(world))
    explainer = Explainer(world.repository, Observer(world.ports, world.traits, timedelta(seconds=5)))
    found = explainer.explain_all(world.repository.head["id"], 3)
    assert [entry.recorded.action for entry in found] == ["start-canary", "set-weight", "promote"]
    assert {entry.outcome for entry in found} == {Outcome.SAME}


@pytest.mark.parametrize("health", [Health.PROGRESSING, Health.DEGRADED])
def test_a_stable_version_that_crashes_is_left_while_everything_is_frozen_and_nobody_measures(world, health):
    world.behaviour[43].health = health
    world.metrics.down = "Prometheus is away"
    Person(world).says("freeze", None, None, None)
    Person(world).says("pause", "ranker", None)
    goes_back(world)
    assert world.run(60, until=lambda: world.weight == 100)
    assert len(world.cluster.ready(42)) == 4
    # The last step takes the other pods away, and waits like every last step.
    world.run(120)
    assert world.release.stable.version == version(43)
    Person(world).says("unfreeze", None, None)
    Person(world).says("resume", "ranker", None)
    world.run(60)
    assert world.release.stable.version == version(43)
    assert "nobody sees how 42 does" in world.action().reason
    world.metrics.down = None
    assert world.run(120, until=lambda: rolled_back(world))


def test_requests_never_go_back_to_where_nobody_answers(world):
    without_ready_pods(world, 43)
    goes_back(world)
    assert world.run(60, until=lambda: world.weight == 100)
    without_ready_pods(world, 42)
    world.run(120)
    assert world.weight == 100
    action = world.action()
    assert action.alarm
    assert "none of 43 is Ready" in action.reason


def test_a_way_back_outside_every_window_does_not_wait_for_one():
    policy = POLICY + 'windows: [{cron: "0 12 * * *", duration: 1h, timezone: UTC}]\n'
    world = World(policy=policy, versions=(42, 43))
    assert world.run(1800, until=lambda: world.release.stable.version == version(43))
    world.advance(3 * 3600)
    world.run(10)
    goes_back(world)
    assert world.run(60, until=lambda: world.weight == 100)
    world.run(120)
    assert "outside the windows" in world.action().reason


def test_an_older_version_is_tried_like_a_new_one():
    world = World(policy=POLICY + "rollback_window: 1m\n", versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.run(120)
    Person(world).says("freeze", None, None, None)
    with pytest.raises(InvalidInput, match="promoter unfreeze"):
        goes_back(world)
    Person(world).says("unfreeze", None, None)
    draft, _ = goes_back(world)
    assert "more than 1m ago (rollback_window), so it is tried like a new one" in " ".join(draft.message.split())
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.release.canary.promote is None
    assert world.run(900, until=lambda: rolled_back(world))
    assert len([weight for weight in world.weights if 0 < weight < 100]) > 2
    assert world.release.rejection(version(43))


def test_an_older_version_that_is_worse_is_reverted_and_what_was_left_stays():
    world = World(policy=POLICY + "rollback_window: 0s\n", versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.run(10)
    world.behaviour[42].bad = 1.0
    goes_back(world)
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.run(300, until=lambda: world.release.canary is None)
    assert world.release.stable.version == version(43)
    assert [entry.version for entry in world.release.rejected] == [version(42)]
    with pytest.raises(InvalidInput, match="promoter retry"):
        goes_back(world)
    Person(world).says("retry", "ranker", None, version(42))
    world.behaviour[42].bad = 0.0
    goes_back(world)
    assert world.run(900, until=lambda: rolled_back(world))


def test_only_what_was_not_stable_lately_is_asked_for_a_preflight(world):
    world.preflights = FakePreflights({42: failed(42, 43)})
    world.restart()
    goes_back(world)
    assert world.run(120, until=lambda: rolled_back(world))
    assert world.preflights.asked == []

    world = World(policy=POLICY + "rollback_window: 0s\n", versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.preflights = FakePreflights({42: failed(42, 43)})
    world.restart()
    goes_back(world)
    world.run(60)
    assert world.preflights.asked
    assert world.release.rejection(version(42))
    assert (world.release.start, world.release.canary) == (None, None)


def test_files_that_are_not_those_of_then_do_not_come_back(world):
    world.store.overwritten[42] = digest(99)
    goes_back(world)
    world.run(60)
    assert world.release.canary is None
    assert world.action().alarm
    assert "42 cannot come back: the store holds other files" in world.action().reason


def test_what_was_rejected_in_between_is_not_offered_again():
    world = World(versions=(42, 43))
    world.behaviour[43].bad = 1.0
    assert world.run(900, until=lambda: world.release.rejection(version(43)) and world.release.canary is None)
    world.store.versions.append(44)
    assert world.run(900, until=lambda: world.release.stable.version == version(44))
    assert world.release.rejected == ()
    goes_back(world)
    assert world.run(120, until=lambda: rolled_back(world))
    world.run(120)
    assert rolled_back(world)
    assert [entry.version.number for entry in world.release.rejected] == [43, 44]
    assert "requests failed" in world.release.rejected[0].reason
    assert sum("canary 43 starts" in subject for subject in world.subjects()) == 1


def test_a_revert_of_the_promoters_start_takes_the_mark_away_and_does_not_start_it_again(world):
    goes_back(world)
    before = world.repository.head["tree"][RANKER.release_path]
    assert world.run(30, until=lambda: world.release.canary is not None)
    world.repository.person({RANKER.release_path: before}, "Revert")
    world.run(120)
    assert (world.release.start, world.release.canary) == (None, None)
    assert world.release.stable.version == version(43)
    goes_back(world)
    assert world.run(120, until=lambda: rolled_back(world))


def test_a_mark_by_hand_for_what_was_never_stable_is_tried_like_a_new_version(world):
    text = world.repository.head["tree"][RANKER.release_path].decode()
    mark = f"  start:\n    version: 41\n    digest: {digest(41)}\n"
    world.store.versions.insert(0, 41)
    world.repository.person({RANKER.release_path: text + mark})
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert (world.release.canary.version, world.release.canary.promote) == (version(41), None)


def test_a_mark_by_hand_beside_a_canary_holds_it_until_the_canary_is_gone():
    world = World(versions=(42, 43))
    assert world.run(300, until=lambda: world.weight > 0)
    weight = world.weight
    text = world.repository.head["tree"][RANKER.release_path].decode()
    world.repository.person({RANKER.release_path: text + f"  start:\n    version: 41\n    digest: {digest(41)}\n"})
    world.run(120)
    assert world.weight == weight
    assert "41 back, and canary 43 is in the way" in world.action().reason


def test_a_persons_withdrawal_makes_a_way_back_a_canary_like_any_other(world):
    goes_back(world)
    assert world.run(60, until=lambda: world.weight == 100)
    assert world.release.canary.promote is Promotion.BACK
    Person(world).says("withdraw", "ranker", None)
    assert world.release.canary.promote is None
    assert world.run(120, until=lambda: 0 < world.weight < 100)


def test_where_no_way_leads_back_a_sentence_says_so(world):
    for number, complaint in ((43, "43 is stable"), (41, "41 was never stable here.*: 42 was")):
        with pytest.raises(InvalidInput, match=complaint):
            goes_back(world, number)
    goes_back(world)
    with pytest.raises(InvalidInput, match="on its way back already"):
        goes_back(world)
    assert world.run(60, until=lambda: world.release.canary is not None)
    with pytest.raises(InvalidInput, match="42 is the canary"):
        goes_back(world)
    with pytest.raises(InvalidInput, match="was stable lately and gets all requests"):
        Person(world).says("promote", "ranker", None)
    assert world.run(120, until=lambda: rolled_back(world))
    world.store.versions.append(44)
    assert world.run(120, until=lambda: world.release.canary is not None)
    with pytest.raises(InvalidInput, match="canary 44 is in the way"):
        goes_back(world, 43)
