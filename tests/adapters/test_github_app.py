"""Tokens of a GitHub App: made in time, shared by all threads, for the forge's API and for Git."""

from __future__ import annotations

import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from adapters.forge_kinds import GitHubAppKind
from adapters.github_app import APP, PERMISSIONS, pem, tokens_of
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat
from git_remote import RESNET, BareRemote, promoter_of
from git_remote import git as in_git
from git_server import serving
from scripted_server import silent

from promoter.adapters.forges import ForgePlace, GitHubForge
from promoter.adapters.forges.place import github_api
from promoter.errors import ForgeUnavailable, RepositoryUnavailable
from promoter.token_file import NoToken
from promoter.tokens import TokenFile

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
NEW = b"release:\n  stable: {version: 43}\n"
NEW_TOKENS = "access_tokens"


@pytest.fixture
def kind(server, tmp_path):
    return GitHubAppKind(server, tmp_path)


def asked(server, what):
    return [request.path for request in server.requests if what in request.path]


def test_one_token_serves_until_five_minutes_before_its_end(kind, server):
    for _ in range(3):
        kind.forge.open_pull_requests("promoter/")
    kind.apps.clock.now += timedelta(minutes=54)
    kind.forge.open_pull_requests("promoter/")
    assert len(asked(server, NEW_TOKENS)) == 1
    assert len(asked(server, "/installation")) == 2  # the number, and the token

    kind.apps.clock.now += timedelta(minutes=2)
    kind.forge.open_pull_requests("promoter/")

    assert len(asked(server, NEW_TOKENS)) == 2
    last = [request.headers["Authorization"] for request in server.requests][-1]
    assert last == f"Bearer {kind.apps.issued[1]}"


@pytest.mark.parametrize("app", ["the id", "the client id"])
@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_the_app_is_known_by_either_name_and_its_key_by_either_form(kind, server, tmp_path, app, form):
    (tmp_path / "app.pem").write_bytes(pem(form=form))
    named = {"app": APP} if app == "the id" else {}
    assert tokens_of(kind.apps, server, tmp_path, **named).current() == kind.apps.issued[0]


def test_a_token_may_touch_this_repository_alone_and_do_what_is_needed(kind, server):
    kind.tokens.current()
    [request] = [request for request in server.requests if NEW_TOKENS in request.path]
    assert b'"repositories": ["models"]' in request.body
    assert all(f'"{name}": "{right}"'.encode() in request.body for name, right in PERMISSIONS.items())
    assert b"admin" not in request.body


def test_a_token_that_is_refused_is_replaced_once_and_the_question_asked_again(kind, server):
    kind.forge.open_pull_requests("promoter/")
    kind.apps.revoke()

    assert kind.forge.open_pull_requests("promoter/") == ()

    assert len(asked(server, NEW_TOKENS)) == 2
    assert len(asked(server, "/pulls")) == 3


def test_where_new_tokens_are_refused_as_well_it_is_told_and_not_asked_for_ever(kind, server):
    kind.apps.when_issued = lambda token: kind.apps.revoke()
    with pytest.raises(ForgeUnavailable, match="refuses our token: look whether the GitHub App Iv23liAbCdEf is"):
        kind.forge.open_pull_requests("promoter/")
    assert len(asked(server, "/pulls")) == 2


def test_a_token_that_another_thread_has_replaced_is_not_replaced_again(kind, server):
    old = kind.tokens.current()
    kind.apps.revoke()
    new = kind.tokens.instead_of(old)
    assert kind.tokens.instead_of(old) == new == kind.apps.issued[1]
    assert len(asked(server, NEW_TOKENS)) == 2


def test_while_github_is_away_the_old_token_serves_to_its_end(kind, server):
    token = kind.tokens.current()
    kind.apps.fault = 503
    kind.apps.clock.now += timedelta(minutes=56)
    assert kind.tokens.current() == token
    assert kind.tokens.current() == token
    assert len(asked(server, NEW_TOKENS)) == 2  # not at each use
    kind.apps.clock.now += timedelta(seconds=31)
    assert kind.tokens.current() == token
    assert len(asked(server, NEW_TOKENS)) == 3

    kind.apps.clock.now += timedelta(minutes=4)
    with pytest.raises(NoToken, match="status 503"):
        kind.tokens.current()

    kind.apps.fault = None
    assert kind.tokens.current() == kind.apps.issued[-1] != token


