"""Versions that pass every preflight and die of requests, and that are rejected without a person. In this order.

Nothing counts a request of which a server died: what speaks against these versions is their pods alone.
"""

from __future__ import annotations

import re
import time

import pytest
from e2e_client import Overexposed
from e2e_commands import got
from e2e_models import DIES, NEEDS_MEMORY

from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# None of them is Ready when the promoter looks, or one has just come back and answers nobody.
PODS_DIE = re.compile(r"its pods die when requests come|not one of about \d+ requests reached it, and its pods die")
# The weight at which the second one is sent what kills it.
DEADLY_FROM = 30


@pytest.fixture(scope="module")
def slow_ramp(serving):
    """No promotion within minutes; Prometheus sees stable's pods."""
    serving.until_scraped()
    path = serving.served.policy_path
    serving.checkout.pull()
    before = (serving.checkout.folder / path).read_text(encoding="utf-8")
    slower = re.sub(r"(?m)^soak: .*$", "soak: 10m", before)
    serving.checkout.change(path, lambda _: slower, "Time for a version to die in")
    serving.refresh()
    serving.stop_promoter()
    serving.start_promoter()


def next_version(serving):
    release = serving.release()
    known = [release["stable"]["version"], *(entry["version"] for entry in release.get("rejected", []))]
    return max(known) + 1


def reason(release, version):
    """Why it is rejected; None where it is not."""
    return next((entry["reason"] for entry in release.get("rejected", []) if entry["version"] == version), None)


def ends(serving, version):
    """How the containers of the version ended that did: (reason, exit status)."""
    selector = f"--selector=model={serving.served.model},model-version={version}"
    found = (got("pods", "--namespace", serving.name, selector) or {"items": []})["items"]
    states = [
        status[when]["terminated"]
        for pod in found
        for status in pod["status"].get("containerStatuses", [])
        for when in ("state", "lastState")
        if "terminated" in status.get(when, {})
    ]
    return {(state["reason"], state["exitCode"]) for state in states}


def until_rejected(serving, version):
    """How containers ended in the meantime, and why it was rejected."""
    seen = set()

    def look():
        seen.update(ends(serving, version))
        return reason(serving.release(), version)

    why = serving.until(look, bool, 400, f"version {version} is rejected")
    return seen, why


def only_the_canary_suffered(course, version, before):
    """Afterwards: stable is what it was, answered all that was its own, and everything is at rest."""
    serving = course.installation
    serving.until(serving.release, lambda release: "canary" not in release, 170, "its pods go")
    course.settled()
    release = serving.release()
    assert release["stable"]["version"] == before["version"]
    assert "canary" not in release
    assert list(course.exposed(version))[-1][1] == 0
    theirs = {str(ModelVersion(version)), str(None)}
    assert {name for name, _ in course.failed()} <= theirs
    assert course.beyond_the_canarys_share(version) <= 0


def subjects(course):
    return [subject.rpartition(": ")[2] for _, _, subject in course.commits()]


def test_a_canary_that_is_killed_for_memory_is_rejected_without_a_person(course, slow_ramp, dying_versions, capsys):
    serving = course.installation
    before, version = serving.release()["stable"], next_version(serving)
    serving.publish(dying_versions[NEEDS_MEMORY], version)
    seen, why = until_rejected(serving, version)
    only_the_canary_suffered(course, version, before)
    course.told(capsys, f"killed for memory: {why}; {'; '.join(subjects(course))}")
    # The kernel's doing, and not ours: 137 is SIGKILL.
    assert ("OOMKilled", 137) in seen
    assert PODS_DIE.match(why)


def test_a_canary_that_crashes_at_weight_30_is_rejected_without_a_person(course, slow_ramp, dying_versions, capsys):
    serving = course.installation
    before, version = serving.release()["stable"], next_version(serving)
    serving.publish(dying_versions[DIES], version)

    def weight_of_it(release):
        canary = release.get("canary", {})
        return canary["weight"] if canary.get("version") == version else 0

    release = serving.until(
        serving.release, lambda release: weight_of_it(release) >= DEADLY_FROM, 500, f"it has {DEADLY_FROM} %"
    )
    at = weight_of_it(release)
    serving.until(lambda: list(course.exposed(version))[-1:], lambda seen: seen and seen[0][1] == at, 60, "it is live")
    assert course.failed() == {}
    with Overexposed(serving) as overexposed:
        seen, why = until_rejected(serving, version)
        only_the_canary_suffered(course, version, before)
        # Stable answers what killed the canary.
        answered = len(overexposed.answers)
        serving.until(lambda: len(overexposed.answers), lambda count: count > answered + 20, 60, "they go on")
        assert {code for _, _, code in overexposed.answers[answered:]} == {"OK"}
    first_failure = overexposed.failed()[0][0]
    away = next(moment for moment, percent in course.exposed(version) if percent == 0 and moment > first_failure)
    course.told(
        capsys,
        f"crashed at {at} %: no requests {away - first_failure:.1f} s after the first that failed, rejected within "
        f"{time.time() - first_failure:.0f} s: {why}; {'; '.join(subjects(course))}",
    )
    assert {version for _, version, _ in overexposed.failed()} <= {ModelVersion(version), None}
    assert ("OOMKilled", 137) in seen
    assert PODS_DIE.match(why)
