"""Alerts fire when they should and are silent when they should be: Prometheus' unit tests over the rendered rules."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import helm_python
import pytest
import yaml
from rendering import CHART, of_kind, render, situation

from promoter.documents import promql

PROJECT = CHART.parents[1]
RUNBOOK = PROJECT / "docs" / "runbook.md"
CASES = sorted(path.stem for path in (Path(__file__).parents[1] / "rules").glob("*.yaml"))

# What TensorFlow Serving exports, beside what the promoter itself asks for, and what Prometheus adds to each target.
KNOWN = {
    "up",
    promql.REQUESTS,
    promql.LATENCY_BUCKETS,
    promql.LATENCY_COUNT,
    promql.ISTIO_REQUESTS,
    ":tensorflow:cc:saved_model:load_attempt_count",
    ":tensorflow:serving:batching_session:queuing_latency_bucket",
    ":tensorflow:serving:batching_session:processed_batch_size_sum",
    ":tensorflow:serving:batching_session:processed_batch_size_count",
}
NAME = re.compile(r"(?<![\w:])(?::?[a-z_][a-z0-9_]*(?::[a-z0-9_.]+)+|up|[a-z]+_[a-z_]+_total)(?=[{\[])")


def rules(values):
    """The rendered groups; the objects' name says whose they are."""
    (rule,) = of_kind(render(values), "PrometheusRule").values()
    return rule["spec"]


def alerts():
    return [rule for group in rules(situation("monitored"))["groups"] for rule in group["rules"] if "alert" in rule]


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def values_of(case):
    """The values of a case: of `ci/monitored-values.yaml`, with what the case changes."""
    values = situation("monitored")
    for key, value in case.get("values", {}).items():
        *above, last = key.split(".")
        node = values
        for part in above:
            node = node[part]
        node[last] = value
    return values


@pytest.mark.parametrize("name", CASES)
def test_rules(name, tmp_path):
    case = yaml.safe_load((Path(__file__).parents[1] / "rules" / f"{name}.yaml").read_text(encoding="utf-8"))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules(values_of(case))), encoding="utf-8")
    interval = case.get("evaluation_interval", "30s")
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": case["tests"]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool("test", "rules", tmp_path / "tests.yaml")


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not():
    expected: dict[str, set[bool]] = {}
    for name in CASES:
        case = yaml.safe_load((Path(__file__).parents[1] / "rules" / f"{name}.yaml").read_text(encoding="utf-8"))
        for test in case["tests"]:
            for check in test["alert_rule_test"]:
                expected.setdefault(check["alertname"], set()).add(bool(check.get("exp_alerts")))
    assert expected == {alert["alert"]: {True, False} for alert in alerts()}


@pytest.mark.parametrize("name", ["monitored", "no-release", "stable-only", "full"])
def test_prometheus_takes_the_rules_in_every_situation(name, tmp_path):
    values = situation(name)
    values["monitoring"] = copy.deepcopy(situation("monitored")["monitoring"])
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules(values)), encoding="utf-8")
    assert "SUCCESS" in promtool("check", "rules", tmp_path / "rules.yaml")


def test_every_alert_says_what_is_wrong_and_has_a_heading_in_the_runbook():
    headings = {
        line.removeprefix("## ").strip().lower() for line in RUNBOOK.read_text().splitlines() if line[:3] == "## "
    }
    for alert in alerts():
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert urlsplit(alert["annotations"]["runbook_url"]).fragment == alert["alert"].lower()
        assert alert["alert"].lower() in headings
        assert alert["labels"]["severity"] in {"critical", "warning"}


def test_rules_without_a_runbook_are_refused():
    values = situation("monitored")
    del values["monitoring"]["rules"]["runbookUrl"]
    with pytest.raises(helm_python.HelmValuesError, match="/monitoring/rules/runbookUrl"):
        render(values)


@pytest.fixture(scope="module")
def dashboard():
    (config,) = (
        manifest
        for name, manifest in of_kind(render(situation("monitored")), "ConfigMap").items()
        if "dashboard" in name
    )
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = config["data"].values()
    return json.loads(text)


def queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_dashboard_asks_for_this_model_only(dashboard):
    assert dashboard["title"] == "resnet50 in production"
    assert "__" not in json.dumps(dashboard).replace("$__rate_interval", "")
    for query in queries(dashboard):
        for selector in re.findall(r"\{([^}]*)\}", query):
            assert '"production"' in selector
            assert "resnet50" in selector


def test_every_metric_that_is_asked_for_exists(dashboard):
    recorded = {
        rule["record"]
        for group in rules(situation("monitored"))["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    autoscalers = of_kind(render(situation("keda")), "ScaledObject").values()
    scaling = [trigger["metadata"]["query"] for scaled in autoscalers for trigger in scaled["spec"]["triggers"]]
    watched = [rule["expr"] for group in rules(situation("monitored"))["groups"] for rule in group["rules"]]
    for query in [*queries(dashboard), *scaling, *watched]:
        found = set(NAME.findall(query))
        assert found or "time()" in query, query
        assert found <= KNOWN | recorded, query


SERIES = 'namespace="production",model="resnet50",model_version="43",pod="c"'
QUEUE = ":tensorflow:serving:batching_session:queuing_latency_bucket"
SITUATIONS_OF_A_VERSION = {
    # 3 requests a second, half of them under 10 ms and all under 20; in the queue all under 1 ms.
    "busy": (
        {
            f"up{{{SERIES}}}": "1x60",
            f':tensorflow:serving:request_count{{{SERIES},status="OK"}}': "0+15x60",
            f':tensorflow:serving:request_latency_bucket{{{SERIES},le="10000"}}': "0+7.5x60",
            f':tensorflow:serving:request_latency_bucket{{{SERIES},le="20000"}}': "0+15x60",
            f':tensorflow:serving:request_latency_bucket{{{SERIES},le="+Inf"}}': "0+15x60",
            f'{QUEUE}{{{SERIES},le="1000"}}': "0+15x60",
            f'{QUEUE}{{{SERIES},le="+Inf"}}': "0+15x60",
        },
        [3, 19.8, 0.9],
    ),
    "idle, after requests": (
        {
            f"up{{{SERIES}}}": "1x60",
            f':tensorflow:serving:request_count{{{SERIES},status="OK"}}': "100x60",
            f':tensorflow:serving:request_latency_bucket{{{SERIES},le="10000"}}': "100x60",
            f':tensorflow:serving:request_latency_bucket{{{SERIES},le="+Inf"}}': "100x60",
        },
        [0, 0, 0],
    ),
    "before its first request": ({f"up{{{SERIES}}}": "1x60"}, [0, 0, 0]),
    "not read any more": ({f"up{{{SERIES}}}": "1x20 0+0x40"}, [None, None, None]),
    "of another model": ({f"up{{{SERIES.replace('resnet50', 'ranker')}}}": "1x60"}, [None, None, None]),
}


@pytest.mark.parametrize("name", SITUATIONS_OF_A_VERSION)
def test_keda_is_told_a_number_or_nothing(name, tmp_path):
    series, answers = SITUATIONS_OF_A_VERSION[name]
    scaled = of_kind(render(situation("keda")), "ScaledObject")["resnet50-v43"]
    queries = [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    checks = [
        {
            "expr": query,
            "eval_time": "5m",
            "exp_samples": [] if answer is None else [{"labels": "{}", "value": answer}],
        }
        for query, answer in zip(queries, answers, strict=True)
    ]
    test = {
        "interval": "5s",
        "input_series": [{"series": selector, "values": values} for selector, values in series.items()],
        "promql_expr_test": checks,
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}), encoding="utf-8")
    promtool("test", "rules", tmp_path / "tests.yaml")


def test_prometheus_parses_every_query_of_the_dashboard_and_the_autoscaler(dashboard, tmp_path):
    autoscalers = of_kind(render(situation("keda")), "ScaledObject").values()
    scaling = [trigger["metadata"]["query"] for scaled in autoscalers for trigger in scaled["spec"]["triggers"]]
    asked = [query.replace("$__rate_interval", "1m") for query in queries(dashboard)] + scaling
    group = {"name": "queries", "rules": [{"record": f"q{index}", "expr": query} for index, query in enumerate(asked)]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    promtool("check", "rules", tmp_path / "rules.yaml")
