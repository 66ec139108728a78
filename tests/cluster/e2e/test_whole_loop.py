"""From an empty repository and an empty store to versions promoted and reverted, while a client never stops asking.

Real pods, Argo CD, gateway, Prometheus operator; the promoter runs with the settings that a person would give it. The
tests follow each other.
"""

from __future__ import annotations

import pytest
from e2e_commands import got
from e2e_course import FAULTY, GOOD, LEAST_RATE

from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_the_first_version_is_stable_and_argo_cd_heals_and_ignores_nothing(serving, client):
    assert serving.release()["stable"]["version"] == 1
    application = got("application", serving.served.application, "--namespace", serving.place.argocd_namespace)
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert "ignoreDifferences" not in application["spec"]


def test_a_good_version_is_promoted_and_no_request_fails(course, versions, capsys):
    installation = course.installation
    installation.publish(versions[7], GOOD)
    installation.until(
        installation.release, lambda release: release["stable"]["version"] == GOOD, 420, "it is promoted"
    )
    course.settled()
    course.told(capsys, "a promotion")
    assert course.failed() == {}
    assert course.shortfalls() == []
    assert course.rate() >= LEAST_RATE
    subjects = [subject.rpartition(": ")[2] for _, _, subject in course.commits()]
    # The test before gave version 2 requests by hand, and took it away: the promoter writes that down first.
    subjects = [subject for subject in subjects if subject != "2 is withheld for a person"]
    assert subjects[0] == f"canary {GOOD} starts at 0 %"
    assert subjects[-2:] == [f"canary {GOOD} at 100 %", f"{GOOD} is stable"]
    assert course.unwell() == []
    assert any(ModelVersion(GOOD) in second.answered for second in course.seconds())


def test_a_faulty_version_is_reverted_and_stable_is_untouched(course, versions, capsys):
    installation = course.installation
    before = installation.release()["stable"]
    installation.publish(versions[3], FAULTY)
    installation.until(installation.release, lambda release: "rejected" in release, 420, "it is reverted")
    installation.until(installation.release, lambda release: "canary" not in release, 120, "its pods go")
    course.settled()
    course.told(capsys, "a revert")
    assert course.failed(but="INVALID_ARGUMENT") == {}
    assert course.shortfalls() == []
    assert course.rate() >= LEAST_RATE
    release = installation.release()
    assert release["stable"]["version"] == before["version"]
    assert [entry["version"] for entry in release["rejected"]] == [FAULTY]
    assert "requests failed" in release["rejected"][0]["reason"]