class _CountedLock:
    """A lock that tells how many have come to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.came = threading.Semaphore(0)

    def __enter__(self):
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *what):
        self._lock.release()


@pytest.mark.parametrize("fault", [None, 503])
def test_threads_that_wait_for_a_token_share_one_answer(kind, server, fault):
    kind.apps.fault = fault
    kind.tokens._lock = lock = _CountedLock()
    kind.tokens._installation = kind.apps.installation
    go = threading.Event()
    kind.apps.before_answering = lambda: go.wait(30)

    def outcome():
        try:
            return kind.tokens.current()
        except NoToken as error:
            return str(error)

    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(outcome) for _ in range(6)]
        for _ in range(6):
            assert lock.came.acquire(timeout=30)
        go.set()
        found = {one.result() for one in waiting}

    assert len(found) == 1
    assert found == set(kind.apps.issued) or "status 503" in found.pop()
    assert len(asked(server, NEW_TOKENS)) == 1


def test_an_app_that_was_installed_anew_is_found_under_its_new_number(kind):
    kind.tokens.current()
    kind.apps.installation += 1
    kind.apps.clock.now += timedelta(hours=1)
    assert kind.tokens.current() == kind.apps.issued[1]


def test_a_number_that_is_given_is_not_asked_for(kind, server, tmp_path):
    given = tokens_of(kind.apps, server, tmp_path, installation=4711)
    assert given.current() == kind.apps.issued[0]
    assert len(server.requests) == 1


def _not_installed(apps):
    apps.installation = None


def _suspended(apps):
    apps.is_suspended = True


def _not_granted(apps):
    apps.granted["contents"] = "read"


def _not_selected(apps):
    apps.repositories = {"another"}


def _ahead(apps):
    clock = apps.clock
    apps.clock = lambda: clock() - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_not_installed, "is not installed on shop/models: whoever owns the repository installs it"),
        (_suspended, "whoever owns shop/models may have suspended its installation .*has been suspended"),
        (_not_granted, r"its settings have to ask for contents \(write\), .*permissions requested are not granted"),
        (_not_selected, "whoever owns shop/models has to accept that and to let the installation see this repository"),
        (_ahead, r"our clock right to a minute .*\('iat'\)"),
    ],
)
def test_what_github_does_not_give_is_an_error_that_says_who_can_mend_it(kind, fault, words):
    fault(kind.apps)
    with pytest.raises(NoToken, match=words):
        kind.tokens.current()
    with pytest.raises(ForgeUnavailable, match=words):
        kind.forge.open_pull_requests("promoter/")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"app": "Iv23nobody"}, "PROMOTER_GITHUB_APP has to be its id or client id.*Integration not found"),
        ({"installation": 12}, "has no installation 12: correct PROMOTER_GITHUB_APP_INSTALLATION, or leave it out"),
        ({"permissions": {"administration": "write"}}, r"have to ask for administration \(write\)"),
    ],
)
def test_settings_that_do_not_fit_are_named(kind, server, tmp_path, changes, words):
    with pytest.raises(NoToken, match=words):
        tokens_of(kind.apps, server, tmp_path, **changes).current()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "private key cannot be read from .*app.pem: No such file"),
        (b"", "holds no private RSA key in PEM without a passphrase"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n", "holds no private RSA key"),
        (pem(elliptic(SECP256R1())), "holds no private RSA key"),
        (pem(encryption=BestAvailableEncryption(b"passphrase")), "holds no private RSA key .*without a passphrase"),
        (pem(generate_private_key(65537, 2048)), "a private key that its settings still list"),
    ],
    ids=["no file", "empty", "cut off", "elliptic", "with a passphrase", "another App's"],
)
def test_a_key_that_is_none_or_not_the_apps_is_told_and_never_shown(kind, tmp_path, caplog, content, words):
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "app.pem"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(NoToken, match=words) as failed:
        kind.tokens.current()
    told = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert not [line for line in (content or b"").decode().splitlines()[1:-1] if line and line in told]


def test_a_key_may_be_replaced_while_we_run(kind, tmp_path):
    (tmp_path / "app.pem").write_bytes(b"nothing yet")
    with pytest.raises(NoToken):
        kind.tokens.current()
    (tmp_path / "app.pem").write_bytes(pem())
    assert kind.tokens.current() == kind.apps.issued[0]


def test_neither_tokens_nor_signatures_are_shown(kind, server, caplog):
    caplog.set_level(logging.DEBUG)
    token = kind.tokens.current()
    kind.apps.when_issued = lambda token: kind.apps.revoke()
    kind.apps.revoke()
    with pytest.raises(ForgeUnavailable) as failed:
        kind.forge.open_pull_requests("promoter/")
    told = "".join(traceback.format_exception(failed.value)) + caplog.text + repr(vars(kind.tokens)) + repr(kind.place)
    sent = {request.headers["Authorization"].removeprefix("Bearer ") for request in server.requests}
    assert token in sent
    assert not [secret for secret in sent if secret in told]


def test_a_server_that_is_silent_is_no_token(kind, server, tmp_path):
    server.answers[""] = silent()
    hasty = tokens_of(kind.apps, server, tmp_path)
    hasty._api._session._seconds = 0.3
    with pytest.raises(NoToken, match="did not answer within"):
        hasty.current()


@pytest.mark.parametrize(
    "answer", [{}, {"token": "t", "expires_at": "soon"}, {"token": "t", "expires_at": "2026-11-27"}]
)
def test_an_answer_of_another_form_is_no_token(kind, answer):
    kind.apps._token = lambda said: (201, answer)
    with pytest.raises(NoToken, match="in a form that its API does not have"):
        kind.tokens.current()


def test_github_and_an_enterprise_server_have_their_api_at_different_places(tmp_path):
    tokens = TokenFile(tmp_path / "token")
    assert github_api(ForgePlace("https://github.com/shop/models", "main", tokens)) == "https://api.github.com"
    ours = ForgePlace("https://github.example.com/shop/models", "main", tokens)
    assert github_api(ours) == "https://github.example.com/api/v3"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remotes" / "shop.git")


@pytest.fixture
def git(remote, kind):
    """A Git server that takes the App's newest token and nothing else."""
    with serving(remote.folder.parent) as found:
        in_git(remote.folder, "config", "http.receivepack", "true")
        found.credentials = ("x-access-token", "there is none yet")

        def newest_only(token):
            found.credentials = ("x-access-token", token)

        kind.apps.when_issued = newest_only
        yield found


