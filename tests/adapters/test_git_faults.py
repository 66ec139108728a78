"""A Git server that hangs, loses answers, refuses or is away; and a clone that is damaged."""

import logging
import shutil
import subprocess
import time
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from git_remote import RESNET, BareRemote, git, promoter_of
from git_server import serving

from promoter.errors import HeadMoved, InvalidSettings, RepositoryUnavailable
from promoter.tokens import TokenFile

AT = datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)
NEW = b"release:\n  stable: {version: 43}\n"
SECRET = "ghs_c4n4ry-t0ken"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remotes" / "shop.git")


@pytest.fixture
def server(remote):
    with serving(remote.folder.parent) as server:
        git(remote.folder, "config", "http.receivepack", "true")
        yield server


@pytest.fixture
def promoter(server, tmp_path):
    return promoter_of(server.url("shop.git"), tmp_path / "clone")


def test_a_server_that_hangs_is_unavailable_within_the_timeout(server, tmp_path):
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone", timeout=timedelta(milliseconds=300))
    head = promoter.fetch()
    server.hangs = True
    began = time.monotonic()

    with pytest.raises(RepositoryUnavailable):
        promoter.fetch()
    with pytest.raises(RepositoryUnavailable):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert time.monotonic() - began < 3
    assert promoter.last_known_head() == head


def test_a_push_whose_answer_was_lost_is_a_success(remote, server, promoter):
    head = promoter.fetch()
    server.drops_answers_to_pushes = True

    published = promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert published == remote.head


def test_a_push_whose_answer_was_lost_under_somebody_elses_push_is_computed_again(remote, server, promoter):
    head = promoter.fetch()
    server.drops_answers_to_pushes = True
    server.before_receiving = lambda: remote.commit({"README.md": "hello\n"}, "In between")

    with pytest.raises(HeadMoved):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)


def test_a_push_that_nobody_can_ask_about_says_so(remote, server, promoter):
    head = promoter.fetch()
    server.drops_answers_to_pushes = True
    server.before_receiving = lambda: setattr(server, "status", 503)

    with pytest.raises(RepositoryUnavailable, match="whether the push of"):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    server.status = None
    assert promoter.fetch() == remote.head != head


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_server_in_trouble_is_unavailable_and_heals(server, promoter, status):
    head = promoter.fetch()
    server.status = status

    with pytest.raises(RepositoryUnavailable, match=str(status)):
        promoter.fetch()
    with pytest.raises(RepositoryUnavailable):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    server.status = None
    assert promoter.fetch() == head


def test_a_server_that_is_away_leaves_the_last_known_head(remote, promoter, server):
    assert promoter.last_known_head() is None
    head = promoter.fetch()
    server.shutdown()
    server.server_close()

    with pytest.raises(RepositoryUnavailable):
        promoter.fetch()

    assert promoter.last_known_head() == head
    assert promoter.read(head, RESNET) == b"release: {}\n"


def test_a_branch_that_is_gone_is_unavailable_and_not_the_old_head(remote, promoter):
    promoter.fetch()
    git(remote.folder, "branch", "-M", "main", "trunk")

    with pytest.raises(RepositoryUnavailable, match="no branch 'main'"):
        promoter.fetch()


def test_an_unchanged_remote_costs_one_request(server, promoter):
    promoter.fetch()
    server.requests.clear()

    promoter.fetch()

    assert len(server.requests) == 1


def test_the_token_is_read_at_every_use(remote, server, tmp_path):
    server.credentials = ("x-access-token", "first")
    token = tmp_path / "token"
    token.write_text("first\n")
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone", tokens=TokenFile(token))
    head = promoter.fetch()

    server.credentials = ("x-access-token", "second")
    with pytest.raises(RepositoryUnavailable, match="refuses the promoter's credentials"):
        promoter.fetch()
    token.write_text("second\n")

    assert promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT) == remote.head != head


