"""Queries, judged by Prometheus' own parser."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents import promql
from promoter.domain.latency_buckets import BOUNDS_US
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput

SERVED = ServedModel("production", "resnet50")
PODS = 'namespace="production",model="resnet50"'

# What would end the string, the matcher, the selector or the line, in one escape or the other.
NASTY = [
    '"',
    '\\"',
    "\\",
    'x"} or up{y="',
    'a",model=~".+',
    "\n",
    "\r\n\t\x00\x1b\x7f",
    "`",
    "'",
    "${x}",
    "{{ .Values }}",
    "\\u0022",
    "é𝄞\u202e\u2028",
    "#",
]


def rules_file(queries, folder):
    """Each query as the expression of a rule of its own. YAML's writer escapes whatever is not ASCII."""
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(queries)]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    return path


def checked_by_promtool(queries, folder):
    path = rules_file(queries, folder)
    return subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)


def test_the_queries_are_these():
    assert promql.request_count(SERVED, 60) == (
        f':tensorflow:serving:request_count{{{PODS},model_name="resnet50"}}[60s]'
    )
    assert promql.latency(SERVED, 60, (121440.0, 1274820.0)) == (
        f':tensorflow:serving:request_latency_bucket{{{PODS},model_name="resnet50",'
        'API=~"(?i)predict|classify|regress",le=~"121440(\\\\.0)?|1\\\\.27482e\\\\+06(\\\\.0)?"}[60s]'
    )
    assert promql.latency_totals(SERVED, 60) == (
        '{__name__=~":tensorflow:serving:request_latency_sum|:tensorflow:serving:request_latency_count",'
        f'{PODS},model_name="resnet50",API=~"(?i)predict|classify|regress"}}[60s]'
    )
    assert promql.up(SERVED, 15) == f"up{{{PODS}}}[15s]"
    assert promql.latency_profile(SERVED, ModelVersion(42), 3600) == (
        f'sum by (le) (increase(:tensorflow:serving:request_latency_bucket{{{PODS},model_name="resnet50",'
        'API=~"(?i)predict|classify|regress",model_version="42"}[3600s]))'
    )
    assert promql.request_total(SERVED, ModelVersion(42), 3600) == (
        f'sum(increase(:tensorflow:serving:request_count{{{PODS},model_name="resnet50",model_version="42"}}[3600s]))'
    )


def test_proxies_are_asked_for_the_services_of_every_version():
    assert promql.envoy_requests(SERVED, 60) == (
        '{__name__=~"envoy_cluster_grpc_[0-9]+|envoy_cluster_upstream_rq|envoy_cluster_upstream_rq_total",'
        'envoy_cluster_name=~"production_resnet50-v[1-9][0-9]*_(8500|8501)",envoy_response_code!~"1.."}[60s]'
    )
    assert promql.istio_requests(SERVED, 60) == (
        'istio_requests_total{reporter="source",destination_service_namespace="production",'
        'destination_service_name=~"resnet50-v[1-9][0-9]*"}[60s]'
    )


def test_prometheus_parses_every_query(tmp_path):
    raw = [
        promql.request_count(SERVED, 60),
        promql.latency(SERVED, 60, BOUNDS_US),
        promql.latency_totals(SERVED, 60),
        promql.up(SERVED, 1),
        promql.envoy_requests(SERVED, 60),
        promql.istio_requests(SERVED, 60),
    ]
    sums = [
        promql.latency_profile(SERVED, ModelVersion(2**53 - 1), 3600),
        promql.request_total(SERVED, ModelVersion(1), 3600),
    ]
    # A rule's value may not be a range; counting its samples leaves the selector as it is.
    answer = checked_by_promtool([f"count_over_time({query})" for query in raw] + sums, tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_a_query_that_is_none_does_not_pass_this_check(tmp_path):
    assert checked_by_promtool(['up{a="x"} or up{y=""'], tmp_path).returncode != 0


def test_prometheus_finds_exactly_the_series_whose_label_is_quoted(tmp_path):
    """Each value labels one series, and its selector must find this one and no other.

    The series' names are written by JSON, the selectors by `matcher`; promtool evaluates both.
    """
    values = [value for value in NASTY if "\x00" not in value] + ["plain", "plai"]
    series = [
        {"series": f"m{{v={json.dumps(value, ensure_ascii=False)}}}", "values": str(number)}
        for number, value in enumerate(values)
    ]
    expressions = [
        {"expr": f"m{{{promql.matcher('v', '=', value)}}}", "eval_time": "0m", "exp_samples": [
            {"labels": f"m{{v={json.dumps(value, ensure_ascii=False)}}}", "value": number}
        ]}
        for number, value in enumerate(values)
    ]  # fmt: skip
    test = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": expressions}]}
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    answer = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(NASTY))
def test_a_quoted_text_is_one_string(value):
    quoted = promql.quote(value)
    assert quoted[0] == quoted[-1] == '"'
    assert '"' not in quoted[1:-1].replace("\\\\", "").replace('\\"', "")
    assert not any(ord(character) < 32 for character in quoted)
    assert json.loads(quoted) == value


def test_prometheus_takes_any_text_for_one_matcher(tmp_path):
    drawn: list[str] = list(NASTY)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def draw(value):
        drawn.append(value)

    draw()
    # Were the quotes left, the second matcher would be swallowed or the parse would fail.
    queries = [
        f"m{{{promql.matcher('v', operator, value)},{promql.matcher('w', '=', 'x')}}}"
        for value in drawn
        for operator in ("=", "!=")
    ]
    answer = checked_by_promtool(queries, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert f"{len(queries)} rules found" in answer.stdout


@pytest.mark.parametrize(
    ("name", "operator"), [("a-b", "="), ("", "="), ("1a", "="), ("a\n", "="), ('a="",b', "="), ("a", "=="), ("a", "")]
)
def test_a_matcher_has_a_label_and_an_operator(name, operator):
    with pytest.raises(InvalidInput):
        promql.matcher(name, operator, "x")


def test_half_a_character_an_empty_window_and_no_bound_are_refused():
    for ask in (
        lambda: promql.quote("\ud800"),
        lambda: promql.up(SERVED, 0),
        lambda: promql.latency(SERVED, 60, ()),
    ):
        with pytest.raises(InvalidInput):
            ask()


@pytest.mark.parametrize(
    ("bound", "text"), [(10.0, "10"), (32.4, "32.4"), (121440.0, "121440"), (1274820.0, "1.27482e+06")]
)
def test_a_bound_is_printed_as_tensorflow_serving_prints_it(bound, text):
    assert promql.le_text(bound) == text
