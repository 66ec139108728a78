"""From a candidate to a promotion on a real Gitea with a protected branch, whose webhook tells Argo CD of pushes.

Real pods, Argo CD, gateway, forge: people merge pull requests, the promoter does the steps between, and a client never
stops asking. An installation of its own, in a repository of its own. The tests follow each other.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import yaml
from e2e_client import Client, first_answer_of
from e2e_commands import got
from e2e_course import Course
from e2e_forge import ArgoSecret, Forge, Hearer, missing
from e2e_history import History
from e2e_installation import Installation
from e2e_routes import ROUTES

from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

APPROVALS = "approval: {start: pull-request, promote: pull-request}\n"
REFRESH = "argocd.argoproj.io/refresh"


@pytest.fixture(scope="module")
def forge(place, tmp_path_factory):
    if lacking := missing():
        pytest.skip(f"not in the environment: {', '.join(lacking)}")
    made = Forge(tmp_path_factory.mktemp("forge"))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def secret(place, forge):
    made = ArgoSecret(place)
    try:
        made.set()
        yield made
    finally:
        made.restore()


@pytest.fixture(scope="module")
def hearer(place, forge, secret):
    made = Hearer(place.argocd_url, forge.url)
    forge.call(made.url, secret.value)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shop(place, forge, hearer, tmp_path_factory):
    """The product, in the forge's repository: after the first commits nobody pushes but release.yaml files."""
    there = replace(place, repository=forge.url, repository_token=forge.robins_token)
    made = Installation(there, tmp_path_factory.mktemp("shop"))
    try:
        made.up()
        made.checkout.change(made.served.policy_path, lambda text: text + APPROVALS, "People are asked")
        forge.protect(made.name)
        made.start_promoter(
            PROMOTER_GIT_TOKEN_FILE=str(forge.promoters_token_file),
            PROMOTER_FORGE=f"gitea+{forge.page}",
            PROMOTER_FORGE_RIGHTS_TOKEN_FILE=str(forge.rights_file),
        )
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def history(shop):
    place = shop.place
    watched = History(shop.name, place.argocd_namespace, shop.served.application, ROUTES[place.route_kind])
    watched.start()
    yield watched
    watched.stop()


def asked(shop, forge, what, seconds):
    """The number of the promoter's open pull request."""
    title = title_of(shop, what)
    return shop.until(lambda: forge.open_pull_request(title), bool, seconds, f"a pull request: {title}")


def title_of(shop, what):
    return f"{shop.served.name}: {shop.served.environment}: {what}"


@pytest.fixture(scope="module")
def client(shop, forge, history, versions):
    """Version 1 is stable, by a merge, and answers."""
    shop.publish(versions[1], 1)
    number = asked(shop, forge, "start 1", 240)
    assert "stable" not in shop.release()
    forge.agree(number)
    shop.until(shop.release, lambda release: "stable" in release, 120, "version 1 becomes stable")
    first_answer_of(shop, ModelVersion(1), seconds=200)
    shop.until(history.is_well, bool, 170, "the Application is Synced and Healthy")
    sends = Client(shop)
    yield sends
    sends.stop()


@pytest.fixture
def course(shop, history, client):
    return Course(shop, history, client)


def refreshes(course):
    """Each time that Argo CD was asked to look at Git, from the course's beginning on: the events."""
    events = [event for event in course.history.events("Application") if event.revision > course.since]
    return [event for event in events if REFRESH in event.content["metadata"].get("annotations", {})]


def seen_at(course, revision):
    """The first event in which Argo CD has compared the cluster with this revision; None while there is none."""
    for event in course.history.events("Application"):
        if event.content.get("status", {}).get("sync", {}).get("revision") == revision:
            return event
    return None


def linked(shop, link):
    """A person's edit of values.yaml: a link on the Deployments, which starts no pod anew."""

    def edit(text):
        values = yaml.safe_load(text)
        values["links"] = {"dashboard": link}
        return yaml.safe_dump(values, sort_keys=False)

    return f"{shop.served.folder}/values.yaml", edit


def test_people_merge_twice_and_a_good_version_is_promoted(course, shop, forge, hearer, versions, capsys):
    shop.until_scraped()
    shop.publish(versions[7], 2)
    starting = asked(shop, forge, "start 2", 240)
    assert "canary" not in shop.release()
    merged = [forge.agree(starting)]
    shop.until(shop.release, lambda release: release.get("canary", {}).get("weight", 0) > 0, 240, "it gets requests")

    promoting = asked(shop, forge, "promote 2", 400)
    release = shop.release()
    assert release["stable"]["version"] == 1
    assert release["canary"]["weight"] < 100
    merged.append(forge.agree(promoting))
    shop.until(shop.release, lambda release: release["stable"]["version"] == 2, 300, "it is promoted")
    course.settled()
    course.told(capsys, f"two merges and a promotion, {len(hearer.deliveries)} webhooks")
    assert course.failed() == {}
    assert course.shortfalls() == []
    assert forge.pull_requests() == [(title_of(shop, what), True) for what in ("start 1", "start 2", "promote 2")]
    # The forge told Argo CD of the merges, and of the promoter's own commits as well.
    told = [commit[0] for commit in course.commits() if commit[0] not in merged]
    assert {status for revision in merged + told for status in hearer.of(revision)} == {200}
    assert all(hearer.of(revision) for revision in merged)


def test_a_persons_merge_is_live_because_the_forge_told_argo_cd_of_it(course, shop, forge, hearer, capsys):
    """Nobody else asks Argo CD to look: the promoter is at rest."""
    shop.stop_promoter()
    time.sleep(5)
    began = Course(shop, course.history, course.client)
    path, edit = linked(shop, "Dashboard|https://grafana.example.com/d/ranker")
    number = forge.propose(shop.name, path, edit, "A link to the dashboard")
    merged_at = time.time()
    revision = forge.agree(number)
    shop.until(lambda: hearer.of(revision), bool, 60, "the forge tells of the merge")
    shop.until(lambda: refreshes(began), bool, 60, "Argo CD's server asks for a look at Git")
    seen = shop.until(lambda: seen_at(began, revision), bool, 60, "Argo CD has seen the merge")
    stable = ("deployment", f"{shop.served.model}-v2", "--namespace", shop.name)
    link = "link.argocd.argoproj.io/dashboard"
    shop.until(lambda: got(*stable)["metadata"]["annotations"].get(link), bool, 60, "the Deployment has the link")
    [told] = [each for each in hearer.deliveries if each.revision == revision]
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what the test is for
            f"\na person's merge: told to Argo CD after {told.at - merged_at:.1f} s, compared after "
            f"{seen.seen - merged_at:.1f} s, with nobody but the webhook to ask for it"
        )
    assert told.status == 200
    assert told.ref == f"refs/heads/{shop.name}"
    assert refreshes(began)[0].revision < seen.revision


def test_a_webhook_with_another_secret_is_refused_and_argo_cd_does_not_look(course, shop, forge, hearer):
    forge.call(hearer.url, "another")
    path, edit = linked(shop, "Dashboard|https://grafana.example.com/d/other")
    revision = forge.agree(forge.propose(shop.name, path, edit, "Another link"))
    assert shop.until(lambda: hearer.of(revision), bool, 60, "the forge tells of the merge") == [400]
    time.sleep(5)
    assert refreshes(course) == []