def test_credentials_in_the_address_serve_too(remote, server, tmp_path):
    server.credentials = ("jane", SECRET)

    promoter = promoter_of(server.url("shop.git", f"jane:{SECRET}@"), tmp_path / "clone")

    assert promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT) == remote.head


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_never_trusted(server, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    subprocess.run([*request, *names, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    server.encrypt(certificate, key)

    with pytest.raises(RepositoryUnavailable, match="certificate"):
        promoter_of(server.url("shop.git", scheme="https"), tmp_path / "clone").fetch()

    assert server.requests == []


@pytest.mark.parametrize("fault", ["wrong", "away", "none", "missing"])
def test_no_secret_is_ever_in_an_error_a_log_or_the_clone(server, tmp_path, caplog, fault):
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text(SECRET)
    url = server.url("shop.git", f"jane:{SECRET}@")
    server.credentials = ("jane", "another")
    if fault == "away":
        url = f"http://jane:{SECRET}@127.0.0.1:1/shop.git"
    settings = {
        "wrong": {},
        "away": {},
        "none": {"url": server.url("shop.git")},
        "missing": {"tokens": TokenFile(tmp_path / "no-token")},
    }
    promoter = promoter_of(**{"url": url, "clone": tmp_path / "clone", **settings[fault]})

    with pytest.raises(RepositoryUnavailable) as failed:
        promoter.fetch()

    told = "".join(traceback.format_exception(failed.value)) + caplog.text + repr(promoter._settings)
    assert SECRET not in told
    assert "127.0.0.1" in str(failed.value) or "no-token" in str(failed.value)
    assert not [file for file in (tmp_path / "clone").rglob("*") if file.is_file() and SECRET in file.read_text()]


def _truncate_objects(clone):
    for file in [*clone.glob("objects/??/*"), *clone.glob("objects/pack/*.pack")]:
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:20])


def _delete_objects(clone):
    for folder in clone.glob("objects/*"):
        shutil.rmtree(folder)


def _break_reference(clone):
    (clone / "refs/remotes/origin/followed").write_text("not a commit\n")


def _leave_marker_only(clone):
    for entry in clone.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "promoter-clone":
            entry.unlink()


def _leave_locks(clone):
    (clone / "refs/remotes/origin/followed.lock").touch()
    (clone / "config.lock").touch()


def _empty_marker(clone):
    (clone / "promoter-clone").write_text("")


@pytest.mark.parametrize(
    "damage",
    [_truncate_objects, _delete_objects, _break_reference, _leave_marker_only, _leave_locks, _empty_marker],
)
def test_a_damaged_clone_heals_after_a_restart(remote, server, promoter, tmp_path, damage):
    promoter.fetch()
    damage(tmp_path / "clone")
    head = remote.commit({RESNET: "newer\n"}, "Jane goes on")

    restarted = promoter_of(server.url("shop.git"), tmp_path / "clone")

    assert restarted.fetch() == head
    assert restarted.read(head, RESNET) == b"newer\n"
    assert restarted.publish(head, {RESNET: NEW}, "canary", AT) == remote.head


def test_damage_found_while_reading_is_healed_by_the_next_fetch(remote, tmp_path):
    promoter = promoter_of(remote.url, tmp_path / "clone")
    head = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)
    blob = promoter.object_id(head, RESNET)
    (tmp_path / "clone" / "objects" / blob[:2] / blob[2:]).unlink()
    restarted = promoter_of(remote.url, tmp_path / "clone")
    assert restarted.fetch() == head

    with pytest.raises(RepositoryUnavailable, match="damaged"):
        restarted.read(head, RESNET)

    assert restarted.fetch() == head
    assert restarted.read(head, RESNET) == NEW


def test_a_clone_of_another_remote_is_made_anew(tmp_path, remote):
    promoter_of(remote.url, tmp_path / "clone").fetch()
    other = BareRemote(tmp_path / "other.git", {RESNET: "other\n"})

    promoter = promoter_of(other.url, tmp_path / "clone")

    assert promoter.last_known_head() is None
    assert promoter.read(promoter.fetch(), RESNET) == b"other\n"


def test_a_folder_that_is_no_clone_of_ours_is_left_alone(tmp_path, remote):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")

    with pytest.raises(InvalidSettings, match="not empty"):
        promoter_of(remote.url, tmp_path / "home").fetch()

    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"


def test_a_download_that_is_too_large_is_broken_off(server, tmp_path):
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone", transfer_limit=10)

    with pytest.raises(RepositoryUnavailable, match="more than 10 bytes"):
        promoter.fetch()
