"""A person's verb on a server that asks for a password: it is Git's own helper that knows it."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner
from git_remote import BareRemote, git
from git_server import serving

from promoter.cli import main


@pytest.fixture
def remote(tmp_path):
    made = BareRemote(tmp_path / "remotes" / "shop.git")
    git(made.folder, "config", "http.receivepack", "true")
    return made


def test_a_server_that_asks_for_a_password_gets_what_gits_own_helper_knows(remote, tmp_path):
    known, stored = tmp_path / "gitconfig", tmp_path / "credentials"
    known.write_text("[user]\n\tname = Ada\n\temail = ada@shop.example\n", encoding="utf-8")
    with serving(remote.folder.parent) as server:
        server.credentials = ("ada", "p@ss/word")
        url = server.url("shop.git")
        settings = {
            "PROMOTER_REPOSITORY": url,
            "PROMOTER_CLONE": str(tmp_path / "clone.git"),
            "GIT_CONFIG_GLOBAL": str(known),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": os.devnull,
        }
        words = ("freeze", "--all", "--reason", "the night")

        refused = CliRunner().invoke(main, words, env=settings)
        assert (refused.exit_code, "asks for credentials" in refused.output) == (1, True), refused.output

        known.write_text(f"{known.read_text()}[credential]\n\thelper = store --file={stored}\n", encoding="utf-8")
        stored.write_text(url.replace("http://", "http://ada:p%40ss%2Fword@").removesuffix("/shop.git") + "\n")
        taken = CliRunner().invoke(main, words, env=settings)
        assert taken.exit_code == 0, taken.output
        assert "p@ss" not in taken.output
    assert git(remote.folder, "log", "-1", "--format=%an %s", "main") == "Ada all: frozen by Ada"
    clone = [file for file in (tmp_path / "clone-people.git").rglob("*") if file.is_file()]
    assert clone
    assert not any(word in file.read_bytes() for file in clone for word in (b"p@ss", b"p%40ss"))
