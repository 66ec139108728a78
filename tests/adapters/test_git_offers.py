"""Branches of pull requests: the promoter's own, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from git_remote import FIRST_FILES, RESNET, BareRemote, git, promoter_of
from git_server import serving

from promoter.errors import ForbiddenWrite, InvalidName, PushRefused

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BRANCH = "promoter/production/resnet50"
AGREED = {RESNET: b"release:\n  approved: {}\n"}


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remote.git")


@pytest.fixture(params=["folder", "http"])
def repository(request, remote, tmp_path):
    if request.param == "folder":
        yield promoter_of(remote.url, tmp_path / "clone.git")
        return
    git(remote.folder, "config", "http.receivepack", "true")
    with serving(tmp_path) as server:
        yield promoter_of(server.url("remote.git"), tmp_path / "clone.git")


def tip(remote, branch=BRANCH):
    return git(remote.folder, "rev-parse", f"refs/heads/{branch}")


def test_a_branch_has_one_commit_on_the_one_that_was_named(remote, repository):
    head = repository.fetch()
    offered = repository.offer(BRANCH, head, AGREED, "Agree", NOON)
    assert tip(remote) == offered
    assert git(remote.folder, "log", "--format=%P %s", "-1", offered) == f"{head} Agree"
    assert git(remote.folder, "show", f"{offered}:{RESNET}").encode() + b"\n" == AGREED[RESNET]
    assert remote.head == head


def test_the_same_question_is_the_same_commit_and_another_takes_its_place(remote, repository):
    head = repository.fetch()
    first = repository.offer(BRANCH, head, AGREED, "Agree", NOON)
    assert repository.offer(BRANCH, head, AGREED, "Agree", NOON) == first
    other = repository.offer(BRANCH, head, {RESNET: b"release: {canary: {}}\n"}, "Agree to another", NOON)
    assert tip(remote) == other != first
    assert git(remote.folder, "rev-parse", f"{other}^") == head


def test_what_a_person_added_to_the_promoters_branch_goes_when_the_question_changes(remote, repository):
    head = repository.fetch()
    repository.offer(BRANCH, head, AGREED, "Agree", NOON)
    remote.commit({"README.md": "more"}, "A person's commit", on=BRANCH)
    again = repository.offer(BRANCH, head, AGREED, "Agree", NOON)
    assert tip(remote) == again


@pytest.mark.parametrize("branch", ["main", "other", "promoter", "promoter/../main", "promoter/a..b", "promoter/a b"])
def test_no_branch_but_the_promoters_is_written(remote, repository, branch):
    head = repository.fetch()
    with pytest.raises(InvalidName):
        repository.offer(branch, head, AGREED, "Agree", NOON)
    assert git(remote.folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_question_can_only_be_about_release_files(remote, repository):
    head = repository.fetch()
    for path in FIRST_FILES.keys() - {RESNET}:
        if not path.endswith("release.yaml"):
            with pytest.raises(ForbiddenWrite):
                repository.offer(BRANCH, head, {path: b"evil"}, "Agree", NOON)
    assert git(remote.folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_server_that_refuses_the_branch_is_told(remote, tmp_path):
    git(remote.folder, "config", "http.receivepack", "true")
    remote.hook("update", "echo no branches here >&2; exit 1")
    with serving(tmp_path) as server:
        repository = promoter_of(server.url("remote.git"), tmp_path / "clone.git")
        head = repository.fetch()
        with pytest.raises(PushRefused, match="refuses the branch"):
            repository.offer(BRANCH, head, AGREED, "Agree", NOON)
