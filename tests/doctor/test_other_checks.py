"""What doctor says of clocks, stores and preflights; and what the command makes of all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest
from click.testing import CliRunner
from scripted_server import body, scripted_server

from promoter.cli import main
from promoter.doctor import git_checks, other_checks
from promoter.doctor.finding import Status, examine
from promoter.domain.preflight import PreflightPlace
from promoter.settings import WorkflowServer


def look(patient):
    return {result.check.name: result for result in examine((*git_checks.CHECKS, *other_checks.CHECKS), patient)}


@pytest.mark.parametrize(
    ("off", "expected"), [(0, Status.OK), (3, Status.WARNING), (-4, Status.WARNING), (60, Status.FAILURE)]
)
def test_clocks_that_differ_are_told_by_the_answers_dates(patient, monkeypatch, off, expected):
    # Servers cut their date to whole seconds: what they mean lies up to one second later.
    def date(*_):
        return format_datetime(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=off), usegmt=True)

    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", date)
    result = look(patient())["clocks"]
    assert result.status is expected, result.findings
    if off:
        assert ("ahead of" if off > 0 else "behind") in result.findings[0].what


def policy(address):
    return {"environments/staging/ranker/policy.yaml": f"candidates: {{store: '{address}'}}\n"}


def test_a_store_that_is_not_allowed_is_named(patient):
    result = look(patient())["stores"]
    assert result.status is Status.FAILURE
    assert "gs://shop/ranker is not allowed" in result.findings[0].what


def test_a_store_without_a_version_is_a_warning_and_one_that_is_not_there_a_failure(patient, remote, tmp_path):
    remote.commit(policy(f"file://{tmp_path}/store"), "A folder")
    known = {"stores": [f"file://{tmp_path}"]}
    assert look(patient(**known))["stores"].status is Status.FAILURE
    (tmp_path / "store").mkdir()
    assert look(patient(**known))["stores"].status is Status.WARNING


def test_preflights_that_are_off_are_a_warning(patient):
    assert look(patient(preflight=None))["preflight"].status is Status.WARNING


def test_preflights_beside_the_promoter_need_tensorflow_there(patient, monkeypatch):
    monkeypatch.setattr(other_checks, "find_spec", lambda name: None if name == "tensorflow" else object())
    result = look(patient(preflight=PreflightPlace.PROCESS))["preflight"]
    assert "tensorflow is not installed" in result.findings[0].what


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (200, Status.OK, "run as workflows of the template verify-version in the namespace argo"),
        (404, Status.FAILURE, "has no WorkflowTemplate verify-version: no version ever starts"),
        (403, Status.FAILURE, "refuses to show the WorkflowTemplate verify-version (status 403)"),
    ],
)
def test_preflights_as_workflows_need_their_template(patient, tmp_path, status, expected, words):
    (tmp_path / "workflows-token").write_text("TOKEN\n")
    with scripted_server() as server:
        server.answers["/api/v1/workflow-templates/argo/verify-version"] = body(b"{}", status)
        workflows = WorkflowServer(server.url, tmp_path / "workflows-token", "argo")
        result = look(patient(preflight=PreflightPlace.WORKFLOW, workflows=workflows))["preflight"]
    assert result.status is expected
    assert words in result.findings[0].what


def test_an_argo_server_that_is_not_there_is_told(patient):
    workflows = WorkflowServer("http://127.0.0.1:9", None, "argo")
    result = look(patient(preflight=PreflightPlace.WORKFLOW, workflows=workflows))["preflight"]
    assert "Argo Server is not reached" in result.findings[0].what


@pytest.fixture
def nowhere(tmp_path):
    """Settings by which nothing can be reached."""
    (tmp_path / "token").write_text("TOKEN-OF-ARGO-CD\n")
    return {
        "PROMOTER_REPOSITORY": "http://jane:PASSWORD-OF-GIT@127.0.0.1:9/models.git",
        "PROMOTER_CLONE": str(tmp_path / "clone"),
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
        "PROMOTER_PROMETHEUS_URL": "http://jane:PASSWORD-OF-PROMETHEUS@127.0.0.1:9",
    }


def test_where_nothing_answers_everything_is_looked_at_and_no_secret_is_shown(nowhere):
    result = CliRunner().invoke(main, ["doctor", "--json"], env=nowhere)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    failed = {finding["check"] for finding in told["findings"] if finding["status"] == "failure"}
    assert told["ok"] is False
    assert failed == {"repository", "argocd", "prometheus"}
    assert "PASSWORD" not in result.output
    assert "TOKEN-OF" not in result.output


def test_people_are_given_a_table_that_ends_with_a_sum(nowhere):
    result = CliRunner().invoke(main, ["doctor"], env=nowhere)
    assert result.exit_code == 1
    assert "FAILURE" in result.output
    assert result.output.splitlines()[-1].startswith("3 failed, ")
