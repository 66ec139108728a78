"""What goes wrong around a rollout on a real cluster, and that no caller notices. The tests follow each other."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from e2e_client import first_answer_of
from e2e_commands import Checkout, got, kubectl
from e2e_course import FAULTY, GOOD
from e2e_installation import PODS

from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NEIGHBOUR = "neighbour"
# Versions, in the order in which they appear.
AFTER, UNREADABLE = 5, 6


@pytest.fixture
def neighbours(serving):
    """Somebody else who commits to the same branch, one commit every two seconds."""
    place = serving.place
    other = Checkout(serving.folder / NEIGHBOUR, place.repository, place.repository_token, serving.name)
    stop, made = threading.Event(), []
    folder = ServedModel(serving.name, NEIGHBOUR).folder

    def commit():
        other.pull()
        (other.folder / folder).mkdir(parents=True)
        # No release.yaml: a folder that is not yet a model's.
        (other.folder / folder / "notes.md").write_text("0\n", encoding="utf-8")
        other.git("add", "--all")
        other.git("commit", "--quiet", "--message", "neighbour: begins")
        other.git("push", "--quiet", "origin", f"HEAD:{other.branch}")
        while not stop.wait(2):
            made.append(other.change(f"{folder}/notes.md", lambda text: text + "1\n", f"neighbour: {len(made)}"))

    thread = threading.Thread(target=commit)
    thread.start()
    yield made
    stop.set()
    thread.join()


@contextmanager
def without_prometheus():
    """Every Prometheus of the operator's has no pod, until the end."""
    kind = "prometheuses.monitoring.coreos.com"
    found = got(kind, "--all-namespaces")["items"]

    def scale(each, replicas):
        namespace = ("--namespace", each["metadata"]["namespace"])
        patch = json.dumps({"spec": {"replicas": replicas}})
        kubectl("patch", kind, each["metadata"]["name"], *namespace, "--type=merge", "--patch", patch)

    for each in found:
        scale(each, 0)
    try:
        yield
    finally:
        for each in found:
            scale(each, each["spec"].get("replicas", 1))


def test_an_error_in_the_chart_holds_every_rollout_until_it_is_mended(course, versions):
    serving = course.installation
    broken = '{{ fail "a mistake" }}\n'
    path = "charts/model-serving/templates/service.yaml"
    serving.checkout.change(path, lambda text: broken + text, "A mistake in the chart")
    serving.refresh()
    before = serving.release()["stable"]
    serving.publish(versions[1], AFTER)
    serving.until(serving.said, lambda said: f"{AFTER} waits to start" in said, 120, "it is held")
    states = lambda: [state[1] for state in course.history.states(course.since)]  # noqa: E731 - asked again and again
    serving.until(states, lambda seen: "Unknown" in seen, 120, "Argo CD cannot render the chart")
    assert serving.release()["stable"] == before
    assert "canary" not in serving.release()
    serving.checkout.change(path, lambda text: text.removeprefix(broken), "The mistake is taken back")
    serving.refresh()
    serving.until(serving.release, lambda release: "canary" in release, 170, "it starts once the chart is mended")
    assert course.failed() == {}
    assert course.shortfalls() == []


def test_without_prometheus_the_weight_is_taken_back_and_nothing_is_rejected(course):
    """With the version that the test before began."""
    serving = course.installation
    serving.until(serving.release, lambda release: release["canary"]["weight"] > 0, 170, "it gets requests")
    with without_prometheus():
        release = serving.until(
            serving.release, lambda release: "withdrawn" in release.get("canary", {}), 150, "it is withdrawn"
        )
        assert release["canary"]["weight"] == 0
        assert "rejected" not in release or AFTER not in [entry["version"] for entry in release["rejected"]]
    assert course.failed() == {}
    assert course.shortfalls() == []


def test_it_starts_again_and_is_promoted_although_others_commit_all_the_time(course, neighbours, capsys):
    serving = course.installation
    serving.until(serving.release, lambda release: release["stable"]["version"] == AFTER, 500, "it is promoted")
    course.told(capsys, f"a promotion among {len(neighbours)} commits of a neighbour")
    assert course.failed() == {}
    assert course.shortfalls() == []
    assert len(neighbours) > len(course.commits())


def test_a_canary_whose_pods_cannot_load_it_gets_no_request_and_stable_goes_on(course, versions):
    """The promoter may read the version and the pods may not: a store's rights, as they are forgotten."""
    serving = course.installation
    serving.stop_promoter()
    serving.publish(versions[2], UNREADABLE)
    (serving.store_folder / str(UNREADABLE)).chmod(0o700)
    serving.start_promoter()
    serving.until(
        serving.release, lambda release: release.get("canary", {}).get("version") == UNREADABLE, 120, "it starts"
    )

    def gone(release):
        rejected = [entry["version"] for entry in release.get("rejected", [])]
        return "withdrawn" in release.get("canary", {}) or UNREADABLE in rejected

    release = serving.until(serving.release, gone, 240, "it is given up")
    assert release.get("canary", {}).get("weight", 0) == 0
    assert release["stable"]["version"] == AFTER
    assert not any(ModelVersion(UNREADABLE) in second.answered for second in course.seconds())
    assert course.failed() == {}
    assert course.shortfalls() == []


def test_a_person_goes_back_to_an_older_version_without_losing_a_request_and_is_respected(course, capsys):
    """As docs/operations.md says: the older version's pods first, then the requests, then its name as stable."""
    serving = course.installation
    serving.stop_promoter()
    serving.checkout.pull()
    history = serving.checkout.git("log", "-p", "--format=", "--", serving.served.release_path)
    digest = re.search(rf"version: {GOOD}\n[ +]+digest: (sha256:\S+)", history).group(1)
    older = f"version: {GOOD}\n    digest: {digest}\n"
    before = serving.release()["stable"]
    stable = f"  stable:\n    version: {before['version']}\n    digest: {before['digest']}\n    replicas: {PODS}\n"
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rejected = "".join(
        f'    - version: {number}\n      reason: "a person went back"\n' for number in (FAULTY, AFTER, UNREADABLE)
    )
    canary = f"  canary:\n    {older}    weight: WEIGHT\n    replicas: {PODS}\n    since: {since}\n"
    name = f"{serving.served.model}-v{GOOD}"

    def write(text, subject):
        serving.checkout.change(serving.served.release_path, lambda _: f"release:\n{text}", subject)
        serving.refresh()

    def ready():
        found = got("deployment", name, "--namespace", serving.name)
        return ((found or {}).get("status") or {}).get("readyReplicas", 0)

    write(stable + canary.replace("WEIGHT", "0"), "Back: the pods")
    serving.until(ready, lambda pods: pods == PODS, 120, "the older version's pods are ready")
    write(stable + canary.replace("WEIGHT", "100"), "Back: the requests")
    first_answer_of(serving, ModelVersion(GOOD))
    write(f"  stable:\n    {older}  rejected:\n{rejected}", "Back: the name")
    last = serving.checkout.git("rev-parse", "HEAD").strip()
    course.settled()
    serving.start_promoter()
    time.sleep(20)
    assert course.commits(skip=0)[-1][0] == last, "the promoter leaves a person's release alone"
    course.told(capsys, "a person's way back")
    assert course.failed() == {}
    assert course.shortfalls() == []
