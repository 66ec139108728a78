"""`promoter simulate` for people, for programs, and what it refuses."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from promoter.cli import options as module
from promoter.cli.simulate import simulate

POLICY = (
    "candidates: {store: 'gs://shop-models/ranker'}\nramp: {budget: 50, max_weight: 50}\nevidence: {bet: request}\n"
)
BROKEN = ("--rps", "1000", "--base", "0.1%", "--canary", "0.5", "--runs", "3")


@pytest.fixture
def run(tmp_path):
    def running(*arguments, policy=POLICY):
        file = tmp_path / "policy.yaml"
        file.write_text(policy)
        return CliRunner().invoke(simulate, ["--policy", str(file), *arguments])

    return running


def test_people_get_a_table(run):
    result = run(*BROKEN, "--peers")
    assert result.exit_code == 0
    assert "3 rollouts at 1000 requests a second; 0.1 % fail on stable, 50 % on the canary." in result.output
    lines = {line[:20].strip(): line for line in result.output.splitlines()}
    assert {"reverted", "promoted", "seconds to revert", "extra failed request"} <= lines.keys()
    assert "100 % (44 to 100)" in lines["reverted"]
    assert "Argo Rollouts" in result.output
    assert "Flagger" in result.output


def test_a_version_that_is_no_worse_is_reverted_falsely_if_at_all(run):
    assert "false reverts" in run("--rps", "1000", "--base", "0", "--canary", "0", "--runs", "1").output


def test_programs_get_one_object_and_the_same_one_again(run):
    first, second = (run(*BROKEN, "--json", "--seed", "4") for _ in range(2))
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    assert (found["rps"], found["base"], found["canary"], found["disturbance"]) == (1000, 0.001, 0.5, "none")
    assert (found["runs"], found["seed"]) == (3, 4)
    promoter = found["rules"]["promoter"]
    assert promoter["reverted"]["value"] == 1
    assert promoter["seconds_to_revert"]["value"] == 5
    assert promoter["seconds_to_promote"] is None
    assert json.loads(run(*BROKEN, "--json", "--seed", "5").stdout) != found


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rps", "0", "--base", "0", "--canary", "0"), "--rps"),
        (("--rps", "10", "--base", "1.5", "--canary", "0"), "write it like 0.001 or 0.1%"),
        (("--rps", "10", "--base", "nan", "--canary", "0"), "is no share of requests"),
        (("--rps", "10", "--base", "-1%", "--canary", "0"), "is no share of requests"),
        ((*BROKEN, "--runs", "0"), "--runs"),
        ((*BROKEN, "--disturbance", "earthquake"), "'none', 'bursts-x2'"),
        ((*BROKEN, "--scrape-interval", "soon"), "write it like 90s"),
        ((*BROKEN, "--scrape-interval", "1.5s"), "use whole seconds"),
    ],
)
def test_what_cannot_be_simulated_is_named(run, arguments, told):
    result = run(*arguments)
    assert result.exit_code
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_broken_policy_is_named_with_its_line(run):
    result = run(*BROKEN, policy=POLICY + "soak: yes\n")
    assert result.exit_code == 1
    assert "policy.yaml:4: " in result.output


def test_without_numpy_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    result = run(*BROKEN)
    assert result.exit_code == 1
    assert "pip install 'promoter[simulate]'" in result.output
