"""`promoter metrics dora`, over a real repository and a real store."""

import json
import os

import pytest
from builders import NOON
from click.testing import CliRunner
from past_commits import Past

from promoter.cli import main


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    made = Past(folder / "work")
    made.store = folder / "store"
    made.person("A policy", {made.served.policy_path: f'candidates: {{store: "file://{made.store}"}}\n'})
    made.first()
    made.starts()
    made.rises(5)
    made.promotes()
    made.starts(44)
    made.rises(10, 44)
    made.reverts(44, minutes=3)
    made.removes(44)
    model = made.store / "43" / "saved_model.pb"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a model")
    published = NOON.timestamp() - 3600
    os.utime(model, (published, published))
    return made


@pytest.fixture
def dora(past, tmp_path):
    # The commits are as old as they are, whatever today is.
    arguments = ["metrics", "dora", "--since", "366d"]
    return lambda *more: CliRunner().invoke(main, [*arguments, *more], env=past.settings(tmp_path) | {"COLUMNS": "130"})


def test_the_four_measures_from_git_alone(dora):
    said = json.loads(dora("--json").stdout)
    found = said["environments"]["production"]
    assert (found["deployments"], found["changes"], found["failed_changes"]) == (2, 3, 1)
    assert found["change_failure_rate"] == pytest.approx(1 / 3)
    assert found["lead_time_from_first_commit"] == {"count": 1, "median_seconds": 900, "longest_seconds": 900}
    assert found["time_to_restore"]["median_seconds"] == 180
    assert found["lead_time_from_publication"] is None
    assert said["clocks"]["everything_else"] == "commits"


def test_the_stores_clock_is_asked_for_and_named(dora, past):
    result = dora("--json", "--ask-stores")
    assert "note" not in result.stderr
    said = json.loads(result.stdout)
    lead = said["environments"]["production"]["lead_time_from_publication"]
    assert (lead["count"], lead["median_seconds"]) == (1, 3600 + 60 * 19)
    assert said["clocks"]["lead_time_from_publication"].startswith("store")


def test_people_get_a_row_for_each_environment_and_are_told_the_clock(dora):
    text = dora().stdout
    assert "1 of 3 (33 %)" in text
    assert "all times are those of commits" in text
    assert "from its publication" not in text
    assert "from its publication" in dora("--ask-stores").stdout


def test_an_environment_that_is_not_there_is_an_error(dora):
    result = dora("--environment", "staging")
    assert result.exit_code == 1
    assert "no model is served in staging" in result.output
