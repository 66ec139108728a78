"""Whole rollouts: what a version does to itself, and how its course ends."""

from __future__ import annotations

from dataclasses import replace

from builders import version
from fakes import POLICY, Behaviour, World

from promoter.domain.application import Health


def settled(world, number):
    return lambda: world.release.stable.version == version(number) and world.release.canary is None


def ended(world):
    return lambda: world.release.canary is None


def test_a_good_version_walks_to_stable_and_every_weight_is_a_commit():
    world = World(versions=[42, 43])
    assert world.run(600, until=settled(world, 43))
    assert world.weights[0] == 0
    assert world.weights[-2:] == [100, 0]
    assert world.weights[:-1] == sorted(world.weights[:-1])
    subjects = world.subjects()
    assert subjects[0] == "ranker: production: canary 43 starts at 0 %"
    assert subjects[-1] == "ranker: production: 43 is stable"
    assert world.failed(42) == world.failed(43) == 0


def test_no_evidence_is_read_before_a_canary_exists():
    world = World(versions=[42])
    world.run(60)
    assert world.subjects() == []
    assert world.action().evidence is None


def test_a_failing_version_is_reverted_rejected_and_removed():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.1)
    assert world.run(600, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    rejection = world.release.rejected[0]
    assert rejection.version == version(43)
    assert "requests failed" in rejection.reason
    assert world.subjects()[-2:] == ["ranker: production: canary 43 reverted", "ranker: production: canary 43 removed"]
    assert world.failed(43) < 40
    assert world.release.stable.version == version(42)


def test_a_version_that_fails_callers_faults_is_reverted_too():
    # A changed signature is INVALID_ARGUMENT on every request, which no absolute rule for server faults sees.
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=1.0, status="INVALID_ARGUMENT")
    assert world.run(300, until=lambda: bool(world.release.rejected))
    assert "100 % of requests failed against 0 % on stable" in world.release.rejected[0].reason


def test_a_slow_version_is_reverted_for_latency():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(slow=0.95)
    assert world.run(600, until=lambda: bool(world.release.rejected))
    assert "took longer than" in world.release.rejected[0].reason
    assert world.failed(43) == 0


def test_one_failing_metric_of_several_is_enough():
    world = World(POLICY + "limits: {error_ratio: 0.5, latency_p99_ms: 500}\n", versions=[42, 43])
    world.behaviour[43] = Behaviour(slow=0.95)
    assert world.run(900, until=lambda: bool(world.release.rejected))


def test_too_little_traffic_to_tell_holds_and_says_how_much_is_lacking():
    world = World(rate=2, versions=[42, 43])
    assert not world.run(240, until=ended(world)) or world.release.canary is None
    assert world.release.stable.version == version(42)
    assert world.release.rejected == ()
    assert "more requests to 43 would do" in world.action().reason


def test_without_any_traffic_nothing_is_promoted():
    world = World(rate=0, versions=[42, 43])
    world.run(400)
    assert world.release.stable.version == version(42)
    assert world.release.canary.weight <= 1


def test_the_start_commit_tells_what_is_expected_of_the_rollout():
    world = World(versions=[42, 43])
    world.run(10)
    told = " ".join(world.repository.commits[1]["message"].split())
    assert "Expected of a version like stable: 2, 3, 8, 18, 30 %, all requests after 1m5s" in told
    assert "would be reverted after about" in told


def test_the_start_commit_tells_that_a_rollout_cannot_end_in_time_and_what_would_help():
    world = World(rate=0.2, versions=[42, 43])
    world.run(30)
    told = " ".join(world.repository.commits[1]["message"].split())
    assert "As things stand no rollout can end within max_step (1h)" in told
    assert "about 480 requests to the canary, which at 0.2 a second and a weight of 30 % take 2h14m" in told
    assert "Any of these would do: a margin of 4.3 %, max_step: 2h14m." in told


