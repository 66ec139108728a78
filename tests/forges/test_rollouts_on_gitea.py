"""Whole rollouts on a real Gitea whose branch is protected: people merge, and the promoter does the steps between.

Git, Gitea, its rules, pull requests and webhooks are real; the cluster, its metrics and the clock are those of `fakes`.
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from builders import version
from fakes import POLICY, FakePreflights, World
from forge_repository import ProtectedRepository
from preflights import passed
from prometheus_client import CollectorRegistry
from real_gitea import a_gitea

from promoter.telemetry import Endpoints, Webhook, serve

BOTH = POLICY + "approval: {start: pull-request, promote: pull-request}\n"


@pytest.fixture(scope="module")
def gitea(tmp_path_factory):
    with a_gitea(tmp_path_factory.mktemp("gitea")) as found:
        if found is None:
            pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
        yield found


@pytest.fixture
def repository(gitea, tmp_path):
    return ProtectedRepository(gitea, tmp_path)


@pytest.fixture
def world(repository):
    # The forge has a clock of its own; ours is never behind it.
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    world = World(policy=BOTH, versions=(42, 43), now=ahead, repository=repository, forge=repository.forge)
    world.preflights = FakePreflights({43: passed(43, 42)})
    world.restart()
    return world


def asked(world, title):
    """Passes until there is an open pull request of this title."""
    found = []

    def is_asked():
        found[:] = [one for one in world.forge.open_pull_requests("promoter/") if one.title == title]
        return bool(found)

    assert world.run(900, until=is_asked), world.action().reason
    return found[0]


@pytest.mark.parametrize(("starting", "promoting"), [("merge", "squash"), ("rebase", "merge")])
def test_people_merge_twice_and_a_good_version_is_stable(world, repository, starting, promoting):
    first = asked(world, "ranker: production: start 43")
    assert not world.run(60, until=lambda: world.release.canary is not None)
    repository.agree(first.number, starting)
    assert world.run(60, until=lambda: world.release.canary is not None)

    second = asked(world, "ranker: production: promote 43")
    assert world.release.canary.weight < 100
    repository.agree(second.number, promoting)
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    world.run(10)

    assert repository.pull_requests() == [
        ("ranker: production: start 43", True, "closed"),
        ("ranker: production: promote 43", True, "closed"),
    ]
    states = repository.statuses()
    assert ("ranker: production: canary 43 starts at 0 %", "success") in states
    assert ("ranker: production: canary 43 at 100 %", "success") in states
    # A rebase of a branch that is up to date is no new commit: the question's own stands in the history.
    questions = (first.title, second.title)
    assert {state for subject, state in states if subject not in questions} == {"success"}


def test_a_bad_version_is_reverted_without_a_person(world, repository):
    repository.agree(asked(world, "ranker: production: start 43").number, "merge")
    assert world.run(120, until=lambda: world.weight > 0)
    world.behaviour[43].bad = 0.5
    assert world.run(120, until=lambda: world.weight == 0)
    assert world.run(60, until=lambda: world.release.canary is None)
    world.run(90)
    assert world.release.rejection(version(43))
    assert world.release.stable.version == version(42)
    assert world.forge.open_pull_requests("promoter/") == ()
    assert ("ranker: production: canary 43 reverted", "failure") in repository.statuses()


def test_a_revert_in_a_comment_on_the_merged_pull_request_is_a_writers_and_nobody_elses(world, repository):
    number = asked(world, "ranker: production: start 43").number
    repository.agree(number, "merge")
    assert world.run(120, until=lambda: world.weight > 0)

    repository.comment(number, "/revert", writer=False)
    world.run(25)
    assert world.weight > 0
    [_, answer] = repository.comments(number)
    assert "`/revert` is for people who may write to this repository" in answer

    repository.comment(number, "/revert\n\nit answers nonsense", writer=True)
    assert world.run(40, until=lambda: world.weight == 0)
    ours = [one for one in world.repository.log(world.repository.fetch()) if "Promoter-Comment: " in one.message]
    assert [one.subject for one in ours] == [f"ranker: production: canary 43 reverted by {repository.ada}"]
    assert world.release.rejection(version(43)).reason == f"{repository.ada}: it answers nonsense"
    answer = repository.comments(number)[-1]
    assert f"Done, in [`{ours[0].revision[:8]}`]({repository.url}/commit/{ours[0].revision})" in answer
    assert world.run(60, until=lambda: world.release.canary is None)
    world.run(60)
    assert len(repository.comments(number)) == 4


def test_a_writers_label_pauses_a_rollout_on_its_merged_pull_request_and_a_comment_ends_that(world, repository):
    number = asked(world, "ranker: production: start 43").number
    repository.agree(number, "merge")
    assert world.run(120, until=lambda: world.weight > 0)

    repository.label(number, "promoter/revert", leaves=True)
    world.run(25)
    assert world.weight > 0
    [answer] = repository.comments(number)
    assert "`promoter/revert`: Nothing was changed: `/revert` is for people who may write" in answer
    assert repository.labels(number) == []

    repository.label(number, "promoter/pause")
    assert world.run(40, until=lambda: world.release.paused)
    halted, weight = world.release, world.weight
    pause = halted.paused
    assert pause.by == repository.ada
    assert pause.said.startswith(f"{repository.url}/pulls/{number}#issuecomment-")
    [ours] = [one for one in world.repository.log(world.repository.fetch()) if "Promoter-Comment: " in one.message]
    assert ours.subject == f"ranker: production: paused by {repository.ada}"
    assert ours.message.endswith(f"Promoter-Comment: {pause.said}\n")
    world.run(300)
    assert world.weight == weight
    assert f"`promoter/pause`: Done, in [`{ours.revision[:8]}`]" in repository.comments(number)[-1]
    assert repository.labels(number) == []

    repository.comment(number, "/resume", writer=True)
    assert world.run(40, until=lambda: world.release.paused is None)
    assert world.release == replace(halted, paused=None)
    # What came meanwhile has proven it, so what is left is a person's word.
    repository.agree(asked(world, "ranker: production: promote 43").number, "merge")
    assert world.run(200, until=lambda: world.weight > weight)
    assert len(repository.comments(number)) == 4


def test_the_branch_takes_nothing_from_the_promoters_account_but_release_files(world, repository):
    refusal = repository.push_refused("environments/production/ranker/policy.yaml")
    assert "protected branch" in refusal
    first = asked(world, "ranker: production: start 43")
    assert re.fullmatch("[0-9a-f]{40}", first.head)


def test_a_page_of_the_forge_shows_the_question_as_it_is_meant(world, repository):
    page = repository.page(asked(world, "ranker: production: start 43").number)
    assert "<strong>Start version 43 of <code>ranker</code> in <code>production</code>.</strong>" in page
    assert page.count("<table") == 2
    assert "<summary>latency</summary>" in page
    assert "promoter: start" not in page
    assert "\\" not in page


def test_a_merge_wakes_the_promoter_by_the_forges_webhook(world, repository, tmp_path):
    (tmp_path / "webhook").write_text("a-secret")
    woken = threading.Event()
    endpoints = Endpoints(lambda: None, lambda: None, CollectorRegistry(), Webhook(tmp_path / "webhook", woken.set))
    first = asked(world, "ranker: production: start 43")
    with serve(endpoints, "127.0.0.1", 0) as port:
        repository.send_webhooks_to(f"http://127.0.0.1:{port}/webhook", "a-secret")
        repository.agree(first.number, "merge")
        assert woken.wait(30)
