"""The record of what was told: in a reference of its own, by compare-and-swap, over every kind of remote."""

import threading
from datetime import UTC, datetime

import pytest
from git_remote import NOON, BareRemote, git
from git_server import GitServer

from promoter.adapters.git import GitJournal, GitSettings
from promoter.domain.notice import Notified
from promoter.errors import HeadMoved, InvalidDocument, PushRefused, RepositoryUnavailable

AT = datetime.fromtimestamp(NOON, UTC)
REF = "refs/promoter/notified"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "served" / "remote.git")


@pytest.fixture(params=["folder", "http"])
def url(request, remote, tmp_path, git_http):
    return remote.url if request.param == "folder" else git_http.url("remote.git")


@pytest.fixture
def git_http(remote):
    git(remote.folder, "config", "http.receivepack", "true")
    server = GitServer(remote.folder.parent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def journal(url, tmp_path):
    def made(name="one"):
        settings = GitSettings(url, "main", tmp_path / name / "clone.git", "promoter", "promoter@shop.example")
        return GitJournal(settings, tmp_path / name / "notified.git")

    return made


def record(remote, *told):
    return Notified(remote.head, tuple(told))


def test_there_is_none_and_then_the_one_that_was_written_is_there_for_everybody(journal, remote):
    first = journal()
    assert first.read() is None
    first.write(record(remote, "a"), AT)
    first.write(record(remote, "a", "b"), AT)
    assert journal("two").read() == record(remote, "a", "b")
    assert git(remote.folder, "rev-parse", "main") == remote.first


def test_of_two_that_replace_the_same_record_the_second_is_refused_and_sees_the_first(journal, remote):
    first, second = journal(), journal("two")
    for none_yet in (first, second):
        assert none_yet.read() is None
    first.write(record(remote, "a"), AT)
    with pytest.raises(HeadMoved):
        second.write(record(remote, "b"), AT)
    assert second.read() == record(remote, "a")
    second.write(record(remote, "a", "b"), AT)
    with pytest.raises(HeadMoved):
        first.write(record(remote, "a", "c"), AT)
    assert first.read() == record(remote, "a", "b")


def test_the_same_record_written_twice_is_written_once(journal, remote):
    first = journal()
    first.read()
    first.write(record(remote, "a"), AT)
    second = journal("two")
    second.read()
    second.write(record(remote, "a"), AT)
    assert second.read() == record(remote, "a")


def test_it_keeps_the_newest_200(journal, remote):
    first = journal()
    first.read()
    first.write(record(remote, *map(str, range(300))), AT)
    assert first.read().told == tuple(map(str, range(100, 300)))


def test_a_record_that_is_not_ours_is_refused_and_left_alone(journal, remote):
    git(remote.folder, "update-ref", REF, "main")
    with pytest.raises((InvalidDocument, RepositoryUnavailable)):
        journal().read()
    assert git(remote.folder, "rev-parse", REF) == remote.first


def test_a_server_that_is_away_is_said_to_be(journal, remote):
    first = journal()
    first.read()
    remote.folder.rename(remote.folder.with_name("away"))
    with pytest.raises(RepositoryUnavailable):
        first.read()
    with pytest.raises(RepositoryUnavailable):
        first.write(Notified("a" * 40), AT)


def test_an_answer_that_is_lost_is_read_back(git_http, remote, tmp_path):
    settings = GitSettings(git_http.url("remote.git"), "main", tmp_path / "c.git", "promoter", "p@shop.example")
    first = GitJournal(settings, tmp_path / "notified.git")
    first.read()
    git_http.drops_answers_to_pushes = True
    first.write(record(remote, "a"), AT)
    assert first.read() == record(remote, "a")


def test_a_hook_that_refuses_the_reference_is_quoted(git_http, remote, tmp_path):
    hook = remote.folder / "hooks" / "update"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = GitSettings(git_http.url("remote.git"), "main", tmp_path / "c.git", "promoter", "p@shop.example")
    first = GitJournal(settings, tmp_path / "notified.git")
    first.read()
    with pytest.raises(PushRefused, match=REF):
        first.write(record(remote, "a"), AT)
