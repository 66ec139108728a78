"""`promoter status` where commits go by pull request: what is open, and what it waits for."""

from __future__ import annotations

import json

import pytest
from adapters.forge_kinds import GitHubKind
from adapters.git_remote import BareRemote
from builders import RANKER
from click.testing import CliRunner
from scripted_server import scripted_server

from promoter.cli import main
from promoter.decisions.steps import COMMANDS, PASSES

TITLE = "ranker: production: canary 43 at 5 %"


@pytest.fixture
def forge(tmp_path):
    with scripted_server() as server:
        yield GitHubKind(server, tmp_path)


@pytest.fixture
def told(forge, tmp_path):
    files = {
        RANKER.policy_path: f'candidates: {{store: "file://{tmp_path}/models"}}\n',
        RANKER.release_path: "release: {}\n",
    }
    (tmp_path / "token").write_text("secret")
    return {
        "PROMOTER_REPOSITORY": BareRemote(tmp_path / "remote", files).url,
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9",
        "PROMOTER_FORGE": f"github+{forge.place.url}",
        "PROMOTER_FORGE_TOKEN_FILE": str(forge.token_file),
        "PROMOTER_COMMITS": "pull-request",
    }


def status(told, *options):
    result = CliRunner().invoke(main, ["status", *options], env=told)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_names_each_step_that_is_open_and_its_checks(forge, told):
    head = forge.branch(PASSES)
    forge.forge.open_pull_request(PASSES, TITLE, "")
    forge.check(head, "ci/test", "pending")
    forge.branch(COMMANDS)
    forge.forge.open_pull_request(COMMANDS, "ranker: production: canary 43 reverted by Ada", "")
    forge.branch("promoter/production/ranker")
    forge.forge.open_pull_request("promoter/production/ranker", "a question", "")

    text = status(told)
    assert f"{TITLE}\n  {forge.place.url}/pull/1\n  waits for checks not over yet: ci/test\n" in text
    assert f"{forge.place.url}/pull/2\n  waits for the promoter, or the branch's rules\n" in text
    assert "a question" not in text
    steps = json.loads(status(told, "--json"))["open_steps"]
    assert [one["waits_for"] for one in steps] == [
        "checks not over yet: ci/test",
        "the promoter, or the branch's rules",
    ]


def test_a_forge_that_does_not_answer_is_said_and_hides_nothing_else(forge, told):
    told["PROMOTER_FORGE"] = "github+http://127.0.0.1:9/shop/models"
    text = " ".join(status(told).split())
    assert "production/ranker: hold" in text
    assert "Whether a step waits in a pull request is not known: http://127.0.0.1:9/shop/models" in text
    assert json.loads(status(told, "--json"))["open_steps"] is None


def test_where_commits_are_pushed_no_forge_is_asked(forge, told):
    told["PROMOTER_COMMITS"] = "push"
    forge.branch(PASSES)
    forge.forge.open_pull_request(PASSES, TITLE, "")
    assert TITLE not in status(told)
    assert json.loads(status(told, "--json"))["open_steps"] == []
