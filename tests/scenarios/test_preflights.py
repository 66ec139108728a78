"""Whole passes in which versions are verified before they serve."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from builders import RANKER, digest
from fakes import POLICY, FakePreflights, World
from preflights import failed, passed

from promoter.control.explain import Explainer, Outcome
from promoter.control.observe import Observer
from promoter.control.preflights import ChosenPreflights, UnaskedPreflights
from promoter.documents.commit_message import read_trailers
from promoter.domain.action import Hold
from promoter.domain.completeness import ByManifest, ByMarker
from promoter.domain.preflight import PreflightPlace, PreflightPolicy, PreflightRequest
from promoter.errors import InvalidInput, PreflightUnavailable


@pytest.fixture
def world():
    world = World(versions=(42, 43))
    world.preflights = FakePreflights()
    world.restart()
    return world


def started(world):
    return world.release.canary is not None


def test_no_canary_starts_before_its_preflight_has_passed(world):
    assert not world.run(60, until=lambda: started(world))
    assert world.action().reason == "43 waits for its preflight: it runs since noon"
    world.preflights.results[43] = passed(43, 42)
    assert world.run(10, until=lambda: started(world))


def test_what_is_asked_for_are_the_pinned_files_and_the_policy(world):
    world.run(5)
    wanted = world.preflights.asked[-1]
    assert (wanted.candidate, wanted.digest) == ("file:///models/ranker/43", digest(43))
    assert (wanted.stable, wanted.stable_digest) == ("file:///models/ranker/42", digest(42))


def test_the_start_commit_tells_the_verdict_and_the_digests_it_is_bound_to(world):
    world.preflights.results[43] = passed(43, 42)
    assert world.run(10, until=lambda: started(world))
    message = world.repository.head["message"]
    assert "Its preflight passed 2 checks." in " ".join(message.split())
    (record,) = read_trailers(message)
    assert record.preflight.passed
    assert (record.preflight.digest, record.preflight.stable) == (digest(43), digest(42))


def test_a_failed_preflight_is_one_commit_and_the_version_is_never_offered_again(world):
    world.preflights.results[43] = failed(43, 42)
    world.run(120)
    assert world.subjects() == ["ranker: production: 43 fails its preflight"]
    message = world.repository.head["message"]
    assert "Its preflight failed: signatures: input x is gone." in message
    (record,) = read_trailers(message)
    assert record.action == "reject"
    assert not record.preflight.passed
    (rejection,) = world.release.rejected
    assert rejection.reason == "its preflight failed: signatures: input x is gone"
    assert world.action().reason == "no complete version above 42"
    assert set(world.metrics.answered) == {42}


def test_after_a_failure_the_next_version_has_its_own_preflight(world):
    world.preflights.results[43] = failed(43, 42)
    world.run(30)
    world.store.versions.append(44)
    world.preflights.results[44] = passed(44, 42)
    assert world.run(30, until=lambda: started(world))
    assert world.release.canary.version.number == 44


def test_a_preflight_that_comes_to_no_result_holds_with_an_alarm(world):
    world.preflights.results[43] = PreflightUnavailable("no TensorFlow here")
    assert not world.run(60, until=lambda: started(world))
    action = world.action()
    assert action == Hold("43 waits for its preflight: no TensorFlow here", alarm=True)
    assert world.subjects() == []


def test_a_paused_model_has_no_preflight_begun():
    world = World(policy=POLICY + "paused: true\n", versions=(42, 43))
    world.preflights = FakePreflights()
    world.restart()
    world.run(10)
    assert world.preflights.asked == []


def test_a_rollout_that_is_under_way_asks_for_none(world):
    world.preflights.results[43] = passed(43, 42)
    assert world.run(10, until=lambda: started(world))
    asked = len(world.preflights.asked)
    world.preflights.results[43] = failed(43, 42)
    world.run(60)
    assert len(world.preflights.asked) == asked
    assert world.weight > 0


def test_a_promoter_that_was_killed_finds_the_same_out_again(world):
    world.preflights.results[43] = passed(43, 42)
    world.restart()
    assert world.run(10, until=lambda: started(world))


def test_a_first_version_becomes_stable_by_its_preflight():
    world = World(stable=None, versions=(1,))
    world.preflights = FakePreflights()
    world.restart()
    world.run(20)
    assert world.release.stable is None
    assert world.preflights.asked[-1].stable is None
    world.preflights.results[1] = passed(1, None)
    world.run(20)
    assert world.release.stable.version.number == 1
    (record,) = read_trailers(world.repository.head["message"])
    assert record.preflight.passed


def test_a_look_begins_no_preflight_and_says_who_does(world):
    world.preflights = UnaskedPreflights()
    world.restart()
    assert world.action().reason == "43 waits for its preflight: `promoter run` asks for it"


def test_a_rejection_is_explained_by_the_preflight_that_stands_in_its_commit(world):
    world.preflights.results[43] = failed(43, 42)
    world.run(30)
    explainer = Explainer(world.repository, Observer(world.ports, world.traits, timedelta(seconds=5)))
    (found,) = explainer.explain(world.repository.resolve(world.repository.head["id"], "HEAD"))
    assert found.outcome is Outcome.UNRECORDED
    assert "`promoter verify` finds again what stands in the commit" in found.conclusion


def test_a_start_with_a_preflight_is_explained_as_the_same(world):
    world.preflights.results[43] = passed(43, 42)
    assert world.run(10, until=lambda: started(world))
    explainer = Explainer(world.repository, Observer(world.ports, world.traits, timedelta(seconds=5)))
    (found,) = explainer.explain(world.repository.resolve(world.repository.head["id"], "HEAD"))
    assert found.outcome is Outcome.SAME


# Versions of an upstream lie in the upstream's store.


def downstream(world, upstream_policy):
    staging = RANKER.folder.replace("production", "staging")
    world.repository.person(
        {
            RANKER.policy_path: POLICY.replace('{store: "file:///models/ranker"}', "{upstream: staging}"),
            f"{staging}/policy.yaml": upstream_policy,
            f"{staging}/release.yaml": f"release:\n  stable: {{version: 43, digest: '{digest(43)}'}}\n",
        }
    )


def test_a_version_from_upstream_is_verified_where_its_files_lie(world):
    downstream(world, "candidates: {store: file:///elsewhere/ranker, complete: {marker: _SUCCESS}}\n")
    world.run(10)
    assert world.preflights.asked[-1].candidate == "file:///elsewhere/ranker/43"
    assert world.preflights.asked[-1].complete == ByMarker("_SUCCESS")


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("candidates: {upstream: production}\n", "the upstreams production, staging lead to no store"),
        ("candidates: {}\n", "names neither a store nor an upstream"),
        ("candidates: {upstream: nowhere}\n", "environments/nowhere/ranker/policy.yaml: the file is missing"),
    ],
)
def test_upstreams_that_lead_to_no_store_hold_with_an_alarm(world, policy, reason):
    downstream(world, policy)
    world.run(10)
    action = next(verdict.action for verdict in world.reconciler.survey(world.now).verdicts if verdict.served == RANKER)
    assert action.alarm
    assert reason in action.reason


# How large the server's batches are stands in the chart's values, unless the policy says.


@pytest.mark.parametrize(
    ("policy", "values", "rows"),
    [
        ("", None, 1),
        ("", "batching: {enabled: true}\n", 32),
        ("", "batching: {enabled: true, maxBatchSize: 8}\n", 8),
        ("preflight: {max_batch_size: 4}\n", "batching: {enabled: true, maxBatchSize: 8}\n", 4),
    ],
)
def test_the_largest_batch_is_the_one_that_the_server_will_make(world, policy, values, rows):
    files = {RANKER.policy_path: POLICY + policy, "charts/model-serving/values.yaml": "batching: {maxBatchSize: 32}\n"}
    world.repository.person(files | ({} if values is None else {f"{RANKER.folder}/values.yaml": values}))
    world.run(10)
    assert world.preflights.asked[-1].policy.max_batch_size == rows


def test_values_that_do_not_parse_let_nothing_start(world):
    world.repository.person({f"{RANKER.folder}/values.yaml": "batching: {enabled: maybe}\n"})
    world.preflights.results[43] = passed(43, 42)
    world.run(30)
    assert world.release.canary is None
    assert "values.yaml" in world.action().reason


# Which runner


def chosen(world, policy=POLICY, allowed=lambda address: None):
    world.repository.person({RANKER.policy_path: policy})
    inner = FakePreflights()
    world.preflights = ChosenPreflights({PreflightPlace.PROCESS: lambda: inner}, PreflightPlace.PROCESS, allowed)
    world.restart()
    return inner


def test_the_settings_runner_is_asked_where_the_policy_names_none(world):
    inner = chosen(world)
    world.run(10)
    assert inner.asked


def test_a_runner_that_the_settings_do_not_have_holds_with_an_alarm(world):
    inner = chosen(world, POLICY + "preflight: {run: workflow}\n")
    world.run(10)
    assert inner.asked == []
    assert world.action().alarm
    assert "`preflight.run: workflow`, which the promoter's settings do not provide for" in world.action().reason


def test_a_store_that_is_not_allowed_is_verified_by_nobody(world):
    def refuse(address):
        raise InvalidInput(f"the store {address} is not allowed")

    inner = chosen(world, allowed=refuse)
    world.run(10)
    assert inner.asked == []
    assert "file:///models/ranker/43 is not allowed" in world.action().reason


def test_models_that_are_verified_at_once_share_one_runner():
    made = []

    def slowly():
        time.sleep(0.05)
        made.append(FakePreflights())
        return made[-1]

    preflights = ChosenPreflights({PreflightPlace.PROCESS: slowly}, PreflightPlace.PROCESS, lambda address: None)
    wanted = [
        PreflightRequest(f"file:///models/{model}/1", digest(1), None, None, ByManifest(), PreflightPolicy())
        for model in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(preflights.ask, wanted))
    assert len(made) == 1
    assert len(made[0].asked) == 8
