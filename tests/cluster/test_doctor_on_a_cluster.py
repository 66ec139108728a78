"""What doctor says of a real Argo CD: the promoter's token is enough and not more, an administrator's is more."""

from __future__ import annotations

import os
from http import HTTPStatus

import pytest
from adapters.git_remote import BareRemote

from promoter.adapters.http_probe import get
from promoter.cli.wiring import patient
from promoter.doctor import argocd_checks, git_checks
from promoter.doctor.finding import Status, examine
from promoter.settings import settings

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        not {"ARGOCD_URL", "ARGOCD_TOKEN", "ARGOCD_ADMIN_TOKEN"} <= os.environ.keys(), reason="ARGOCD_URL names none"
    ),
]


@pytest.fixture
def look(tmp_path):
    remote = BareRemote(tmp_path / "models.git")

    def looked(token):
        (tmp_path / "token").write_text(token)
        told = settings(
            {
                "PROMOTER_REPOSITORY": remote.url,
                "PROMOTER_CLONE": str(tmp_path / "clone"),
                "PROMOTER_ARGOCD_URL": os.environ["ARGOCD_URL"],
                "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
                "PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9",
            }
        )
        checks = (*git_checks.CHECKS, *argocd_checks.CHECKS)
        return {result.check.name: result for result in examine(checks, patient(told, (), None))}

    return looked


def test_the_promoters_token_is_taken_and_may_read_only(look):
    results = look(os.environ["ARGOCD_TOKEN"])
    assert results["token"].status is Status.OK
    assert results["token's limits"].status is Status.OK, results["token's limits"].findings


def test_an_administrators_token_is_found_out(look):
    result = look(os.environ["ARGOCD_ADMIN_TOKEN"])["token's limits"]
    assert result.status is Status.FAILURE
    for right in ("sync applications", "delete applications", "create clusters", "update repositories", "create exec"):
        assert right in result.findings[0].what


def test_a_word_that_is_no_token_is_not_taken(look):
    assert look("nonsense")["token"].status is Status.FAILURE


def test_the_version_is_read_without_a_token():
    assert get(os.environ["ARGOCD_URL"], "/api/version").status == HTTPStatus.OK
