"""`promoter forecast` and `promoter check --prometheus`: what live traffic lets a policy expect."""

from __future__ import annotations

import json
import subprocess
import time
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from real_prometheus import real_prometheus

from promoter.cli import main

RELEASE = f"release:\n  stable:\n    version: 42\n    digest: sha256:{42:064x}\n"
POLICY = "candidates: {store: 'gs://shop-models/resnet50'}\n"
MINUTES = 30


def past(now, a_scrape):
    """Half an hour of two pods, up to now: every tenth scrape one of `a_scrape` requests fails."""
    count = MINUTES * 12
    first = now - 5 * (count - 1)
    series = {}
    for pod in ("s-0", "s-1"):
        labels = f'namespace="production",pod="{pod}",model="resnet50",model_version="42",job="pods"'
        bad = [number // 10 for number in range(count)]
        ok = [a_scrape * number - bad[number] for number in range(count)]
        series[f"up{{{labels}}}"] = [1] * count
        series[f':tensorflow:serving:request_count{{{labels},model_name="resnet50",status="OK"}}'] = ok
        series[f':tensorflow:serving:request_count{{{labels},model_name="resnet50",status="INTERNAL"}}'] = bad
    return "\n".join(
        f"{name} {value} {first + 5 * number}" for name in sorted(series) for number, value in enumerate(series[name])
    )


@pytest.fixture(scope="module", params=[500, 1], ids=["busy", "thin"])
def busy(request, tmp_path_factory):
    """(URL of a Prometheus, whether there is much traffic): 200 requests a second, or 0.4."""
    with real_prometheus(tmp_path_factory.mktemp("prometheus"), past(int(time.time()) - 2, request.param)) as url:
        yield url, request.param > 1


@pytest.fixture
def settings(tmp_path, busy):
    work = tmp_path / "work"
    for environment, release in (("production", RELEASE), ("staging", "release: {}\n")):
        folder = work / "environments" / environment / "resnet50"
        folder.mkdir(parents=True)
        (folder / "release.yaml").write_text(release)
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "values.yaml").write_text("model: {name: resnet50}\n")
    for arguments in (["init", "--initial-branch", "main"], ["add", "."], ["commit", "-m", "Serve models from here"]):
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        subprocess.run(["git", "-C", work, *identity, *arguments], check=True, capture_output=True)
    (tmp_path / "token").write_text("token")
    return {
        "PROMOTER_REPOSITORY": f"file://{work}/.git",
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "PROMOTER_PROMETHEUS_URL": busy[0],
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
    }


def forecast(settings, *arguments, model="resnet50", environment="production"):
    return CliRunner().invoke(main, ["forecast", model, "--environment", environment, *arguments], env=settings)


def test_programs_get_the_weights_the_costs_and_what_is_needed(settings, busy):
    result = forecast(settings, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [case["error_ratio"] for case in told["bad"]] == [0.002, 0.005, 0.01, 0.05, 0.5]
    assert told["base_error_ratio"] == pytest.approx(0.0002 if busy[1] else 0.1, rel=0.1)
    assert told["requests_per_second"] == pytest.approx(200 if busy[1] else 0.4, rel=0.1)
    assert told["need"]["in_time"] is busy[1]
    assert (told["cannot_end"] is None) is busy[1]
    if busy[1]:
        assert told["good"]["ends"] == "promoted"
        assert told["good"]["seconds_to_stable"] == told["good"]["seconds"] + 600
        assert told["bad"][-1]["ends"] == "reverted"
        assert told["bad"][-1]["seconds"] <= 15


def test_people_get_a_table_and_are_told_what_cannot_be(settings, busy):
    result = forecast(settings)
    assert result.exit_code == 0, result.output
    assert "as stable does" in result.output
    assert ("no rollout can end" in " ".join(result.output.split())) is not busy[1]


def test_the_picture_is_an_svg_that_needs_nothing_else(settings, tmp_path):
    result = forecast(settings, "--svg", str(tmp_path / "forecast.svg"))
    assert result.exit_code == 0, result.output
    texts = [element.text for element in ET.parse(tmp_path / "forecast.svg").iter() if element.tag.endswith("text")]
    assert {"as stable", "50 %", "0.2 %"} <= set(texts)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"model": "other"}, "there is no model production/other; those in scope are: production/resnet50, staging/r"),
        ({"environment": "staging"}, "staging/resnet50 serves nothing yet"),
        ({"model": "a'b"}, "cannot name a model"),
    ],
)
def test_what_cannot_be_forecast_is_named(settings, asked, told):
    result = forecast(settings, **asked)
    assert result.exit_code == 1
    assert told in result.stderr


def test_a_prometheus_that_does_not_answer_is_said(settings):
    result = forecast(settings | {"PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9"})
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr


def test_check_says_which_rollouts_cannot_end_with_the_traffic_of_now(settings, busy, tmp_path):
    result = CliRunner().invoke(main, ["check", str(tmp_path / "work"), "--prometheus", busy[0]])
    assert result.exit_code == 0, result.output
    warned = "warning: environments/production/resnet50/policy.yaml: no rollout can end" in result.stderr
    assert warned is not busy[1]


def test_check_goes_on_where_prometheus_does_not_answer(settings, tmp_path):
    result = CliRunner().invoke(main, ["check", str(tmp_path / "work"), "--prometheus", "http://127.0.0.1:9"])
    assert result.exit_code == 0
    assert "whether rollouts can end is not known, from production/resnet50 on" in result.stderr


def test_check_warns_of_windows_that_are_too_short_for_the_traffic_of_now(settings, busy, tmp_path):
    policy = tmp_path / "work/environments/production/resnet50/policy.yaml"
    window = '  - {cron: "0 9 * * *", duration: DURATION, timezone: Europe/Berlin}\n'
    said = []
    for duration in ("15m", "8h"):
        policy.write_text(f"{POLICY}soak: 5m\nguard: 10m\nwindows:\n{window.replace('DURATION', duration)}")
        result = CliRunner().invoke(main, ["check", str(tmp_path / "work"), "--prometheus", busy[0]])
        assert result.exit_code == 0, result.output
        said.append(
            "a rollout is expected to take 15m" in result.stderr and "the longest has 15m. Who" in result.stderr
        )
    # Where no rollout can end, that is said instead.
    assert said == [busy[1], False]
