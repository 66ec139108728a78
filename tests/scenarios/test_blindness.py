"""Peers that do not answer: hold, withdraw, come back; never a step forward unseen."""

from __future__ import annotations

from builders import version
from fakes import World


def in_flight(weight=1):
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight >= weight)
    return world


def test_a_short_outage_of_prometheus_holds_the_weight():
    world = in_flight()
    weight = world.weight
    world.metrics.down = "Prometheus does not answer"
    world.run(40)
    assert world.weight == weight
    assert world.action().reason.startswith("blind for")
    world.metrics.down = None
    assert world.run(600, until=lambda: world.release.stable.version == version(43))
    assert not any("withdrawn" in subject for subject in world.subjects())


def test_a_long_outage_withdraws_and_the_rollout_starts_again_and_ends_promoted():
    world = in_flight()
    world.metrics.down = "Prometheus does not answer"
    assert world.run(90, until=lambda: world.weight == 0)
    assert "blind for" in world.release.canary.withdrawn
    assert "Prometheus does not answer" in world.release.canary.withdrawn
    assert world.release.rejected == ()
    world.run(60)
    assert world.weight == 0
    world.metrics.down = None
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    assert world.subjects().count("ranker: production: canary 43 withdrawn") == 1


def test_blind_at_full_weight_goes_back_to_the_version_that_still_has_its_pods():
    world = in_flight(100)
    world.metrics.down = "Prometheus does not answer"
    assert world.run(90, until=lambda: world.weight == 0)
    assert len(world.cluster.ready(42)) == 4


def test_pauses_double_from_one_withdrawal_to_the_next():
    world = in_flight()
    waits = []
    for _ in range(3):
        world.metrics.down = "Prometheus does not answer"
        assert world.run(120, until=lambda: world.weight == 0)
        world.metrics.down = None
        began = world.now
        assert world.run(300, until=lambda: world.weight > 0)
        waits.append((world.now - began).total_seconds())
    assert world.release.canary.withdrawals == 3
    assert waits[0] < waits[1] < waits[2]


def test_samples_that_stand_still_are_blindness_though_prometheus_answers():
    world = in_flight()
    weight = world.weight
    world.metrics.step = lambda: None
    world.run(30)
    assert world.weight == weight
    assert world.run(120, until=lambda: world.weight == 0)


def test_a_restarted_promoter_that_never_saw_anything_does_not_wait_longer():
    world = in_flight()
    world.metrics.down = "Prometheus does not answer"
    world.advance(70)
    world.restart()
    world.loop.one_pass()
    assert world.weight == 0


def test_without_prometheus_no_rollout_begins():
    world = World(versions=[42, 43])
    world.metrics.down = "Prometheus does not answer"
    world.run(60)
    assert world.release.canary is None
    assert "Prometheus does not answer" in world.action().reason


def test_without_argo_cd_nothing_rises_but_a_failing_version_is_reverted():
    world = in_flight()
    weight = world.weight
    world.cluster.broken = "Argo CD does not answer"
    world.run(60)
    assert world.weight == weight
    world.behaviour[43].bad = 0.5
    assert world.run(60, until=lambda: bool(world.release.rejected))
    assert world.weight == 0


def test_a_cluster_that_does_not_follow_git_holds_every_raise():
    world = in_flight()
    weight = world.weight
    world.cluster.frozen = True
    world.run(300)
    assert world.weight in (weight, 4 * weight, 30)
    assert len(set(world.weights[world.weights.index(weight) :])) <= 2
    assert "is not live yet" in world.action().reason


def test_synced_alone_is_not_believed_when_the_live_route_says_otherwise():
    world = in_flight()
    weight = world.weight
    world.cluster.route_lies = {42: 50, 43: 50}
    world.run(60)
    assert world.weight == weight
    assert "the live route sends" in world.action().reason


def test_a_store_that_is_down_stops_no_rollout():
    world = in_flight()
    world.store.broken = "the store does not answer"
    assert world.run(600, until=lambda: world.release.stable.version == version(43))
    world.run(30)
    assert world.action().reason == "the store does not answer"


def test_a_model_at_rest_asks_its_store_and_nobody_else():
    world = World(versions=[42])
    world.cluster.application = world.metrics.measurements = None
    world.run(60)
    assert world.store.calls > 0
