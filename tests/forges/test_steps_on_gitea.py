"""Rollouts on a real Gitea whose branch takes no push from anybody: every commit comes by a pull request and its check.

Git, Gitea and its rules are real; the cluster, its metrics and the clock are those of `fakes`, and the CI is the test.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from builders import RANKER, version
from fakes import Behaviour, World
from forge_repository import SealedRepository
from real_gitea import a_gitea
from structlog.testing import capture_logs

from promoter.domain.pull_request import PullRequestState


@pytest.fixture(scope="module")
def gitea(tmp_path_factory):
    with a_gitea(tmp_path_factory.mktemp("gitea")) as found:
        if found is None:
            pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
        yield found


@pytest.fixture
def repository(gitea, tmp_path):
    return SealedRepository(gitea, tmp_path)


@pytest.fixture
def world(repository):
    # The forge has a clock of its own; ours is never behind it.
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    return World(versions=(42, 43), now=ahead, repository=repository, forge=repository.forge, by_pull_request=True)


def with_checks(world, repository, done, *, seconds=1500):
    """Passes, and every quarter of a minute a CI that finds nothing wrong; whether it came to `done`."""
    for _ in range(seconds // 15):
        if world.run(15, until=done):
            return True
        repository.run_checks()
    return False


def test_a_good_version_is_promoted_by_pull_requests_alone(world, repository):
    assert "protected branch" in repository.push_refused(RANKER.release_path)
    assert with_checks(
        world, repository, lambda: world.release.stable.version == version(43) and world.release.canary is None
    ), world.reconciler.waiting

    commits, by_git = repository.on_branch()
    assert by_git == repository.merged() == [commit.revision for commit in commits]
    assert all(commit.ours for commit in commits)
    assert {state for _, _, state in repository.pull_requests()} == {"closed"}
    assert [title for title, merged, _ in repository.pull_requests() if merged] == [one.subject for one in commits]
    assert commits[-1].subject == "ranker: production: 43 is stable"


def test_a_bad_version_is_reverted_by_a_pull_request_and_the_alarm_is_loud_until_then(world, repository):
    assert with_checks(world, repository, lambda: world.weight > 0), world.reconciler.waiting
    world.behaviour[43] = Behaviour(bad=1.0)

    def is_offered():
        return any("reverted" in one.title for one in world.forge.open_pull_requests("promoter-steps/"))

    assert world.run(90, until=is_offered)
    with capture_logs() as logs:
        world.run(15)
    told = [entry for entry in logs if entry["event"] == "push.refused"]
    assert len(told) >= 3
    assert {entry["log_level"] for entry in told} == {"critical"}
    assert "by pull request: " in told[-1]["detail"]
    assert repository.url in told[-1]["detail"]

    repository.run_checks("failure")
    world.run(15)
    assert world.weight > 0
    repository.run_checks()
    assert world.run(15, until=lambda: world.weight == 0)
    assert world.release.rejection(version(43))
    assert with_checks(world, repository, lambda: world.release.canary is None)

    commits, by_git = repository.on_branch()
    assert by_git == repository.merged() == [commit.revision for commit in commits]


def test_a_step_that_a_person_merges_by_a_merge_commit_is_the_promoters_step(world, repository):
    def opened():
        return world.forge.open_pull_requests("promoter-steps/")

    assert world.run(120, until=opened)
    [one] = opened()
    assert one.title == "ranker: production: canary 43 starts at 0 %"
    repository.run_checks()
    repository.merge_by_hand(one.number)
    assert world.run(30, until=lambda: world.release.canary is not None)
    [start] = [commit for commit in repository.log(repository.fetch()) if commit.subject == one.title]
    assert start.ours
    assert start.revision == one.head
    assert world.forge.pull_request(one.number).state is PullRequestState.MERGED
    assert with_checks(world, repository, lambda: world.weight > 0), world.reconciler.waiting
