"""What the store does meanwhile: bytes that change under a version, listings that go backwards, stores that fail."""

from __future__ import annotations

from builders import digest, version
from fakes import World

from promoter.domain.action import Hold


def in_flight():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    return world


def test_a_candidate_whose_bytes_change_before_it_serves_is_never_given_weight():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.release.canary is not None)
    world.store.overwritten[43] = digest(99)
    world.run(300)
    assert world.weight == 0
    action = world.action()
    assert isinstance(action, Hold)
    assert action.alarm
    assert "the store holds other bytes under 43 than were pinned, and every pod that starts now loads" in action.reason
    assert f"put the files of {digest(43)} back, or publish them as a new version" in action.reason


def test_a_canary_whose_bytes_change_while_it_serves_rises_no_further_and_is_an_alarm():
    world = in_flight()
    weight = world.weight
    world.store.overwritten[43] = digest(99)
    world.run(300)
    assert world.weight == weight
    assert world.action().alarm
    world.store.overwritten.clear()
    assert world.run(900, until=lambda: world.release.stable.version == version(43))


def test_a_canary_whose_bytes_change_is_taken_back_all_the_same_when_it_does_harm():
    world = in_flight()
    world.store.overwritten[43] = digest(99)
    world.behaviour[43].bad = 1.0
    assert world.run(120, until=lambda: bool(world.release.rejected))


def test_nothing_starts_beside_a_stable_version_whose_bytes_changed():
    world = World(versions=[42])
    world.store.overwritten[42] = digest(99)
    world.store.versions.append(43)
    world.run(300)
    assert world.release.canary is None
    action = world.action()
    assert action.alarm
    assert "other bytes under 42" in action.reason


def test_a_stable_version_that_vanishes_from_the_store_is_an_alarm():
    world = World(versions=[42])
    world.store.versions.clear()
    world.run(60)
    action = world.action()
    assert action.alarm
    assert "42 is no longer whole in the store (it is not there)" in action.reason


def test_a_listing_that_goes_backwards_starts_nothing_and_stops_nothing():
    world = in_flight()
    world.store.versions = [41, 42, 43]
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.store.versions = [41, 42, 43]
    world.run(60)
    assert world.release.canary is None
    assert world.release.stable.version == version(43)


def test_a_rollout_needs_no_store():
    world = in_flight()
    world.store.broken = "the store gs://models is asked too often (429)"
    assert world.run(900, until=lambda: world.release.stable.version == version(43))


def test_a_store_that_fails_is_named_and_asked_again():
    world = World(versions=[42])
    world.store.broken = "the store gs://models failed (503)"
    world.run(10)
    assert "failed (503)" in world.action().reason
    world.store.broken = None
    world.store.versions.append(43)
    assert world.run(60, until=lambda: world.release.canary is not None)
