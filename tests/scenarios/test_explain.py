"""A rollout's decisions, computed again from Git and Prometheus: each comes out the same, or it is said why not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import RANKER, digest, version
from fakes import POLICY, Behaviour, World

from promoter.control.explain import Explainer, Outcome
from promoter.control.observe import Observer
from promoter.domain.application import Health
from promoter.domain.measurements import Measurements
from promoter.errors import InvalidName, MetricsUnavailable


def explainer(world):
    """One that remembers nothing of the rollout, as a process started later."""
    return Explainer(world.repository, Observer(world.ports, world.traits, timedelta(seconds=5)))


def explained(world):
    return explainer(world).explain_all(world.repository.head["id"], 1000)


def outcomes(explanations):
    return {f"{entry.recorded.action}: {entry.conclusion}" for entry in explanations if entry.outcome != Outcome.SAME}


def differing(explanation):
    return [name for name, figure in explanation.figures.items() if figure.differs]


def last(world):
    return explained(world)[-1]


def settled(world, number):
    return lambda: world.release.stable.version == version(number) and world.release.canary is None


def promoted():
    world = World(versions=[42, 43])
    assert world.run(600, until=settled(world, 43))
    return world


def rewrite(world, index, change):
    """Give a commit another message, as a forger would."""
    entry = world.repository.commits[index]
    entry["message"] = change(entry["message"])


def test_every_commit_of_a_good_rollout_comes_out_the_same_to_the_last_digit():
    world = promoted()
    found = explained(world)
    assert outcomes(found) == set()
    assert [name for entry in found for name in differing(entry)] == []
    assert [entry.commit.message.splitlines()[0] for entry in found] == world.subjects()
    assert {entry.recorded.action for entry in found} == {"start-canary", "set-weight", "promote"}
    assert all(entry.recorded.release == entry.recomputed.release for entry in found)
    assert found[-1].conclusion == "The decision would be the same, on the same numbers."
    assert found[-1].figures["canary.requests"].recorded > 1000


def test_a_commit_that_only_makes_pods_is_told_from_one_that_changes_the_weight():
    (pods,) = [entry for entry in explained(promoted()) if "gets 4 pods" in entry.commit.message]
    assert pods.outcome is Outcome.SAME
    assert pods.recomputed.release.canary.replicas == 4


def test_a_models_first_version_needs_no_numbers():
    world = World(stable=None, versions=[1])
    assert world.run(30, until=lambda: world.release.stable is not None)
    world.metrics.down = "Prometheus does not answer"
    (only,) = explained(world)
    assert (only.outcome, only.recorded.action, only.figures) == (Outcome.SAME, "promote", {})
    assert only.conclusion == "The decision would be the same."


def test_a_commit_about_two_models_is_explained_model_by_model():
    world = World(stable=None, versions=[1])
    scorer = replace(RANKER, model="scorer")
    world.repository.person({scorer.policy_path: POLICY, scorer.release_path: "release: {}\n"})
    assert world.run(30, until=lambda: world.release.stable is not None)
    assert world.subjects()[0].startswith("2 models: ")
    found = explained(world)
    assert [(entry.served, entry.outcome) for entry in found] == [(RANKER, Outcome.SAME), (scorer, Outcome.SAME)]


@pytest.mark.parametrize("behaviour", [{"bad": 0.1}, {"slow": 0.95}, {"answers": False}])
def test_a_revert_and_the_removal_after_it_come_out_the_same(behaviour):
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(**behaviour)
    assert world.run(600, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    found = explained(world)
    assert outcomes(found) == set()
    assert [entry.recorded.action for entry in found[-2:]] == ["revert", "revert"]
    assert found[-2].recomputed.release == found[-2].recorded.release, "the reason is the same as well"


def test_a_withdrawal_when_prometheus_was_down_comes_out_the_same_and_so_does_the_rest_of_the_rollout():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.metrics.down = "Prometheus does not answer"
    assert world.run(90, until=lambda: world.weight == 0)
    world.run(30)
    world.metrics.down = None
    assert world.run(900, until=settled(world, 43))
    found = explained(world)
    assert outcomes(found) == set()
    (withdrawn,) = [entry for entry in found if entry.recorded.action == "withdraw"]
    assert withdrawn.recomputed.release.canary.withdrawn.startswith("blind for")
    assert differing(withdrawn) == []


@pytest.mark.parametrize("stopped_after", range(8))
def test_a_withdrawal_comes_out_the_same_wherever_between_two_passes_prometheus_stopped(stopped_after):
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.advance(stopped_after)
    world.metrics.down = "Prometheus does not answer"
    assert world.run(120, until=lambda: world.weight == 0)
    world.metrics.down = None
    assert last(world).outcome is Outcome.SAME


def test_prometheus_that_scraped_on_while_it_did_not_answer_tells_nothing_of_a_withdrawal():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    answer = world.metrics.measurements

    def refuse(*_):
        raise MetricsUnavailable("Prometheus does not answer")

    world.metrics.measurements = refuse
    assert world.run(90, until=lambda: world.weight == 0)
    world.metrics.measurements = answer
    found = last(world)
    assert (found.outcome, found.recorded.action) == (Outcome.UNRECORDED, "withdraw")
    assert found.conclusion == (
        "It cannot be recomputed: it rests on nobody having seen the canary's pods at that moment, "
        "and that is recorded nowhere."
    )


@pytest.mark.parametrize(("reason", "action"), [("CrashLoopBackOff", "revert"), ("Pending", "withdraw")])
def test_broken_pods_are_argo_cds_word_and_said_to_be(reason, action):
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(health=Health.DEGRADED, pod_reason=reason)
    assert world.run(120, until=lambda: bool(world.release.rejected or world.release.canary.withdrawn))
    found = last(world)
    assert (found.outcome, found.recorded.action) == (Outcome.UNRECORDED, action)
    assert "rests on what Argo CD said of the canary's pods" in found.conclusion


def test_pods_that_went_away_are_argo_cds_word_too():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    world.behaviour[43] = Behaviour(starts_after=10_000)
    assert world.run(30, until=lambda: world.weight == 0)
    assert world.release.canary.withdrawn == "none of its pods is Ready"
    found = last(world)
    assert found.outcome is Outcome.UNRECORDED
    assert "Argo CD" in found.conclusion


def test_a_forged_trailer_tells_other_numbers_and_changes_no_decision():
    world = promoted()

    def forge(message):
        lines = message.splitlines()
        index = next(at for at, line in enumerate(lines) if line.startswith("Promoter-Evidence: "))
        evidence = json.loads(lines[index].partition(": ")[2])
        evidence["counts"]["canary"]["bad"] = 0
        evidence["counts"]["stable"]["requests"] += 1
        lines[index] = f"Promoter-Evidence: {json.dumps(evidence)}"
        return "\n".join(lines)

    rewrite(world, -1, forge)
    found = last(world)
    assert found.outcome is Outcome.SAME
    assert differing(found) == ["stable.requests"]
    assert found.conclusion == "The decision would be the same, but the commit tells other numbers: they are marked."


def test_a_forged_action_is_another_decision():
    world = promoted()
    rewrite(world, -1, lambda message: message.replace("Promoter-Action: promote", "Promoter-Action: set-weight"))
    found = last(world)
    assert (found.outcome, found.recorded.action, found.recomputed.action) == (Outcome.ANOTHER, "set-weight", "promote")


def test_a_weight_that_was_not_decided_is_another_decision():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    entry = world.repository.head
    text = entry["tree"][RANKER.release_path].decode()
    entry["tree"][RANKER.release_path] = text.replace(f"weight: {world.weight}", "weight: 77").encode()
    found = last(world)
    assert (found.outcome, found.recorded.action, found.recomputed.action) == (
        Outcome.ANOTHER, "set-weight", "set-weight")  # fmt: skip
    assert found.recorded.release.canary.weight == 77
    assert differing(found) == []


def test_a_withdrawal_that_did_not_take_the_weight_back_is_another_decision():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    rewrite(world, -1, lambda message: message.replace("Promoter-Action: set-weight", "Promoter-Action: withdraw"))
    assert last(world).outcome is Outcome.ANOTHER


def test_other_counts_in_prometheus_lead_to_another_decision():
    world = promoted()
    # Somebody's Prometheus shows failures that the promoter never saw.
    for (pod, number, status), points in list(world.metrics.series.items()):
        if number == 43 and status == "OK":
            world.metrics.series[pod, number, "INTERNAL"] = [(at, value // 2) for at, value in points]
    steps = [entry for entry in explained(world) if entry.recorded.action == "set-weight"]
    raised = steps[-1]
    assert (raised.outcome, raised.recomputed.action) == (Outcome.ANOTHER, "revert")
    assert "canary.bad" in differing(raised)
    assert raised.conclusion.startswith("The decision would be another one: revert: ")


def test_samples_beyond_the_retention_are_said_to_be_gone():
    world = promoted()
    answer = world.metrics.measurements
    world.metrics.measurements = lambda served, start, at, bounds: Measurements(start.timestamp(), at.timestamp())
    found = explained(world)
    assert {entry.outcome for entry in found} == {Outcome.FORGOTTEN}
    assert found[1].conclusion == ("It cannot be recomputed: Prometheus holds no samples of that time any more.")
    began = world.repository.commits[1]["at"] + timedelta(seconds=30)
    world.metrics.measurements = lambda served, start, at, bounds: answer(served, max(start, began), at, bounds)
    (promotion,) = [entry for entry in explained(world) if entry.recorded.action == "promote"]
    assert promotion.outcome is Outcome.FORGOTTEN
    assert "of the rollout's beginning" in promotion.conclusion


def test_a_silent_prometheus_is_an_error_and_no_outcome():
    world = promoted()
    world.metrics.down = "Prometheus does not answer"
    with pytest.raises(MetricsUnavailable, match="Prometheus does not answer"):
        explained(world)


def test_neither_the_store_nor_argo_cd_is_asked():
    world = promoted()
    world.store.listing = world.cluster.application = None
    assert outcomes(explained(world)) == set()


def test_a_persons_commit_and_one_without_trailers_are_named_with_their_author():
    world = promoted()
    repository = world.repository
    with pytest.raises(InvalidName, match=r"by Ada is not the promoter's"):
        explainer(world).explain(repository.resolve(repository.head["id"], repository.commits[0]["id"]))
    rewrite(world, -1, lambda message: message.partition("Promoter-Model")[0])
    with pytest.raises(InvalidName, match=r"by promoter has no trailers"):
        explainer(world).explain(repository.resolve(repository.head["id"], "HEAD"))


def test_an_upstreams_version_is_the_one_that_was_stable_there_at_that_time():
    world = World(POLICY.replace('store: "file:///models/ranker"', "upstream: staging"), versions=(42, 43, 44))
    staging = replace(RANKER, environment="staging")
    release = f"release:\n  stable:\n    version: 43\n    digest: {digest(43)}\n"
    world.repository.person({staging.release_path: release, staging.policy_path: POLICY + "paused: true\n"})
    assert world.run(600, until=settled(world, 43))
    world.repository.person({staging.release_path: release.replace("43", "44")}, author="Ada")
    found = explained(world)
    assert outcomes(found) == set()
    assert found[0].recorded.action == "start-canary"


def test_a_withdrawal_because_upstream_took_the_version_back_is_found_again_in_git():
    world = World(POLICY.replace('store: "file:///models/ranker"', "upstream: staging"), versions=(42, 43))
    staging = replace(RANKER, environment="staging")
    release = f"release:\n  stable:\n    version: 43\n    digest: {digest(43)}\n"
    world.repository.person({staging.release_path: release, staging.policy_path: POLICY + "paused: true\n"})
    assert world.run(600, until=lambda: world.weight > 0)
    before = release.replace("43", "42").replace(str(digest(43)), str(digest(42)))
    world.repository.person({staging.release_path: before}, author="Ada")
    assert world.run(30, until=lambda: world.weight == 0)
    found = next(entry for entry in reversed(explained(world)) if entry.served == RANKER)
    assert found.recorded.action == "withdraw"
    assert found.outcome is Outcome.SAME
    assert "43 was taken back upstream: staging serves 42" in found.reason
