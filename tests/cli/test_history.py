"""`promoter history` reads the decisions from the Git log."""

from __future__ import annotations

import json
import subprocess

import pytest
from click.testing import CliRunner

from promoter.cli import main

DECISION = """resnet50: production: canary 43 at 5 %

No sign of harm.

Promoter-Model: production/resnet50
Promoter-Action: set-weight
"""


@pytest.fixture
def settings(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        subprocess.run(["git", "-C", tmp_path / "work", *identity, *arguments], check=True, capture_output=True)

    (tmp_path / "work").mkdir()
    git("init", "--initial-branch", "main")
    git("commit", "--allow-empty", "-m", "Serve models from here")
    git("commit", "--allow-empty", "-m", DECISION)
    return {
        "PROMOTER_REPOSITORY": f"file://{tmp_path}/work/.git",
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "COLUMNS": "80",
    }


def history(settings, *arguments):
    return CliRunner().invoke(main, ["history", *arguments], env=settings)


def test_the_newest_decision_comes_first_and_fits_a_terminal(settings):
    result = history(settings)
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert lines[1].endswith("resnet50: production: canary 43 at 5 %")
    assert lines[2].endswith("Serve models from here")


def test_a_model_narrows_it_and_programs_get_json(settings):
    lines = history(settings, "resnet50", "--environment", "production", "--commits", "--json").output.splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["set-weight"]
    assert history(settings, "other", "--commits", "--json").output == ""


def test_a_remote_that_went_away_leaves_what_is_known_and_a_warning(settings, tmp_path):
    assert history(settings).exit_code == 0
    (tmp_path / "work").rename(tmp_path / "away")
    result = history(settings)
    assert "canary 43 at 5 %" in result.output
    assert "the last head that is known" in result.output


def test_without_settings_it_says_which_are_missing(monkeypatch):
    monkeypatch.delenv("PROMOTER_REPOSITORY", raising=False)
    result = CliRunner().invoke(main, ["history"])
    assert result.exit_code == 1
    assert "PROMOTER_REPOSITORY is not set" in result.output
