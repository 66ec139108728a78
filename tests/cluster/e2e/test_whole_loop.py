"""From an empty repository and an empty store to versions promoted and reverted, while a client never stops asking.

Real pods, Argo CD, gateway, Prometheus operator; the promoter runs with the settings that a person would give it. The
tests follow each other.
"""

from __future__ import annotations

import time

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

from e2e_commands import got

from promoter.domain.version import ModelVersion

# What a machine that is busy with other things may cost a client that is open-loop: none of it is a failed request.
LEAST_RATE = 50
PODS = 3


class Course:
    """What happened from here on, to whoever looks later."""

    def __init__(self, installation, history, client):
        self.installation, self.history, self.client = installation, history, client
        self.since, self.began = history.now(), time.time()
        self.commits_before = len(self.commits(skip=0))

    def commits(self, skip=None):
        path = self.installation.served.release_path
        return self.installation.checkout.commits(path)[self.commits_before if skip is None else skip :]

    def seconds(self):
        return self.client.seconds(self.began)

    def failed(self, *, but=None):
        """Requests that failed, by version and code; `but` fails by itself."""
        return {
            (str(version), code): count
            for second in self.seconds()
            for version, codes in second.answered.items()
            for code, count in codes.items()
            if code != "OK" and version != but
        }

    def rate(self):
        seconds = self.seconds()
        return sum(second.sent for second in seconds) / (seconds[-1].time - seconds[0].time + 1)

    def shortfalls(self):
        return [sentence for moment in self.history.moments(self.since) for sentence in moment.shortfalls(PODS)]

    def settled(self):
        """Wait until the Application is well at the last commit, so that the next course begins at rest."""
        revision = self.commits(skip=0)[-1][0]

        def well():
            return [state for state in self.history.states() if state == (revision, "Synced", "Healthy")]

        self.installation.until(well, bool, 90, f"the Application is Synced and Healthy at {revision}")

    def unwell(self):
        """Commits after which the Application was never seen Synced and Healthy."""
        states = set(self.history.states(self.since))
        return [commit for commit in self.commits() if (commit[0], "Synced", "Healthy") not in states]

    def told(self, capsys, title):
        seconds = self.seconds()
        sent, moments = sum(second.sent for second in seconds), sum(1 for _ in self.history.moments(self.since))
        with capsys.disabled():
            print(  # noqa: T201 - the figures are what the test is for
                f"\n{title}: {len(self.commits())} commits, {sent} requests at {self.rate():.0f} a second in "
                f"{time.time() - self.began:.0f} s, failed: {self.failed() or 'none'}; capacity looked at after each of "
                f"{moments} writes to pods and routes"
            )


@pytest.fixture
def course(serving, history, client):
    return Course(serving, history, client)


def test_the_first_version_is_stable_and_argo_cd_heals_and_ignores_nothing(serving, client):
    assert serving.release()["stable"]["version"] == 1
    application = got("application", serving.served.application, "--namespace", serving.place.argocd_namespace)
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert "ignoreDifferences" not in application["spec"]


def test_a_good_version_is_promoted_and_no_request_fails(course, versions, capsys):
    installation = course.installation
    installation.publish(versions[2], 2)
    installation.until(installation.release, lambda release: release["stable"]["version"] == 2, 420, "2 is promoted")
    course.settled()
    course.told(capsys, "promotion of 2")
    assert course.failed() == {}
    assert course.shortfalls() == []
    assert course.rate() >= LEAST_RATE
    subjects = [subject.rpartition(": ")[2] for _, _, subject in course.commits()]
    assert subjects[0] == "canary 2 starts at 0 %"
    assert subjects[-2:] == ["canary 2 at 100 %", "2 is stable"]
    assert course.unwell() == []
    assert any(ModelVersion(2) in second.answered for second in course.seconds())


def test_a_faulty_version_is_reverted_and_stable_is_untouched(course, versions, capsys):
    installation = course.installation
    before = installation.release()["stable"]
    installation.publish(versions[3], 3)
    installation.until(installation.release, lambda release: "rejected" in release, 420, "3 is reverted")
    installation.until(installation.release, lambda release: "canary" not in release, 120, "3 is taken away")
    course.settled()
    course.told(capsys, "revert of 3")
    assert course.failed(but=ModelVersion(3)) == {}
    assert course.shortfalls() == []
    assert course.rate() >= LEAST_RATE
    release = installation.release()
    assert release["stable"]["version"] == before["version"]
    assert [entry["version"] for entry in release["rejected"]] == [3]
    assert "requests failed" in release["rejected"][0]["reason"]
