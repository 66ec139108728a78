"""What a cluster does to a rollout: windows, outages, people and drained nodes. In this order.

One node is enough: a drained one has no other, so what is held here is the order of evictions, and that the rollout
takes it for no fault of the version's. Argo CD is down for the promoter alone: it finds nobody at the API's address.
"""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager

import pytest
import yaml
from e2e_commands import got, kubectl
from e2e_door import Door

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# The version after those of the other tests.
TRIED = 7
OUTAGE = 60


@pytest.fixture(scope="module")
def door(serving):
    """The way to Argo CD, which the promoter takes in this module. Begins when Prometheus sees stable's pods."""
    serving.until_scraped()
    policy = serving.checkout.folder / serving.served.policy_path
    serving.checkout.pull()
    before = policy.read_text(encoding="utf-8")
    slower = before.replace("soak: 10s", "soak: 4m")
    serving.checkout.change(serving.served.policy_path, lambda _: slower, "Time for faults in the middle of a rollout")
    made = Door(serving.place.argocd_url)
    serving.stop_promoter()
    serving.start_promoter(PROMOTER_ARGOCD_URL=made.url)
    yield made
    serving.stop_promoter()
    made.close()


@contextmanager
def window_that_denies(serving):
    """A person's commit to the AppProject, and another one that takes it back."""
    path = f"environments/{serving.name}/project.yaml"
    before = []

    def deny(text):
        before.append(text)
        project = yaml.safe_load(text)
        window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
        project["spec"]["syncWindows"] = [window]
        return yaml.safe_dump(project)

    argocd = ("--namespace", serving.place.argocd_namespace)

    def windows():
        kubectl(
            *("annotate", "application", "environments", "argocd.argoproj.io/refresh=normal", "--overwrite"), *argocd
        )
        return got("appproject", f"models-{serving.name}", *argocd)["spec"].get("syncWindows")

    serving.checkout.change(path, deny, "Nothing is synced now")
    serving.until(windows, bool, 60, "the AppProject has the window")
    try:
        yield
    finally:
        serving.checkout.change(path, lambda _: before[0], "Syncs are allowed again")
        serving.until(windows, lambda seen: not seen, 60, "the window is gone")
        serving.refresh()


def weight(release):
    return release.get("canary", {}).get("weight", 0)


def rejected(release):
    return [entry["version"] for entry in release.get("rejected", [])]


def pods(serving, version):
    selector = f"--selector=model={serving.served.model},model-version={version}"
    return (got("pods", "--namespace", serving.name, selector) or {"items": []})["items"]


def test_while_a_sync_window_denies_no_request_moves_and_nothing_is_rejected(course, door, versions):
    serving = course.installation
    with window_that_denies(serving):
        serving.publish(versions[2], TRIED)
        began = time.monotonic()
        while time.monotonic() - began < OUTAGE:
            release = serving.release()
            assert weight(release) == 0
            assert TRIED not in rejected(release)
            assert not pods(serving, TRIED)
            time.sleep(2)
        named = "a sync window of the AppProject denies syncs now (deny `* * * * *` for 1h)"
        assert named in serving.promoter_log.read_text(encoding="utf-8")
    serving.until(serving.release, weight, 240, "it gets requests once syncs are allowed again")
    assert TRIED not in rejected(serving.release())
    assert course.failed() == {}
    assert course.shortfalls() == []


def test_while_argo_cd_is_down_for_a_minute_no_weight_is_raised_and_nothing_is_rejected(course, door, capsys):
    serving = course.installation
    serving.until(serving.release, weight, 170, "it gets requests")
    with door.shut():
        time.sleep(5)
        at_first = weight(serving.release())
        time.sleep(OUTAGE - 5)
        release = serving.release()
        assert weight(release) <= at_first
        assert TRIED not in rejected(release)
        assert door.refused > 0
    began = time.monotonic()
    serving.until(serving.release, lambda release: _further(release, at_first), 170, "it goes on")
    with capsys.disabled():
        print(f"\nArgo CD away for {OUTAGE} s: the next step {time.monotonic() - began:.0f} s later")  # noqa: T201
    assert course.failed() == {}
    assert course.shortfalls() == []


def _further(release, at_first):
    return release["stable"]["version"] == TRIED or weight(release) > at_first


def test_a_persons_sync_to_an_older_revision_is_healed_and_the_rollout_goes_on(course, door):
    """With the canary's weight as it is, and the older revision one at which it had none."""
    serving = course.installation
    serving.until(serving.release, weight, 170, "it gets requests")
    path = serving.served.release_path
    without = [
        name for name, _, subject in serving.checkout.commits(path) if f"canary {TRIED} starts at 0 %" in subject
    ]
    argocd = ("--namespace", serving.place.argocd_namespace)
    patch = {"operation": {"initiatedBy": {"username": "a person"}, "sync": {"revision": without[-1]}}}
    canary = f"{serving.served.model}-v{TRIED}"

    def weights():
        moments = course.history.moments(course.since)
        return [split.get(canary, 0) for moment in moments for split in moment.weights.values()]

    def sync():
        """Beside another operation it would be lost."""
        if "operation" not in got("application", serving.served.application, *argocd):
            name = ("application", serving.served.application, *argocd)
            kubectl("patch", *name, "--type=merge", "--patch", json.dumps(patch))
            time.sleep(2)
        return weights()

    serving.until(sync, lambda seen: 0 in seen, 60, "the older revision is synced")
    serving.until(weights, lambda seen: seen[-1] > 0, 120, "the newest is synced again")
    assert TRIED not in rejected(serving.release())
    # For a moment the pods of then carry the weight of now: fewer than its share, and the person's own doing.
    assert course.failed() == {}


def test_a_node_that_is_drained_in_the_middle_costs_no_request_and_no_version(course, door, capsys):
    serving = course.installation
    serving.until(serving.release, weight, 170, "it gets requests")
    stable = serving.release()["stable"]["version"]
    there = [pod for version in (stable, TRIED) for pod in pods(serving, version)]
    before, node = {pod["metadata"]["name"] for pod in there}, there[0]["spec"]["nodeName"]
    drain = subprocess.Popen(
        [
            *("kubectl", "drain", node, f"--pod-selector=model={serving.served.model}", "--ignore-daemonsets"),
            *("--delete-emptydir-data", "--timeout=240s"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # No other node takes the pods that were evicted: from the second one on the budget refuses.
        time.sleep(20)
        kubectl("uncordon", node)
        said, _ = drain.communicate(timeout=250)
    finally:
        drain.kill()
        kubectl("uncordon", node)
    assert drain.returncode == 0, said
    assert "violate the pod's disruption budget" in said
    left = {pod["metadata"]["name"] for version in (stable, TRIED) for pod in pods(serving, version)}
    assert not before & left
    service = f"{serving.served.model}-v{stable}"
    fewest = min(moment.ready.get(service, 0) for moment in course.history.moments(course.since))
    serving.until(serving.release, lambda release: release["stable"]["version"] == TRIED, 400, "it is promoted")
    course.settled()
    course.told(capsys, f"a drained node, with {fewest} pods of stable at the least")
    assert course.failed() == {}
    assert fewest > 0
