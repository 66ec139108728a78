"""Which adapters settings lead to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from promoter.cli import wiring
from promoter.settings import ForgeServer, GitHubApp, GitRemote

URL = "https://github.com/shop/models"


def _remote(app, folder):
    return GitRemote(f"{URL}.git", "main", folder / "clone.git", (), "promoter", "promoter@shop.example", app)


def test_an_apps_tokens_are_renewed_in_one_place_for_every_thread(tmp_path):
    app = GitHubApp("Iv23liAbCdEf", tmp_path / "app.pem", URL, None, asks=True, merges=False)
    remote = _remote(app, tmp_path)
    server = ForgeServer("github", URL, app)
    shared = wiring.repository(remote)._settings.tokens
    beside = wiring.repository(replace(remote, clone=tmp_path / "approvals.git"))._settings.tokens
    assert shared is beside is wiring.forge(server, "main")._place.tokens is wiring.forge(server, "main")._place.tokens
    assert shared._identity.permissions == {"contents": "write", "pull_requests": "write", "statuses": "write"}


def test_an_app_that_merges_has_to_see_checks(tmp_path):
    app = GitHubApp("Iv23liAbCdEf", tmp_path / "app.pem", URL, None, asks=True, merges=True)
    permissions = wiring.repository(_remote(app, tmp_path))._settings.tokens._identity.permissions
    assert permissions == {"contents": "write", "pull_requests": "write", "statuses": "write", "checks": "read"}


def test_an_app_that_serves_git_alone_asks_for_no_more(tmp_path):
    app = GitHubApp("Iv23liAbCdEf", tmp_path / "app.pem", URL, 4711, asks=False, merges=False)
    identity = wiring.repository(_remote(app, tmp_path))._settings.tokens._identity
    assert (identity.permissions, identity.installation) == ({"contents": "write"}, 4711)


def test_the_token_that_asks_for_rights_is_another_one_where_a_file_is_named(tmp_path):
    named = ForgeServer("gitea", "https://git.example.com/shop/models", Path("/a"), Path("/b"))
    place = wiring.forge(named, "main")._place
    assert (place.tokens.remedy, place.for_rights.tokens.remedy) == (
        "put a valid one into /a",
        "put a valid one into /b",
    )
