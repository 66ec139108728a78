"""`promoter versions`: what a person sees of a store."""

from __future__ import annotations

import hashlib
import json

from click.testing import CliRunner

from promoter.cli import main
from promoter.documents.manifest import Manifest, ManifestFile, write_manifest


def store(tmp_path):
    folder = tmp_path / "ranker"
    for number in ("41", "42"):
        (folder / number).mkdir(parents=True)
        (folder / number / "saved_model.pb").write_bytes(b"graph")
    entry = ManifestFile("saved_model.pb", hashlib.sha256(b"graph").hexdigest(), 5)
    (folder / "41" / "manifest.json").write_bytes(write_manifest(Manifest((entry,))))
    (folder / "007").mkdir()
    return f"file://{folder}"


def run(*arguments):
    return CliRunner().invoke(main, ["versions", *arguments])


def test_people_get_a_table_of_size_age_and_what_is_missing(tmp_path):
    result = run(store(tmp_path))
    assert result.exit_code == 0
    rows = " ".join(result.output.split())
    assert "yes, sha256:" in rows
    assert "no: no manifest.json" in rows
    assert "is not a model version" in rows


def test_programs_get_a_line_of_json_for_each_version_newest_first(tmp_path):
    rows = [json.loads(line) for line in run(store(tmp_path), "--json").output.splitlines()]
    assert [row["name"] for row in rows] == ["42", "41", "007"]
    assert [row["complete"] for row in rows] == [False, True, False]
    assert rows[0] | {"modified": None} == {
        "version": 42,
        "name": "42",
        "complete": False,
        "digest": None,
        "reason": "no manifest.json: it is written last, so the upload has not finished",
        "files": 1,
        "bytes": 5,
        "modified": None,
    }
    assert rows[1]["digest"].startswith("sha256:")


def test_only_the_newest_are_looked_at(tmp_path):
    rows = [json.loads(line) for line in run(store(tmp_path), "--json", "--limit", "1").output.splitlines()]
    assert [row["name"] for row in rows] == ["42", "007"]


def test_a_marker_may_stand_for_the_manifest(tmp_path):
    address = store(tmp_path)
    (tmp_path / "ranker/42/_SUCCESS").write_text("")
    rows = [json.loads(line) for line in run(address, "--json", "--marker", "_SUCCESS").output.splitlines()]
    assert [row["complete"] for row in rows] == [True, False, False]


def test_a_store_that_cannot_be_is_one_sentence(tmp_path):
    result = run("http://169.254.169.254/models")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "http:// is not a kind of store" in result.stderr
    result = run(f"file://{tmp_path}/nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not exist" in result.stderr


def test_an_empty_store_is_said_to_be_empty(tmp_path):
    assert run(f"file://{tmp_path}").output == f"file://{tmp_path} holds nothing\n"