def test_git_goes_by_the_same_token_as_the_forge(kind, git, remote, server, tmp_path):
    promoter = promoter_of(git.url("shop.git"), tmp_path / "clone", tokens=kind.tokens)
    kind.forge.open_pull_requests("promoter/")
    head = promoter.fetch()
    assert promoter.publish(head, {RESNET: NEW}, "canary", AT) == remote.head != head
    assert len(asked(server, NEW_TOKENS)) == 1


def test_git_renews_a_token_that_ends_and_one_that_is_refused_before_its_end(kind, git, remote, server, tmp_path):
    promoter = promoter_of(git.url("shop.git"), tmp_path / "clone", tokens=kind.tokens)
    promoter.fetch()
    kind.apps.clock.now += timedelta(minutes=56)
    head = promoter.fetch()
    git.credentials = ("x-access-token", "the key was taken off the App")
    assert promoter.publish(head, {RESNET: NEW}, "canary", AT) == remote.head != head
    assert len(asked(server, NEW_TOKENS)) == 3


def test_git_says_why_it_has_no_token(kind, git, remote, tmp_path):
    promoter = promoter_of(git.url("shop.git"), tmp_path / "clone", tokens=kind.tokens)
    _not_installed(kind.apps)
    with pytest.raises(RepositoryUnavailable, match=r"asks for credentials: .*is not installed on shop/models"):
        promoter.fetch()


def test_git_does_not_ask_for_ever_where_no_token_is_taken(kind, git, remote, server, tmp_path):
    promoter = promoter_of(git.url("shop.git"), tmp_path / "clone", tokens=kind.tokens)
    kind.apps.when_issued = lambda token: None
    with pytest.raises(RepositoryUnavailable, match="refuses the promoter's credentials: look whether the GitHub App"):
        promoter.fetch()
    assert len(asked(server, NEW_TOKENS)) == 2


def test_a_file_that_was_replaced_in_between_has_another_token(tmp_path, kind):
    file = tmp_path / "token"
    file.write_text("old")
    tokens = TokenFile(file)
    assert tokens.current() == "old"
    assert tokens.instead_of("old") is None
    file.write_text("new")
    assert tokens.instead_of("old") == "new"
    forge = GitHubForge(replace(kind.place, tokens=tokens))
    with pytest.raises(ForgeUnavailable, match="refuses our token: put a valid one into"):
        forge.open_pull_requests("promoter/")
