"""One contract for every forge: Gitea for real; GitHub and GitLab by servers that answer as their documents say."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from adapters.forge_kinds import GiteaKind, GitHubAppKind, GitHubKind, GitLabKind
from real_gitea import a_gitea
from scripted_server import as_json, body, broken_off, silent, status

from promoter.adapters.forges import ForgePlace, GiteaForge
from promoter.domain.pull_request import Checks, CommitState, CommitStatus, PullRequestState
from promoter.errors import ForgeUnavailable, InvalidSettings
from promoter.tokens import TokenFile

BRANCH = "promoter/production/ranker"


def an_hour_ago():
    return datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(scope="module")
def gitea(tmp_path_factory):
    with a_gitea(tmp_path_factory.mktemp("gitea")) as found:
        yield found


@pytest.fixture(params=["gitea", "github", "github app", "gitlab"])
def kind(request, gitea, server, tmp_path):
    if request.param == "github":
        return GitHubKind(server, tmp_path)
    if request.param == "github app":
        return GitHubAppKind(server, tmp_path)
    if request.param == "gitlab":
        return GitLabKind(server, tmp_path)
    if gitea is None:
        pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
    return GiteaKind(gitea, tmp_path)


def test_a_pull_request_is_opened_changed_and_found_again(kind):
    kind.branch(BRANCH)
    opened = kind.forge.open_pull_request(BRANCH, "ranker: start 43", "A *body* of\n\n| a | table |\n|---|---|\n")
    assert (opened.branch, opened.state) == (BRANCH, PullRequestState.OPEN)
    assert opened.url.startswith(kind.place.url)

    kind.forge.change_pull_request(opened.number, "ranker: start 44", "Another body")

    [found] = kind.forge.open_pull_requests("promoter/")
    assert (found.number, found.title, found.body) == (opened.number, "ranker: start 44", "Another body")
    assert kind.forge.open_pull_requests("promoter/staging/") == ()


def test_a_fork_with_a_branch_of_our_name_is_nobody_of_ours(kind):
    number = kind.from_a_fork(BRANCH)
    assert kind.forge.pull_request(number).title == "From a fork"
    assert kind.forge.open_pull_requests("promoter/") == ()


def test_comments_are_read_with_their_authors_rights_as_they_are_now(kind):
    kind.branch(BRANCH)
    opened = kind.forge.open_pull_request(BRANCH, "ranker: start 43", "")
    ada, eve = kind.somebody("ada", "write"), kind.somebody("eve", "read")
    kind.speak(opened.number, ada, "/revert\nnow")
    kind.speak(opened.number, eve, "/promote")
    kind.forge.comment(opened.number, "An *answer*")

    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    said = kind.forge.comments(opened.number, hour_ago)

    assert [one.text.replace("\r", "") for one in said] == ["/revert\nnow", "/promote", "An *answer*"]
    assert [one.author for one in said] == [ada, eve, opened.author]
    assert all(one.url.startswith(kind.place.url) and str(one.number) in one.url for one in said)
    assert all(abs(one.at - datetime.now(UTC)) < timedelta(minutes=1) for one in said)
    assert [one.label for one in said] == [None, None, None]
    assert [kind.forge.speaker(one).may_write for one in said[:2]] == [True, False]
    assert [kind.forge.speaker(one).login for one in said[:2]] == [ada, eve]
    assert kind.forge.comments(opened.number, datetime.now(UTC) + timedelta(hours=1)) == ()
    kind.gone(ada)
    found = kind.forge.speaker(said[0])
    assert found is None or not found.may_write
    # Of an account that was deleted, or renamed so that somebody else has its name now, nothing is known.
    assert kind.forge.speaker(replace(said[1], author="nobody-of-that-name", account=99999)) is None


def test_more_comments_than_a_page_has_are_read(kind):
    kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "ranker: start 43", "").number
    for count in range(55):
        kind.forge.comment(number, f"Number {count}")
    said = kind.forge.comments(number, datetime.now(UTC) - timedelta(hours=1))
    assert [one.text for one in said] == [f"Number {count}" for count in range(55)]


def test_on_gitea_a_token_that_administers_nothing_is_told_of_nobodys_rights(gitea, tmp_path):
    if gitea is None:
        pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
    kind = GiteaKind(gitea, tmp_path)
    forge = GiteaForge(replace(kind.place, rights=None))
    kind.branch(BRANCH)
    number = forge.open_pull_request(BRANCH, "ranker: start 43", "").number
    kind.speak(number, kind.somebody("ada", "write"), "/revert")
    [said] = forge.comments(number, datetime.now(UTC) - timedelta(hours=1))
    assert forge.speaker(said) is None


def test_a_label_is_said_by_whoever_set_it_last_and_is_taken_off_again(kind):
    kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "ranker: start 43", "").number
    ada, grace = kind.somebody("ada", "write"), kind.somebody("grace", "write")
    assert kind.forge.labelled(number, an_hour_ago()) == ()
    kind.label(number, ada, "promoter/pause")
    kind.label(number, ada, "later")
    kind.unlabel(number, ada, "promoter/pause")
    kind.label(number, grace, "promoter/pause")
    kind.speak(number, ada, "promoter/pause")

    found = kind.forge.labelled(number, an_hour_ago())

    assert [(one.label, one.author, one.text) for one in found] == [
        ("promoter/pause", ada, ""),
        ("later", ada, ""),
        ("promoter/pause", grace, ""),
    ]
    assert len({one.url for one in found}) == len({one.number for one in found}) == 3
    assert all(one.url.startswith(kind.place.url) and str(one.number) in one.url for one in found)
    assert all(abs(one.at - datetime.now(UTC)) < timedelta(minutes=1) for one in found)
    assert [kind.forge.speaker(one).login for one in found] == [ada, ada, grace]
    assert kind.forge.speaker(found[0]).may_write
    kind.gone(ada)
    gone = kind.forge.speaker(found[0])
    assert gone is None or not gone.may_write
    assert kind.forge.labelled(number, datetime.now(UTC) + timedelta(hours=1)) == ()

    assert sorted(kind.forge.pull_request(number).labels) == ["later", "promoter/pause"]
    assert [sorted(one.labels) for one in kind.forge.open_pull_requests("promoter/")] == [["later", "promoter/pause"]]
    kind.forge.take_label_off(number, "promoter/pause")
    assert kind.forge.pull_request(number).labels == ("later",)
    kind.forge.take_label_off(number, "promoter/pause")
    kind.merge(number)
    kind.label(number, grace, "promoter/revert")
    assert kind.forge.labelled(number, an_hour_ago())[-1].label == "promoter/revert"
    kind.forge.take_label_off(number, "promoter/revert")
    assert kind.forge.pull_request(number).labels == ("later",)


def test_more_events_than_a_page_has_are_read(kind):
    kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "ranker: start 43", "").number
    ada = kind.somebody("ada", "write")
    for _ in range(28):
        kind.label(number, ada, "promoter/pause")
        kind.unlabel(number, ada, "promoter/pause")
    assert [one.label for one in kind.forge.labelled(number, an_hour_ago())] == ["promoter/pause"] * 28


def test_a_merged_pull_request_is_told_from_one_that_was_closed(kind):
    for branch in ("promoter/a", "promoter/b"):
        kind.branch(branch)
    merged = kind.forge.open_pull_request("promoter/a", "a", "").number
    closed = kind.forge.open_pull_request("promoter/b", "b", "").number
    kind.merge(merged)
    kind.forge.close_pull_request(closed, "Version 44 is *newer*.")

    assert kind.forge.pull_request(merged).state is PullRequestState.MERGED
    assert kind.forge.pull_request(closed).state is PullRequestState.CLOSED
    assert kind.comments(closed) == ["Version 44 is *newer*."]
    assert kind.forge.closed_pull_request("promoter/a").number == merged
    assert kind.forge.closed_pull_request("promoter/b").state is PullRequestState.CLOSED
    assert kind.forge.closed_pull_request("promoter") is None
    assert kind.forge.open_pull_requests("promoter/") == ()


def test_a_branch_is_deleted_once_and_may_be_gone_already(kind):
    kind.branch(BRANCH)
    kind.forge.delete_branch(BRANCH)
    assert kind.branches() == {"main"}
    kind.forge.delete_branch(BRANCH)


def test_the_newest_status_of_a_commit_is_the_one_that_is_shown(kind):
    revision = kind.branch(BRANCH)
    link = "https://argocd.example.com/applications/production-ranker"
    kind.forge.set_status(revision, CommitStatus(CommitState.PENDING, "canary 43 at 5 %", link))
    assert kind.status(revision) == ("pending", "canary 43 at 5 %", link)
    kind.forge.set_status(revision, CommitStatus(CommitState.SUCCESS, "live", link))
    assert kind.status(revision) == ("success", "live", link)
    kind.forge.set_status(revision, CommitStatus(CommitState.FAILURE, "reverted " + "x" * 100, link))
    assert kind.status(revision)[0] == "failure"


def test_checks_are_told_by_their_names_and_our_own_status_is_none(kind):
    revision = kind.branch(BRANCH)
    assert kind.forge.checks(revision) == Checks()
    for name, state in (("ci/test", "pending"), ("lint", "failure"), ("ci/build", "success")):
        kind.check(revision, name, state)
    kind.forge.set_status(revision, CommitStatus(CommitState.FAILURE, "reverted"))
    assert kind.forge.checks(revision) == Checks(pending=("ci/test",), failed=("lint",))
    assert kind.forge.checks(revision).waits_for == "failed: lint"
    kind.check(revision, "lint", "success")
    assert kind.forge.checks(revision).waits_for == "not over yet: ci/test"
    kind.check(revision, "ci/test", "success")
    assert kind.forge.checks(revision) == Checks()


def test_a_pull_request_is_merged_as_it_is_once_its_required_check_has_passed(kind):
    kind.requires("ci/test")
    head = kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "a step", "").number
    before = kind.main()

    told = eventually_told(lambda: kind.forge.merge_pull_request(number, head))
    assert told
    assert (kind.main(), kind.forge.pull_request(number).state) == (before, PullRequestState.OPEN)

    kind.check(head, "ci/test", "success")
    assert eventually_merged(lambda: kind.forge.merge_pull_request(number, head)) is None
    assert kind.forge.pull_request(number).state is PullRequestState.MERGED
    # GitHub has a commit of its own for it.
    assert kind.main() == head or isinstance(kind, GitHubKind)
    assert kind.main() != before


def test_a_pull_request_whose_head_is_another_commit_is_not_merged(kind):
    kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "a step", "").number
    before = kind.main()
    assert eventually_told(lambda: kind.forge.merge_pull_request(number, "e" * 40))
    assert (kind.main(), kind.forge.pull_request(number).state) == (before, PullRequestState.OPEN)


def test_a_pull_request_that_is_not_up_to_date_is_not_merged(kind):
    head = kind.branch(BRANCH)
    number = kind.forge.open_pull_request(BRANCH, "a step", "").number
    kind.moves_on()
    before = kind.main()
    assert eventually_told(lambda: kind.forge.merge_pull_request(number, head))
    assert (kind.main(), kind.forge.pull_request(number).state) == (before, PullRequestState.OPEN)


def test_on_github_a_token_that_may_not_see_runs_leaves_them_to_the_rules_of_the_branch(server, tmp_path):
    kind = GitHubKind(server, tmp_path)
    kind.hides_runs = True
    revision = kind.branch(BRANCH)
    kind.check(revision, "lint", "failure")
    kind.check(revision, "ci/test", "pending")
    assert kind.forge.checks(revision) == Checks(pending=("ci/test",))


def eventually_told(merge):
    """Why it is not merged, once the forge has found out whether it could be."""
    for _ in range(100):
        told = merge()
        assert told is not None
        if "try again later" not in told:
            return told
        time.sleep(0.1)
    return told


def eventually_merged(merge):
    for _ in range(100):
        told = merge()
        if told is None or "try again later" not in told:
            return told
        time.sleep(0.1)
    return told


def test_what_does_not_exist_is_an_error_that_says_so(kind):
    with pytest.raises(ForgeUnavailable, match="knows no such thing"):
        kind.forge.pull_request(999)


def test_a_token_that_is_refused_is_an_error_without_the_token(gitea, tmp_path):
    if gitea is None:
        pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
    kind = GiteaKind(gitea, tmp_path)
    kind.token_file.write_text("0123456789abcdef0123456789abcdef01234567")
    with pytest.raises(ForgeUnavailable, match="refuses our token") as caught:
        kind.forge.open_pull_requests("promoter/")
    assert "0123456789" not in str(caught.value)


@pytest.fixture
def scripted(server, tmp_path):
    (tmp_path / "token").write_text("a-token")
    return GiteaForge(
        ForgePlace(f"{server.url}/shop/models", "main", TokenFile(tmp_path / "token"), timedelta(seconds=2))
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(500), "status 500.*scripted"),
        (status(301, Location="http://elsewhere.example"), "redirects are not followed"),
        (body(b"<html>"), "not JSON"),
        (as_json({"no": "list"}), "in a form that its API does not have"),
        (as_json([{"head": None}]), "in a form that its API does not have"),
        (silent(), "did not answer within"),
        (broken_off(), "broke off"),
        (body(b" " * (17 * 2**20)), "broke off"),
    ],
)
def test_an_answer_that_cannot_be_used_is_one_error(server, scripted, answer, words):
    server.answers[""] = answer
    with pytest.raises(ForgeUnavailable, match=words):
        scripted.open_pull_requests("promoter/")


def test_a_token_is_read_at_each_use_and_one_that_is_missing_is_told(server, scripted, tmp_path):
    server.answers[""] = as_json([])
    scripted.open_pull_requests("promoter/")
    (tmp_path / "token").write_text("another")
    scripted.open_pull_requests("promoter/")
    assert [asked.headers["Authorization"] for asked in server.requests] == ["token a-token", "token another"]
    (tmp_path / "token").unlink()
    with pytest.raises(ForgeUnavailable, match="cannot be read"):
        scripted.open_pull_requests("promoter/")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/",
        "https://git.example.com/shop",
        "ssh://git.example.com/shop/models",
        "https://user@git.example.com/shop/models",
        "https://git.example.com/shop/../models",
    ],
)
def test_a_url_that_names_no_repository_is_refused(url, tmp_path):
    with pytest.raises(InvalidSettings, match="forge"):
        ForgePlace(url, "main", TokenFile(tmp_path / "token"))
