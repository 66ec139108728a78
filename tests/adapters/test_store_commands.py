"""`promoter publish` and `promoter versions` on each kind of store, as a person types them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from store_kinds import write_folder

from promoter.cli import main


@pytest.fixture
def model(tmp_path):
    return write_folder(tmp_path / "export")


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_what_is_published_is_in_the_list(kind, model):
    told = run("publish", model, kind.address)
    assert told.exit_code == 0, told.stderr
    assert f"{kind.address}/1 is complete: sha256:" in told.stdout
    (row,) = [json.loads(line) for line in run("versions", kind.address, "--json").stdout.splitlines()]
    assert (row["version"], row["complete"], row["files"]) == (1, True, 4)
    assert row["digest"] in told.stdout


def test_a_number_is_taken_once(kind, model):
    assert run("publish", model, kind.address, "--version", "7").exit_code == 0
    again = run("publish", model, kind.address, "--version", "7")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "version 7 is in the store already" in again.stderr


def test_an_upload_of_others_is_listed_with_what_is_missing(kind):
    kind.put("4/saved_model.pb", b"graph")
    kind.put("007/saved_model.pb", b"graph")
    rows = [json.loads(line) for line in run("versions", kind.address, "--json").stdout.splitlines()]
    assert [(row["name"], row["complete"]) for row in rows] == [("4", False), ("007", False)]
    assert "no manifest.json" in rows[0]["reason"]
