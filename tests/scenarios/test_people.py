"""People win: what a person writes is a fact, and what breaks is named."""

from __future__ import annotations

from builders import RANKER, digest, version
from fakes import World
from test_verbs import Person

STABLE_ONLY = f"release:\n  stable:\n    version: 42\n    digest: {digest(42)}\n"


def in_flight():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    return world


def test_a_rollout_that_a_person_took_back_does_not_start_again():
    world = in_flight()
    taken = world.repository.person({RANKER.release_path: STABLE_ONLY}, 'Revert "canary 43"', author="Ada")
    made = len(world.subjects())
    world.run(120)
    assert world.subjects()[made:] == ["ranker: production: 43 is withheld for a person"]
    (rejection,) = world.release.rejected
    assert rejection.reason == f"Ada took it out of service in commit {taken[:12]}"
    assert f"Ada took it out of service in commit {taken[:12]}" in " ".join(world.repository.head["message"].split())
    world.store.versions.append(44)
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.release.canary.version == version(44)


def test_a_rollback_by_a_person_in_the_middle_leaves_no_trace_of_the_canary():
    world = in_flight()
    world.repository.person({RANKER.release_path: STABLE_ONLY})
    world.advance(10)
    assert world.cluster.route() == {42: 100}
    assert {number for number, _ in world.cluster.pods} == {42}


def test_a_weight_that_a_person_sets_is_a_fact_to_go_on_from():
    world = in_flight()
    text = world.repository.head["tree"][RANKER.release_path].decode()
    weight = world.weight
    world.repository.person({RANKER.release_path: text.replace(f"weight: {weight}", "weight: 25")})
    world.advance(5)
    world.run(5)
    assert world.weight >= 25


def test_a_file_that_a_person_broke_is_held_named_and_never_overwritten():
    world = in_flight()
    broken = world.repository.head["tree"][RANKER.release_path] + b"  weihgt: 5\n"
    world.repository.person({RANKER.release_path: broken})
    made = len(world.subjects())
    world.behaviour[43].bad = 1.0
    world.run(60)
    assert len(world.subjects()) == made
    action = world.action()
    assert action.alarm
    assert RANKER.release_path in action.reason
    assert "weihgt" in action.reason


def test_a_broken_model_does_not_stop_another():
    world = World(versions=[42, 43])
    world.repository.person({"environments/production/other/release.yaml": "release: [\n"})
    assert world.run(600, until=lambda: world.release.stable.version == version(43))


def test_a_rejection_that_a_person_removes_makes_the_version_a_candidate_again():
    world = in_flight()
    world.behaviour[43].bad = 1.0
    assert world.run(120, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    world.behaviour[43].bad = 0.0
    world.repository.person({RANKER.release_path: STABLE_ONLY})
    assert world.run(600, until=lambda: world.release.stable.version == version(43))


def test_production_takes_what_is_stable_upstream():
    upstream = "environments/staging/ranker/release.yaml"
    world = World(versions=[42, 43])
    policy = world.repository.head["tree"][RANKER.policy_path].decode()
    world.repository.person(
        {
            RANKER.policy_path: policy.replace('store: "file:///models/ranker"', "upstream: staging"),
            upstream: STABLE_ONLY.replace("42", "43").replace(str(digest(42)), str(digest(43))),
            "environments/staging/ranker/policy.yaml": policy,
        }
    )
    world.run(15)
    production = world.repository.head["tree"][RANKER.release_path].decode()
    assert "version: 43" in production


def test_a_stable_version_that_a_person_went_back_from_is_rejected_even_behind_later_edits_of_theirs():
    world = in_flight()
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    back = world.repository.person({RANKER.release_path: STABLE_ONLY}, author="Ada")
    world.repository.person({RANKER.release_path: "release: [\n"}, author="Grace")
    world.repository.person({RANKER.release_path: "# Careful.\n" + STABLE_ONLY}, author="Grace")
    world.run(300)
    assert (world.release.stable.version, world.release.canary) == (version(42), None)
    assert [(entry.version, back[:12] in entry.reason) for entry in world.release.rejected] == [(version(43), True)]


def test_who_lifts_a_rejection_between_two_passes_is_not_overruled_by_an_older_edit():
    world = in_flight()
    rejected = f'{STABLE_ONLY}  rejected:\n    - version: 43\n      reason: "no"\n'
    world.repository.person({RANKER.release_path: rejected}, author="Ada")
    world.repository.person({RANKER.release_path: STABLE_ONLY}, author="Grace")
    assert world.run(600, until=lambda: world.release.stable.version == version(43))


def test_a_git_revert_of_the_promoters_own_entry_offers_the_version_again():
    world = in_flight()
    world.repository.person({RANKER.release_path: STABLE_ONLY})
    world.run(20)
    assert world.release.rejected
    before = world.repository.commits[-2]["tree"][RANKER.release_path]
    world.repository.person({RANKER.release_path: before}, 'Revert "43 is withheld"')
    assert world.run(60, until=lambda: world.release.canary is not None)


def test_a_git_revert_of_a_raise_takes_the_weight_back_to_what_it_was():
    world = in_flight()
    weight = world.weight
    assert world.run(120, until=lambda: world.weight > weight)
    before = world.repository.commits[-2]["tree"][RANKER.release_path]
    world.repository.person({RANKER.release_path: before}, 'Revert "canary 43"')
    assert world.weight == weight
    world.advance(3)
    assert world.cluster.route() == {42: 100 - weight, 43: weight}


def test_a_persons_commit_makes_argo_cd_look_at_once():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    looks = world.cluster.refreshes
    Person(world).says("revert", "ranker", None)
    world.loop.one_pass()
    assert world.cluster.refreshes == looks + 1
