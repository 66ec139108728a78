"""What doctor says of the repository, by Git's own server and hooks."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from promoter.doctor import git_checks
from promoter.doctor.finding import Status, examine


def look(patient, name):
    """The findings of one check, and of what it needs."""
    (result,) = (result for result in examine(git_checks.CHECKS, patient) if result.check.name == name)
    return result


def test_a_repository_in_order_is_said_to_be(patient):
    said = {result.check.name: result.status for result in examine(git_checks.CHECKS, patient())}
    assert said == {
        "repository": Status.OK,
        "push": Status.OK,
        "rules": Status.UNTOLD,
        "signatures": Status.WARNING,
        "files": Status.OK,
        "folders": Status.OK,
    }


def test_a_push_is_tried_without_sending_anything(patient, remote, git_server):
    before = remote.head
    assert look(patient(), "push").status is Status.OK
    assert "GET /models.git/info/refs?service=git-receive-pack" in git_server.requests
    assert not any(request.startswith("POST") and "receive" in request for request in git_server.requests)
    assert remote.head == before


def test_where_steps_go_by_pull_request_a_push_is_one_of_their_branches(patient):
    [found] = look(patient(commits="pull-request"), "push").findings
    assert "offers steps on promoter-steps/*; whether it may merge them into main is told by real merges" in found.what


def test_an_account_that_may_not_push_is_found_out(patient, git_server):
    git_server.status_of_pushes = 403
    result = look(patient(), "push")
    assert result.status is Status.FAILURE
    assert "write access" in result.findings[0].remedy


def test_a_host_that_is_away_stops_only_what_needs_it(patient, git_server):
    git_server.status = 500
    said = {result.check.name: result.status for result in examine(git_checks.CHECKS, patient())}
    assert said["repository"] is Status.FAILURE
    assert said["push"] is said["files"] is Status.UNTOLD
    assert said["signatures"] is Status.WARNING


def test_a_host_without_a_rule_is_found_out_and_left_as_it_was(patient, remote):
    before = remote.head
    result = look(patient(scratch_branch="doctor"), "rules")
    assert result.status is Status.FAILURE
    assert remote._tip("doctor") is None
    assert remote.head == before


def test_a_host_with_the_hook_of_the_installation_page_is_believed_in_its_own_words(patient, remote, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    (hook,) = re.findall(r"^    #!/bin/sh\n((?:    .*\n)+)", page, re.MULTILINE)
    remote.hook("pre-receive", textwrap.dedent(hook))
    monkeypatch.setenv("GL_USERNAME", "promoter")
    looked_at = patient(scratch_branch="doctor")
    result = look(looked_at, "rules")
    assert result.status is Status.OK
    assert "the promoter may change release.yaml files only" in result.findings[0].what
    release = "environments/production/ranker/release.yaml"
    published = looked_at.repository.publish(looked_at.head, {release: b"release: {}\n"}, "A release", looked_at.now())
    assert remote.head == published
    monkeypatch.setenv("GL_USERNAME", "jane")
    assert look(patient(scratch_branch="jane"), "rules").status is Status.FAILURE


@pytest.mark.parametrize("branch", ["main", "two..dots", "taken"])
def test_nothing_is_tried_on_a_branch_that_is_somebodys(patient, remote, branch):
    remote.commit({"theirs.txt": "theirs"}, "Theirs", on="taken")
    heads = [remote.head, remote._tip("taken")]
    result = look(patient(scratch_branch=branch), "rules")
    assert result.status is Status.FAILURE
    assert [remote.head, remote._tip("taken")] == heads


@pytest.fixture
def key(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return tmp_path / "key"


def test_a_signing_key_that_is_among_the_allowed_ones_is_in_order(patient, key, tmp_path):
    signers = tmp_path / "signers"
    signers.write_text(f"promoter@localhost {key.with_suffix('.pub').read_text()}")
    assert look(patient(signing_key=key, allowed_signers=signers), "signatures").status is Status.OK
    signers.write_text(f"jane@localhost {key.with_suffix('.pub').read_text()}")
    strangers = look(patient(signing_key=key, allowed_signers=signers), "signatures")
    assert strangers.status is Status.FAILURE
    assert "does not list the signing key for promoter@localhost" in strangers.findings[0].what


def test_a_signing_key_that_cannot_be_used_is_a_failure(patient, tmp_path):
    assert look(patient(signing_key=tmp_path / "none"), "signatures").status is Status.FAILURE


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"environments/staging/ranker/release.yaml": "release: [\n"}, "environments/staging/ranker/release.yaml:"),
        ({"environments/staging/ranker/policy.yaml": None}, "environments/staging/ranker/policy.yaml: is not there"),
        ({"environments/staging/Ranker/release.yaml": "release: {}\n"}, "environments/staging/Ranker: "),
    ],
)
def test_a_file_that_is_wrong_is_named(patient, remote, files, said):
    remote.commit(files, "A mistake")
    result = look(patient(), "files")
    assert result.status is Status.FAILURE
    assert result.findings[0].what.startswith(said)


def test_only_the_environments_that_are_named_count(patient, remote):
    remote.commit({"environments/staging/ranker/release.yaml": "release: [\n"}, "A mistake")
    assert look(patient(environments=("production",)), "files").status is Status.OK
    assert "no model in an environment canada" in look(patient(environments=("canada",)), "files").findings[0].what


def test_a_folder_that_is_too_wide_for_git_is_named(patient, remote):
    remote.commit({f"environments/canada/m{number}/release.yaml": "release: {}\n" for number in range(1000)}, "Many")
    result = look(patient(), "folders")
    assert result.status is Status.WARNING
    assert result.findings[0].what.startswith("environments/canada has 1000 models")
