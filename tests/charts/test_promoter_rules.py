"""The promoter's alerts fire when they should, are silent when they should be, and ask for metrics that there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from promoter_rendering import CHART, render, situation

from promoter.control.reconcile import Survey
from promoter.telemetry import PassMetrics
from promoter.telemetry.models import ModelFigures
from promoter.telemetry.standing import Waiting

CASES = yaml.safe_load((Path(__file__).parent / "promoter-rules.yaml").read_text(encoding="utf-8"))
ANNOTATIONS = {"summary", "description", "runbook_url"}


def groups(values):
    return render(values)["PrometheusRule"]["spec"]["groups"]


@pytest.fixture(scope="module")
def alerts():
    (group,) = groups(situation("full"))
    return {rule["alert"]: rule for rule in group["rules"]}


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def without_texts(given):
    """The rules without what people read: which alert fires is what is tested here."""
    return [
        {
            **group,
            "rules": [{key: value for key, value in rule.items() if key != "annotations"} for rule in group["rules"]],
        }
        for group in given
    ]


def test_alerts_fire_when_they_should_and_are_silent_when_they_should_be(tmp_path):
    rules = {"groups": without_texts(groups(situation("full")))}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": CASES}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool("test", "rules", tmp_path / "tests.yaml")


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not(alerts):
    expected: dict[str, set[bool]] = {}
    for case in CASES:
        for check in case["alert_rule_test"]:
            expected.setdefault(check["alertname"], set()).add(bool(check.get("exp_alerts")))
    assert expected == {alert: {True, False} for alert in alerts}


def test_prometheus_takes_the_rules_with_their_texts(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups(situation("full"))}), encoding="utf-8")
    promtool("check", "rules", tmp_path / "rules.yaml")


def test_every_alert_says_what_is_wrong_and_has_a_heading_in_the_runbook(alerts):
    runbook = (CHART.parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("## ").strip().lower() for line in runbook.splitlines() if line[:3] == "## "}
    for name, alert in alerts.items():
        assert alert["annotations"].keys() == ANNOTATIONS
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert urlsplit(alert["annotations"]["runbook_url"]).fragment == name.lower()
        assert name.lower() in headings


def test_alerts_ask_for_metrics_and_reasons_that_there_are(alerts):
    metrics = PassMetrics(CollectorRegistry())
    told = generate_latest(metrics.registry).decode()
    figures = ModelFigures()
    figures.saw(Survey("head", None, (), (), None))
    known = set(re.findall(r"^promoter_\w+", told, re.MULTILINE)) | {family.name for family in figures.collect()}
    for alert in alerts.values():
        assert set(re.findall(r"promoter_\w+", alert["expr"])) <= known
        results = set(re.findall(r'result="(\w+)"', alert["expr"]))
        assert all(f'result="{result}"' in told for result in results)
        assert set(re.findall(r'reason="(\w+)"', alert["expr"])) <= set(Waiting)
