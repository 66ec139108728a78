"""`promoter explain`, on a rollout whose commits are in a real bare repository."""

from __future__ import annotations

import json
import subprocess

import pytest
from builders import version
from click.testing import CliRunner
from fakes import Behaviour, World
from world_repository import pushed

from promoter.cli import main
from promoter.domain.application import Health
from promoter.domain.measurements import Measurements


def reverted():
    """A rollout that ended in a revert: the last commit takes the canary away, the one before it the weight."""
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.1)
    assert world.run(600, until=lambda: bool(world.release.rejected) and world.release.canary is None)
    return world


class Command:
    def __init__(self, world, folder, monkeypatch):
        self.world, self.folder = world, folder
        pushed(world, folder / "remote.git")
        monkeypatch.setattr("promoter.cli.wiring.PrometheusMetrics", lambda *_, **__: world.metrics)
        traits = world.traits
        self.environment = {
            "PROMOTER_REPOSITORY": f"file://{folder}/remote.git",
            "PROMOTER_CLONE": str(folder / "clone.git"),
            "PROMOTER_PROMETHEUS_URL": "http://prometheus.example",
            "PROMOTER_ARGOCD_URL": "https://argocd.example",
            "PROMOTER_ARGOCD_TOKEN_FILE": str(folder / "no-token"),
            "PROMOTER_SCRAPE_INTERVAL": f"{traits.scrape_interval.seconds}s",
            "PROMOTER_REACTION_TIME": f"{traits.reaction_time.seconds}s",
            "PROMOTER_RESTART_PAUSE": f"{traits.restart_pause.seconds}s",
            "COLUMNS": "80",
        }

    def __call__(self, *arguments):
        return CliRunner().invoke(main, ["explain", *arguments], env=self.environment)


@pytest.fixture
def explain(tmp_path, monkeypatch):
    return Command(reverted(), tmp_path, monkeypatch)


def test_a_revert_is_shown_with_the_numbers_of_both_sides(explain):
    result = explain("HEAD~1")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == ["ranker:", "production:", "canary", "43", "reverted"]
    assert ["action", "revert", "revert"] in lines
    assert ["weight", "0", "%", "0", "%"] in lines
    (bad,) = [line for line in lines if line[:2] == ["canary:", "bad"]]
    assert bad[2] == bad[3] != "0"
    assert "Reason, recomputed: 9.7 % of requests failed against 0 % on stable" in result.output
    assert result.output.endswith("The decision would be the same, on the same numbers.\n")
    assert "≠" not in result.output


def test_latency_bounds_have_a_row_each_so_that_it_fits_a_terminal(explain):
    output = explain("HEAD~1").output
    assert all(len(line) <= 80 for line in output.splitlines())
    rows = [line.split() for line in output.splitlines()]
    assert ["bound", "2,", "in", "ms", "11.5683", "11.5683"] in rows
    assert ["canary:", "slow,", "bound", "2", "3", "3"] in rows


def test_a_start_has_no_numbers_and_every_commit_by_its_beginning_is_the_same(explain):
    ids = subprocess.run(
        ["git", "-C", explain.folder / "remote.git", "log", "--format=%h", "--author=promoter", "main"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert len(ids) == len(explain.world.subjects())
    assert [explain(name).exit_code for name in ids] == [0] * len(ids)
    assert explain(ids[-1]).output.endswith("The decision would be the same.\n")


def test_programs_get_one_object_with_every_figure(explain):
    said = json.loads(explain("main~1", "ranker", "--environment", "production", "--json").output)
    (decision,) = said["decisions"]
    assert (decision["model"], decision["outcome"]) == ("ranker", "same")
    assert decision["recorded"] == decision["recomputed"]
    assert (decision["recorded"]["action"], decision["recorded"]["rejected"]) == ("revert", [43])
    figure = decision["figures"]["canary.bad"]
    assert figure["recorded"] == figure["recomputed"] > 0
    assert figure["differs"] is False


def test_other_counts_are_marked_and_another_decision_ends_with_1(explain):
    for key, points in explain.world.metrics.series.items():
        if key[1:] == (43, "INTERNAL"):
            points[:] = [(at, 0.0) for at, _ in points]
    result = explain("HEAD~1")
    assert result.exit_code == 1
    (bad,) = [line.split() for line in result.output.splitlines() if line.startswith("canary: bad")]
    assert bad[3:] == ["0", "≠"]
    assert "The decision would be another one: " in result.output
    assert explain("HEAD~1", "--json").exit_code == 1


def test_samples_that_are_gone_are_no_other_numbers(explain):
    explain.world.metrics.measurements = lambda served, start, at, bounds: Measurements(
        start.timestamp(), at.timestamp()
    )
    result = explain("HEAD~1")
    assert result.exit_code == 1
    assert "Prometheus holds no samples of that time any more" in result.output
    (bad,) = [line.split() for line in result.output.splitlines() if line.startswith("canary: bad")]
    assert bad[3:] == ["–"]


def test_what_rests_on_argo_cds_word_is_said_to(tmp_path, monkeypatch):
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(health=Health.DEGRADED, pod_reason="CrashLoopBackOff")
    assert world.run(120, until=lambda: world.release.rejection(version(43)) is not None)
    result = Command(world, tmp_path, monkeypatch)("HEAD")
    assert result.exit_code == 1
    assert "It cannot be recomputed: it rests on what Argo CD said" in result.output


def test_a_silent_prometheus_is_said_in_one_sentence(explain):
    explain.world.metrics.down = "Prometheus does not answer"
    result = explain("HEAD~1")
    assert (result.exit_code, result.output) == (1, "error: Prometheus does not answer\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["HEAD~99"], "does not exist"),
        (["dead"], "does not exist"),
        (["a b; ls"], "cannot name a commit"),
        (["HEAD", "resnet50"], "decided nothing about that model"),
        (["HEAD", "--environment", "staging"], "decided nothing about that model"),
    ],
)
def test_what_cannot_be_explained_is_an_error_with_a_remedy(explain, arguments, says):
    result = explain(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert says in result.output


def test_a_persons_commit_is_named_with_its_author(explain):
    first = len(explain.world.repository.commits) - 1
    result = explain(f"HEAD~{first}")
    assert result.exit_code == 1
    assert "by Ada is not the promoter's" in result.output


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ([], "  Before a pull request:     promoter check"),
        (["explain"], "  promoter history --commits   find the commit"),
    ],
)
def test_the_help_leaves_examples_line_by_line(command, line):
    assert line in CliRunner().invoke(main, [*command, "--help"]).output.splitlines()


def test_a_remote_that_went_away_leaves_what_is_known_and_a_warning(explain):
    assert explain("HEAD").exit_code == 0
    (explain.folder / "remote.git").rename(explain.folder / "away")
    result = explain("HEAD")
    assert result.exit_code == 0
    assert "the last head that is known" in result.output
