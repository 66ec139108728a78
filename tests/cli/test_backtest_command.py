"""`promoter backtest`: tables for people, one object for programs, pictures, and counts from a live server."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from real_prometheus import real_prometheus

from promoter.cli import main

POLICY = "candidates: {store: 'gs://shop-models/resnet50'}\nevidence: {bet: share, kappa: 1.1, interval: 15s}\n"
HEADER = "time,version,role,pod,requests,bad\n"
ORACLE = ((5, 750, 14, 14250), (0, 760, 11, 14240), (9, 745, 13, 14255), (0, 750, 0, 14250), (12, 1500, 12, 13500))

# A whole number of two-hour blocks, so that the past is in one of them.
T0 = 1_699_999_200
BEGIN = T0 + 3600
SCRAPES = 240


def lines(intervals, first=15):
    return HEADER + "".join(
        f"{first + 15 * number},42,stable,s-0,{stable},{theirs}\n{first + 15 * number},43,canary,c-0,{canary},{ours}\n"
        for number, (ours, canary, theirs, stable) in enumerate(intervals)
    )


KNOWN = lines(ORACLE)


@pytest.fixture
def run(tmp_path):
    def running(*arguments, counts=KNOWN, policy=POLICY):
        (tmp_path / "policy.yaml").write_text(policy)
        (tmp_path / "counts.csv").write_text(counts)
        given = ["--policy", str(tmp_path / "policy.yaml")]
        if "--prometheus" not in arguments:
            given += ["--counts", str(tmp_path / "counts.csv")]
        return CliRunner().invoke(main, ["backtest", *given, *arguments])

    return running


def test_programs_get_one_object_with_the_known_scores(run):
    result = run("--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["verdict"], len(told["intervals"])) == ("undecided", 5)
    assert "a sign of harm, not yet a proof" in told["reason"]
    last = told["intervals"][-1]
    assert last["time"] == 75
    assert last["log_e"]["errors"] == pytest.approx(1.97612829049792, abs=1e-9)
    # The mean of those that exist, their weights brought to a sum of 1.
    mean = (0.45 * math.exp(last["log_e"]["errors"]) + 0.1 * math.exp(last["log_e"]["hard_ceiling"])) / 0.55
    assert last["log_odds"] == pytest.approx(math.log(mean))
    assert last["action"] == "hold"
    assert {"time", "log_e", "log_odds", "upper_bound", "weight", "action", "reason"} <= last.keys()


def test_people_get_a_table_and_a_verdict(run):
    result = run(counts=lines([(500, 1000, 0, 9000)] * 2), policy=POLICY.replace("share", "request"))
    assert result.exit_code == 0, result.output
    assert "The canary would get 1 % first." in result.output
    assert "500 of 1\u202f000" in result.output
    assert "Verdict: revert. 50 % of requests failed against 0 % on stable." in result.output


def test_as_recorded_the_weights_are_those_that_were(run):
    told = json.loads(run("--as-recorded", "--json").stdout)
    assert told["first_weight"] == 5
    assert [interval["weight"] for interval in told["intervals"]] == [5, 5, 5, 5, 10]
    assert told["intervals"][0]["suggested_weight"] > 5


def test_the_picture_is_an_svg_that_needs_nothing_else(run, tmp_path):
    result = run("--svg", str(tmp_path / "course.svg"))
    assert result.exit_code == 0, result.output
    drawn = (tmp_path / "course.svg").read_text()
    texts = [element.text for element in ET.fromstring(drawn).iter() if element.tag.endswith("text")]
    assert {"canary 43", "stable 42", "revert at 100", "margin 0.5 %"} <= set(texts)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ("", "counts.csv: the file is empty"),
        (HEADER, "counts.csv: has no counts below its header"),
        (HEADER + "15,43,canary,c-0,-1,0\n", "counts.csv:2: requests is -1"),
        (HEADER.replace(",pod", ""), "counts.csv:1: lacks the column 'pod'"),
    ],
)
def test_what_cannot_be_judged_is_an_error_with_its_line(run, counts, told):
    result = run(counts=counts)
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--prometheus", "http://127.0.0.1:9"), "--prometheus needs --model, --environment, --from and --to as well"),
        (("--svg", "/nowhere/at/all.svg"), "cannot be written (No such file or directory)"),
        (("--from", "yesterday"), "'yesterday' is no time"),
    ],
)
def test_arguments_that_do_not_fit_are_named(run, arguments, told):
    result = run(*arguments)
    assert result.exit_code != 0
    assert told in result.stderr


def test_a_broken_policy_is_named_with_its_line(run):
    result = run(policy=POLICY + "max_weight: 3\n")
    assert result.exit_code == 1
    assert "policy.yaml:3: unknown key 'max_weight'" in result.stderr


def test_what_was_mended_is_noted_apart_from_the_answer(run):
    result = run("--json", counts=lines([(5, 3, 0, 900)] * 2))
    assert "note: " in result.stderr
    assert "5 bad requests of 3 are taken as 3" in result.stderr
    assert json.loads(result.stdout)["notes"]


def samples(name, labels, values, first):
    return [f"{name}{{{labels}}} {value} {first + 5 * number}" for number, value in enumerate(values)]


def pod(name, version, first, count, a_scrape, bad_each):
    """A pod whose scrapes come every 5 s: `a_scrape` requests each, one of `bad_each` scrapes with a failure."""
    labels = f'namespace="production",pod="{name}",model="resnet50",model_version="{version}",job="pods"'
    bad = [number // bad_each for number in range(count)]
    return [
        *samples("up", labels, [1] * count, first),
        *samples(
            ":tensorflow:serving:request_count",
            f'{labels},model_name="resnet50",status="OK"',
            [a_scrape * number - bad[number] for number in range(count)],
            first,
        ),
        *samples(
            ":tensorflow:serving:request_count",
            f'{labels},model_name="resnet50",status="INTERNAL"',
            bad,
            first,
        ),
    ]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    past = [
        *pod("s-0", 42, T0, 720 + SCRAPES, 450, 10),
        *pod("s-1", 42, T0, 720 + SCRAPES, 450, 10),
        *pod("c-0", 43, BEGIN - 30, SCRAPES, 100, 1),
    ]
    by_name = sorted(past, key=lambda line: line.split("{")[0])
    with real_prometheus(tmp_path_factory.mktemp("prometheus"), "\n".join(by_name)) as url:
        yield url


def asked(url, **changes):
    given = {
        "--prometheus": url,
        "--model": "resnet50",
        "--environment": "production",
        "--from": str(BEGIN),
        "--to": str(BEGIN + 600),
    } | changes
    return [word for pair in given.items() for word in pair]


def test_the_counts_can_come_from_a_live_server(run, prometheus):
    told = json.loads(run(*asked(prometheus), "--json", policy=POLICY).stdout)
    assert told["versions"] == {"stable": 42, "canary": 43}
    assert told["intervals"][0]["canary"] == {"requests": 300, "bad": 3, "slow": []}
    assert told["verdict"] == "revert"
    assert "1 % of requests failed against 0 % on stable" in told["reason"]


def test_the_server_and_a_file_with_the_same_counts_give_the_same(run, prometheus):
    live = json.loads(run(*asked(prometheus), "--json").stdout)
    rows = [
        f"{interval['time']:.0f},{version},{role},{role},{interval[role]['requests']},{interval[role]['bad']}\n"
        for interval in live["intervals"]
        for version, role in ((42, "stable"), (43, "canary"))
    ]
    filed = json.loads(run("--json", counts=HEADER + "".join(rows)).stdout)
    assert [one["log_odds"] for one in filed["intervals"]] == [one["log_odds"] for one in live["intervals"]]
    assert filed["verdict"] == live["verdict"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--model": "other"}, "Prometheus holds nothing of production/other in this time"),
        ({"--model": "../../x"}, "'environments/production/../../x' is not a model's folder"),
        ({"--to": str(BEGIN - 1)}, "--to must be later than --from"),
        ({"--from": str(BEGIN - 3000), "--to": str(BEGIN - 2000)}, "Prometheus shows 42: name --stable, --canary"),
        ({"--prometheus": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
def test_what_a_server_does_not_hold_is_said(run, prometheus, changes, told):
    result = run(*asked(prometheus, **changes))
    assert result.exit_code == 1
    assert told in result.stderr
