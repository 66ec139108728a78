"""The whole agent: the real chart from a bare repository, a real Envoy, and stand-ins for model servers as pods."""

import json
import signal
import threading
import time
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from agent_world import FOLDER, HOST, Agent, eventually, model_files, release, remote_with_model, running_envoy

from promoter.adapters.argocd import ArgoCluster
from promoter.domain.application import Health, SyncStatus
from promoter.domain.names import ServedModel
from promoter.domain.sync_windows import SyncWindows
from promoter.domain.version import ModelVersion

SERVED = ServedModel("production", "resnet50")
V1, V2 = ModelVersion(1), ModelVersion(2)


pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One agent, its remote and its Envoy for all tests: what they share is in Git, and is put back before each."""
    directory = tmp_path_factory.mktemp("world")
    remote = remote_with_model(directory / "remote.git")
    agent = Agent(directory / "sandbox", remote.path)
    try:
        agent.start()
        url = f"http://127.0.0.1:{agent.envoy_port}"
        with (
            running_envoy(agent.envoy_directory),
            httpx.Client(base_url=url, headers={"host": HOST}, timeout=10, trust_env=False) as envoy,
        ):
            yield agent, remote, envoy
    finally:
        agent.close()
    assert eventually(lambda: agent.pods() == [])


@pytest.fixture
def agent(world):
    """The agent, serving version 1 alone."""
    agent, remote, _ = world
    if agent.process.poll() is not None:
        agent.start()
    revision = remote.push(model_files())
    assert eventually(lambda: agent.healthy(revision)), agent.log()
    return agent


@pytest.fixture
def remote(world):
    return world[1]


@pytest.fixture
def envoy(world):
    return world[2]


def ask(envoy):
    return envoy.get("/v1/models/resnet50:predict")


def refresh(agent, revision):
    """Ask for the commit, and wait until it is synced."""
    assert agent.application(refresh="normal")
    assert eventually(lambda: agent.synced(revision)), agent.log()


def test_a_push_is_live_and_the_promoter_reads_it(agent, remote, envoy):
    cluster = ArgoCluster(f"http://127.0.0.1:{agent.port}", agent.directory / "token", timeout=timedelta(seconds=15))
    revision = remote.push_release(1, 2, weight=0, replicas=2)
    cluster.application(SERVED, refresh=True)
    assert eventually(lambda: agent.healthy(revision)), agent.log()
    seen = cluster.application(SERVED)
    assert (seen.sync, seen.health, seen.revision) == (SyncStatus.SYNCED, Health.HEALTHY, revision)
    assert seen.route == {V1: 100, V2: 0}
    assert (seen.deployment(V1).ready, seen.deployment(V2).ready) == (1, 2)
    assert seen.compared_current_spec
    assert seen.reconciled_at >= seen.operation.finished_at
    assert not seen.errors
    assert cluster.sync_windows(SERVED) == SyncWindows()
    assert {ask(envoy).headers["x-model-version"] for _ in range(50)} == {"1"}

    refresh(agent, remote.push_release(1, 2, weight=40, replicas=2))
    assert cluster.application(SERVED).route == {V1: 60, V2: 40}
    assert len(Counter(ask(envoy).json()["address"] for _ in range(100))) == 3

    listed = json.loads((agent.prometheus_directory / "targets" / "production_resnet50_0.json").read_text())
    assert Counter(item["labels"]["model_version"] for item in listed) == {"1": 1, "2": 2}


def test_a_version_replaces_another_under_load_without_a_failed_request(agent, remote, envoy):
    answers, stop = [], threading.Event()

    def send():
        while not stop.is_set():
            answer = ask(envoy)
            answers.append((answer.status_code, answer.headers.get("x-model-version")))
            time.sleep(0.005)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for text in (release(1, 2, weight=0), release(1, 2, weight=50), release(1, 2, weight=100), release(2)):
            revision = remote.push({f"{FOLDER}/release.yaml": text})
            assert eventually(lambda: agent.healthy(revision)), agent.log()  # noqa: B023 - used in this turn only
            time.sleep(0.2)
        assert eventually(lambda: len(agent.pods()) == 1)
    finally:
        stop.set()
        sender.join()
    assert {status for status, _ in answers} == {200}
    assert answers[-1] == (200, "2")
    assert [node["name"] for node in agent.nodes("Deployment")] == ["resnet50-v2"]


def test_a_commit_that_changes_nothing_here_moves_the_revision_and_nothing_else(agent, remote):
    before = agent.application()["status"]
    revision = remote.push({"environments/production/other.txt": "x"})
    refresh(agent, revision)
    after = agent.application()["status"]
    assert after["operationState"] == before["operationState"]
    assert after["health"] == before["health"]


def test_a_file_that_a_person_broke_stops_nothing_and_is_said(agent, remote, envoy):
    remote.push({f"{FOLDER}/release.yaml": release(1, 2, weight=101)})
    status = agent.application(refresh="normal")["status"]
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("Unknown", "main")
    assert [entry["type"] for entry in status["conditions"]] == ["ComparisonError"]
    assert "weight" in status["conditions"][0]["message"]
    assert status["health"]["status"] == "Healthy"
    assert ask(envoy).headers["x-model-version"] == "1"
    refresh(agent, remote.push_release(1, 2, weight=10))


def test_a_sync_that_the_cluster_refuses_fails_once_and_leaves_what_is_live(agent, remote, envoy):
    template = "charts/model-serving/templates/virtualservice.yaml"
    refused = remote.push({template: "apiVersion: v1\nkind: VirtualService\nmetadata: {name: resnet50}\nspec: {}\n"})

    def failed():
        status = agent.application(refresh="normal")["status"]
        return status if status.get("operationState", {}).get("phase") == "Failed" else None

    status = eventually(failed)
    assert status["operationState"]["syncResult"]["revision"] == refused
    started = status["operationState"]["startedAt"]
    assert eventually(lambda: agent.application(refresh="normal")["status"].get("conditions"))
    status = agent.application(refresh="normal")["status"]
    assert [entry["type"] for entry in status["conditions"]] == ["SyncError"]
    assert status["operationState"]["startedAt"] == started
    assert status["sync"]["status"] == "OutOfSync"
    assert ask(envoy).status_code == 200


def test_a_version_that_crashes_backs_off_and_stable_serves_on(agent, remote, envoy):
    remote.push_release(1, 900, weight=0)

    def crashing():
        info = [{entry["name"]: entry["value"] for entry in node["info"]} for node in agent.nodes("Pod")]
        return [entry for entry in info if entry["Status Reason"] == "CrashLoopBackOff"]

    (pod,) = eventually(crashing)
    assert pod["Containers"] == "0/1"
    assert int(pod["Restart Count"]) == 2
    assert agent.application()["status"]["health"]["status"] == "Progressing"
    assert eventually(lambda: ask(envoy).status_code == 200)


def test_a_version_that_is_never_ready_gets_no_endpoint(agent, remote, envoy):
    revision = remote.push_release(1, 800, weight=50)
    refresh(agent, revision)
    assert eventually(lambda: {ask(envoy).status_code for _ in range(20)} == {200, 503})
    assert {ask(envoy).headers.get("x-model-version") for _ in range(40)} >= {"1"}
    assert agent.application()["status"]["health"]["status"] == "Progressing"


def test_a_model_that_leaves_git_leaves_the_cluster(agent, remote):
    assert eventually(agent.pods)
    remote.push({f"{FOLDER}/release.yaml": None})
    assert eventually(lambda: agent.http.get("/production-resnet50").status_code == 403)
    assert eventually(lambda: agent.pods() == [])


def test_a_poll_passes_over_an_outage_and_a_refresh_says_it(agent, remote, tmp_path):
    away = remote.path.rename(tmp_path / "away.git")
    assert eventually(lambda: "repository.unavailable" in agent.log())
    status = agent.application()["status"]
    assert status["sync"]["status"] == "Synced"
    assert "conditions" not in status
    status = agent.application(refresh="normal")["status"]
    assert (status["sync"]["status"], status["conditions"][0]["type"]) == ("Unknown", "ComparisonError")
    away.rename(remote.path)
    assert eventually(lambda: agent.application()["status"]["sync"]["status"] == "Synced")


def test_only_the_token_opens_the_door_and_a_missing_application_is_named_only_with_its_project(agent):
    url = f"http://127.0.0.1:{agent.port}/api/v1/applications"
    assert httpx.get(f"{url}/production-resnet50", trust_env=False).status_code == 401
    wrong = httpx.get(f"{url}/production-resnet50", headers={"Authorization": "Bearer no"}, trust_env=False)
    assert (wrong.status_code, wrong.json()["code"]) == (401, 16)
    assert agent.http.get("/nobody").json() == {"error": "permission denied", "code": 7, "message": "permission denied"}
    missing = agent.http.get("/nobody", params={"project": "default"})
    assert (missing.status_code, missing.json()["code"]) == (404, 5)


def test_ending_the_agent_ends_its_pods_and_a_new_one_starts_afresh(agent):
    assert eventually(agent.pods)
    agent.stop(signal.SIGKILL)
    assert eventually(lambda: agent.pods() == [])
    agent.start()
    assert eventually(agent.serving)
    assert agent.stop() == 0
    assert agent.pods() == []
    assert list((agent.run_directory / "processes").iterdir()) == []