def test_a_bad_version_and_then_a_good_one():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.5)
    assert world.run(300, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    world.store.versions.append(44)
    assert world.run(600, until=settled(world, 44))
    assert world.release.rejected == ()
    assert not any("canary 43 starts" in subject for subject in world.subjects()[4:])


def test_a_bad_version_and_then_a_worse_one_never_costs_stable_its_pods():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.5)
    world.behaviour[44] = Behaviour(bad=1.0)
    lowest = []
    world.run(300, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    world.store.versions.append(44)

    def watch():
        lowest.append(len(world.cluster.ready(42)))
        return len(world.release.rejected) == 2 and world.release.canary is None

    assert world.run(600, until=watch)
    assert min(lowest) == 4
    world.advance(10)
    assert {number for number, _ in world.cluster.pods} == {42}


def test_the_first_version_is_stable_at_once_and_a_bad_first_one_does_not_bar_the_next():
    world = World(stable=None, versions=[1])
    world.behaviour[1] = Behaviour(bad=1.0)
    assert world.run(30, until=lambda: world.release.stable is not None)
    assert world.subjects() == ["ranker: production: 1 is stable"]
    world.store.versions.append(2)
    assert world.run(900, until=settled(world, 2))


def test_a_version_that_appears_during_a_rollout_waits_for_its_end():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.store.versions.append(44)
    assert world.run(600, until=settled(world, 43))
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.release.canary.version == version(44)
    assert world.release.canary.weight == 0
    # Nothing that was counted for 43 speaks for 44.
    assert world.action().evidence is None or world.action().evidence.canary.requests == 0


def test_versions_in_between_are_skipped():
    world = World(versions=[42, 43, 44, 45])
    assert world.run(30, until=lambda: world.release.canary is not None)
    assert world.release.canary.version == version(45)


def test_nothing_in_flight_means_no_commit_however_often_it_looks():
    world = World(versions=[42])
    world.run(600)
    assert world.subjects() == []


def test_a_paused_rollout_makes_no_commits_but_a_failing_one_is_still_reverted():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.person({"environments/production/ranker/policy.yaml": POLICY + "paused: true\n"})
    made = len(world.subjects())
    world.run(120)
    assert len(world.subjects()) == made
    assert world.action().reason == "policy.yaml says paused"
    world.behaviour[43] = Behaviour(bad=0.5)
    assert world.run(120, until=lambda: bool(world.release.rejected))


def test_failure_after_all_requests_went_over_goes_back_to_the_old_version():
    world = World(POLICY.replace("guard: 30s", "guard: 5m"), versions=[42, 43])
    assert world.run(600, until=lambda: world.weight == 100)
    world.behaviour[43] = Behaviour(bad=0.6)
    assert world.run(120, until=lambda: bool(world.release.rejected))
    assert world.weight == 0
    assert len(world.cluster.ready(42)) == 4


def test_pods_that_go_away_at_full_weight_do_not_condemn_the_version():
    world = World(POLICY.replace("guard: 30s", "guard: 5m"), versions=[42, 43])
    assert world.run(600, until=lambda: world.weight == 100)
    world.advance(5)
    world.behaviour[43] = Behaviour(starts_after=10_000)
    assert world.run(60, until=lambda: world.weight == 0)
    assert world.release.rejected == ()
    assert world.release.canary.withdrawn == "none of its pods is Ready"


def test_pods_that_die_of_requests_a_second_time_condemn_the_version():
    world = World(versions=[42, 43])
    for restarts in (0, 1):
        assert world.run(300, until=lambda: world.weight > 0)
        world.behaviour[43] = Behaviour(starts_after=10_000, pod_reason="OOMKilled", restarts=restarts)
        assert world.run(60, until=lambda: world.weight == 0)
        world.behaviour[43] = Behaviour(restarts=restarts + 1)
    [rejection] = world.release.rejected
    assert rejection.reason == "its pods die when requests come: OOMKilled"


def test_pods_that_vanish_a_second_time_without_having_died_do_not():
    world = World(versions=[42, 43])
    for _ in range(2):
        assert world.run(300, until=lambda: world.weight > 0)
        world.behaviour[43] = Behaviour(starts_after=10_000, pod_reason="Pending", restarts=1)
        assert world.run(60, until=lambda: world.weight == 0)
        world.behaviour[43] = Behaviour()
    assert world.release.rejected == ()
    assert world.release.canary.withdrawals == 2


def test_a_canary_that_does_not_come_up_is_reverted_and_one_without_room_is_withdrawn():
    broken = World(versions=[42, 43])
    broken.behaviour[43] = Behaviour(health=Health.DEGRADED, pod_reason="CrashLoopBackOff")
    assert broken.run(120, until=lambda: bool(broken.release.rejected) and broken.release.canary is None)
    crowded = World(versions=[42, 43])
    crowded.behaviour[43] = Behaviour(health=Health.DEGRADED, pod_reason="Pending")
    assert crowded.run(120, until=lambda: bool(crowded.release.canary and crowded.release.canary.withdrawn))
    assert crowded.release.rejected == ()


def test_when_stable_is_degraded_as_well_the_fault_is_elsewhere():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    weight = world.weight
    world.behaviour[42].health = Health.DEGRADED
    world.behaviour[43].health = Health.DEGRADED
    world.run(30)
    assert world.weight == weight
    assert world.action().alarm


def test_a_common_outage_reverts_nobody():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.behaviour[42] = Behaviour(bad=0.4)
    world.behaviour[43] = Behaviour(bad=0.4)
    world.run(40)
    assert world.release.rejected == ()
    assert world.release.stable.version == version(42)


def test_a_canary_that_gets_no_request_at_its_weight_is_reverted():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(answers=False)
    assert world.run(300, until=lambda: bool(world.release.rejected))
    assert "requests reached it" in world.release.rejected[0].reason


def test_pods_that_went_away_are_not_called_a_version_that_no_request_reaches():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    # Away between two passes for so long that two intervals passed without a request.
    world.behaviour[43] = Behaviour(answers=False)
    world.advance(40)
    world.behaviour[43] = Behaviour(answers=False, starts_after=10_000)
    assert world.run(20, until=lambda: world.weight == 0)
    assert world.release.rejected == ()
    assert world.release.canary.withdrawn == "none of its pods is Ready"


def test_steps_of_the_policy_are_not_jumped_over():
    world = World(
        POLICY.replace("ramp: {budget: 20}", "ramp: {budget: 5000, steps: [1, 3, 10, 20]}"), versions=[42, 43]
    )
    assert world.run(900, until=settled(world, 43))
    assert world.weights[:5] == [0, 1, 3, 10, 20]
    assert world.weights[-2:] == [100, 0]


def test_capacity_is_there_before_the_weight():
    world = World(versions=[42, 43])

    def enough():
        canary = world.release.canary
        if canary and canary.weight:
            needed = -(-4 * canary.weight // 100)
            assert len(world.cluster.ready(43)) >= needed
        assert world.release.canary is None or len(world.cluster.ready(42)) == 4
        return world.release.stable.version == version(43)

    assert world.run(900, until=enough)


def test_fewer_requests_a_second_make_room_for_more_but_raise_nothing_by_themselves():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    weight = world.weight
    world.behaviour[43] = Behaviour(answers=False)
    world.rate = 12
    world.run(12)
    assert world.weight == weight


def test_a_stable_version_whose_pods_argo_cd_hides_is_told_with_what_its_project_lacks():
    world = World(versions=[42, 43])
    told = world.cluster.application

    def hidden(served, **options):
        application = told(served, **options)
        return replace(application, deployments=tuple(replace(each, pods=()) for each in application.deployments))

    world.cluster.application = hidden
    world.run(60)
    assert world.release.canary is None
    assert "the AppProject has to permit Pod and ReplicaSet" in world.action().reason


def test_a_rollout_on_golden_requests_starts_by_the_same_rules_and_names_them():
    def said(policy):
        world = World(policy=policy, versions=[42, 43])
        assert world.run(900, until=lambda: world.release.canary is not None)
        return " ".join(world.repository.head["message"].partition("Promoter-Model")[0].split())

    golden = said(POLICY + "traffic: golden\n")
    assert "golden requests a second its first weight" in golden
    assert golden.replace("golden requests", "requests") == said(POLICY)
