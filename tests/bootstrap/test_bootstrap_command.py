"""`promoter bootstrap` prints what can be applied, writes what Git holds, and overwrites nobody's work."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from promoter.bootstrap.installation import Installation
from promoter.cli import main

REPOSITORY = "https://git.example.com/models.git"


def bootstrap(*arguments, repository=REPOSITORY):
    return CliRunner().invoke(main, ["bootstrap", "--repo", repository, *arguments])


def test_what_is_printed_can_be_applied_as_it_is():
    result = bootstrap("--environment", "staging", "--environment", "production")
    assert result.exit_code == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(result.stdout) if document]
    assert kinds == ["AppProject", "AppProject", "ApplicationSet", "AppProject", "Application"]


def test_what_others_write_too_is_printed_as_commands_that_a_shell_reads():
    result = bootstrap("--environment", "staging", "--argocd-namespace", "gitops")
    commands = [line.removeprefix("# ") for line in result.stdout.splitlines() if line.startswith("# kubectl ")]
    # Every argument on a line of its own: what a shell makes of the quotes.
    script = "\n".join(["kubectl() { printf '%s\\n' \"$@\"; }", *commands])
    words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert words[:3] == ["create", "namespace", "staging"]
    patches = [json.loads(word)["data"] for word in words if word.startswith("{")]
    assert patches == list(Installation(REPOSITORY, ("staging",), argocd_namespace="gitops").keys().values())
    assert words.count("gitops") == len(patches)


def test_what_remains_for_a_person_is_no_part_of_the_manifests():
    result = bootstrap("--environment", "staging")
    assert "a person has to do" in result.stderr
    assert "code owners" in result.stderr
    assert "code owners" not in bootstrap("--environment", "staging", "--no-app-of-apps").stderr


@pytest.mark.parametrize(
    ("repository", "complaint"),
    [
        ("https://me:secret@git.example.com/models.git", "holds a user or a password"),
        ("models", "cannot be used"),
        ("https://git.example.com/a.git # b", "cannot be used"),
    ],
)
def test_an_address_that_cannot_stand_in_a_manifest_is_refused(repository, complaint):
    result = bootstrap("--environment", "staging", repository=repository)
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--environment", "Staging"], "'Staging' cannot name an environment"),
        (["--environment", "staging", "--environment", "staging"], "named twice"),
        (["--environment", "staging", "--branch", "main: x"], "branch"),
    ],
)
def test_a_name_that_would_not_work_is_refused(arguments, complaint):
    result = bootstrap(*arguments)
    assert result.exit_code == 1
    assert complaint in result.stderr


def test_the_environments_are_the_folders_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "give each with --environment" in bootstrap().stderr
    (tmp_path / "environments" / "canada").mkdir(parents=True)
    assert "models-canada" in bootstrap().stdout


def test_files_are_written_once_and_then_left_alone(tmp_path):
    arguments = ("--environment", "staging", "--write", str(tmp_path))
    assert bootstrap(*arguments).exit_code == 0
    project = tmp_path / "environments" / "staging" / "project.yaml"
    assert "is there already" in bootstrap(*arguments).stdout
    project.write_text(project.read_text() + "# ours\n")
    (tmp_path / "environments" / "applicationset.yaml").unlink()
    result = bootstrap(*arguments)
    assert result.exit_code == 1
    assert "environments/staging/project.yaml would change: nothing was written" in result.stderr
    assert not Path(tmp_path, "environments", "applicationset.yaml").exists()


def test_without_kubectl_it_is_said_what_to_do_instead(monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = bootstrap("--environment", "staging", "--apply")
    assert result.exit_code == 1
    assert "kubectl is not on PATH" in result.stderr
