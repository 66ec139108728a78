"""Answers that a working Prometheus does not give, over real HTTP."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from scripted_server import as_json, body, broken_off, dripping, endless, gzip_bomb, scripted_server, silent, status

from promoter.adapters.prometheus import PrometheusMetrics
from promoter.domain.measurements import LatencyProfile
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidSettings, MetricsUnavailable

SERVED = ServedModel("production", "resnet50")
NOW = datetime(2026, 11, 22, 20, 16, 34, 900_000, tzinfo=UTC)
SECOND = int(NOW.timestamp())
UP = {"__name__": "up", "namespace": "production", "pod": "p-0", "model": "resnet50", "model_version": "42"}


@pytest.fixture
def server():
    with scripted_server() as server:
        yield server


def envelope(result=(), result_type="matrix", **fields):
    return {"status": "success", "data": {"resultType": result_type, "result": list(result)}, **fields}


def matrix(*values, labels=UP):
    return envelope([{"metric": labels, "values": list(values)}])


def ask(server, bounds_us=(), seconds=10.0):
    metrics = PrometheusMetrics(server.url, timeout=timedelta(seconds=seconds))
    return metrics.measurements(SERVED, NOW - timedelta(seconds=60), NOW, bounds_us)


def test_every_family_is_asked_for_at_the_same_whole_second_in_one_query(server):
    server.answers[""] = as_json(envelope())
    ask(server, bounds_us=(10.0,))
    assert {request.path for request in server.requests} == {"/api/v1/query"}
    assert [request.query["time"] for request in server.requests] == [str(SECOND)] * 4
    assert all("[61s]" in request.query["query"] for request in server.requests)
    assert {request.query["timeout"] for request in server.requests} == {"10"}


def test_user_and_password_are_sent_and_never_shown(server):
    server.answers[""] = status(503)
    url = server.url.replace("http://", "http://promoter:s3cr3t@") + "/prom/"
    with pytest.raises(MetricsUnavailable) as caught:
        PrometheusMetrics(url).measurements(SERVED, NOW, NOW, ())
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert server.requests[0].path == "/prom/api/v1/query"
    assert f"Prometheus at {server.url}/prom, asked for the" in str(caught.value)
    assert "s3cr3t" not in str(caught.value) + repr(caught.value.__cause__)


def test_what_is_not_a_number_is_left_out(server):
    targets = matrix([SECOND - 2, "NaN"], [SECOND - 1, "+Inf"], [SECOND, "1"])
    server.answers[""] = lambda handler: as_json(targets if "query=up" in handler.path else envelope())(handler)
    assert ask(server).targets[0].points == ((SECOND, 1.0),)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (as_json(envelope(warnings=["no StoreAPIs matched\nfor this query"])), "no StoreAPIs matched for this query"),
        (as_json(envelope(isPartial=True)), "partial"),
        (as_json(envelope(warnings=[{"code": 7}])), "does not say which"),
        (as_json({"status": "error", "errorType": "timeout", "error": "x"}), "success"),
        (as_json({**envelope(), "status": "partial"}), "success"),
        (as_json({"data": {"resultType": "matrix", "result": []}}), "success"),
        (as_json({"status": "success", "data": {"resultType": "matrix"}}), "not the matrix"),
        (as_json({"status": "success"}), "success"),
        (as_json(envelope(result_type="vector")), "not the matrix"),
        (as_json(envelope([SECOND, "1"], result_type="scalar")), "not the matrix"),
        (as_json(envelope([SECOND, "1"])), "no list of series"),
        (as_json(envelope([{"metric": UP, "value": [SECOND, "1"]}])), "another type"),
        (as_json(envelope([{"metric": UP, "histograms": [[SECOND, {"count": "1"}]]}])), "another type"),
        (as_json(matrix([SECOND, "many"])), "a sample that is none"),
        (as_json(matrix([SECOND])), "a sample that is none"),
        (as_json(matrix([10**400, "1"])), "a sample that is none"),
        (as_json(matrix([SECOND, None])), "a sample that is none"),
        (as_json(matrix([SECOND, "1"], [SECOND - 5, "1"])), "order of time"),
        (as_json(matrix([SECOND, "1"], [SECOND, "2"])), "order of time"),
        (as_json(matrix([SECOND, "NaN"])), "only NaN"),
        (as_json(matrix([SECOND, "1"], labels={**UP, "model_version": "007"})), "not a model version"),
        (as_json(matrix([SECOND, "1"], labels={**UP, "pod": ""})), "no label 'pod'"),
        (as_json([]), "success"),
        (body(b"<html>Prometheus</html>"), "not JSON"),
        (body(b""), "not JSON"),
        (body(b"[" * 100_000), "not JSON"),
        (status(400), "status 400, it does not understand"),
        (status(401), "refuses our credentials"),
        (status(404), "check the path"),
        (status(422), "cannot carry out the query"),
        (status(500), "status 500"),
        (status(503), "status 503"),
        (status(204), "status 204"),
        (status(302, Location="http://127.0.0.1:1/"), "redirects are not followed"),
        (endless(code=503), "status 503"),
        (gzip_bomb(), "compressed"),
        (broken_off(), "broke off"),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_unavailable_and_says_why(server, reply, words):
    server.answers[""] = reply
    with pytest.raises(MetricsUnavailable, match=words) as caught:
        ask(server)
    assert f"Prometheus at {server.url}, asked for the " in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [dripping(), silent()])
def test_an_answer_that_takes_too_long_is_not_waited_for(server, reply):
    server.answers[""] = reply
    started = time.monotonic()
    with pytest.raises(MetricsUnavailable, match=r"did not answer within 0\.4s"):
        ask(server, seconds=0.4)
    assert time.monotonic() - started < 10


def test_a_server_that_asks_to_come_back_in_an_hour_is_not_waited_for(server):
    server.answers[""] = status(503, Retry_After="3600")
    started = time.monotonic()
    with pytest.raises(MetricsUnavailable, match="status 503"):
        ask(server)
    assert time.monotonic() - started < 10


def test_an_answer_is_read_up_to_a_limit(server, monkeypatch):
    monkeypatch.setattr("promoter.adapters.prometheus._LARGEST_ANSWER", 2**20)
    server.answers[""] = endless()
    with pytest.raises(MetricsUnavailable, match="larger than 1 MiB"):
        ask(server)


def test_a_hint_beside_the_answer_is_no_warning(server):
    server.answers[""] = as_json(envelope(infos=["PromQL info: metric might not be a counter"]))
    assert ask(server).requests == ()


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(MetricsUnavailable, match="cannot be reached"):
        PrometheusMetrics("http://127.0.0.1:1").measurements(SERVED, NOW, NOW, ())


def profile(server, buckets, total):
    def by_query(handler):
        result = buckets if "latency" in handler.path else total
        as_json(envelope(result, result_type="vector"))(handler)

    server.answers[""] = by_query
    return PrometheusMetrics(server.url).latency_profile(SERVED, ModelVersion(42), NOW, timedelta(hours=1))


def vector(value, **labels):
    return {"metric": labels, "value": [SECOND, value]}


def test_failed_requests_count_as_slow_in_the_profile(server):
    buckets = [vector("90", le="+Inf"), vector("45", le="18"), vector("0", le="1.27482e+06"), vector("9", le="10.0")]
    seen = profile(server, buckets, [vector("100")])
    assert seen == LatencyProfile(((10.0, 0.91), (18.0, 0.55), (1274820.0, 1.0)))


def test_a_share_stays_a_share_when_growth_is_extrapolated(server):
    seen = profile(server, [vector("101.7", le="10"), vector("-1", le="18")], [vector("100")])
    assert seen == LatencyProfile(((10.0, 0.0), (18.0, 1.0)))


@pytest.mark.parametrize("total", [[], [vector("0")], [vector("-3")]])
def test_no_traffic_is_no_profile(server, total):
    assert profile(server, [vector("1", le="10")], total) == LatencyProfile()


@pytest.mark.parametrize("le", ["ten", "NaN", ""])
def test_a_bound_that_is_no_number_is_not_trusted(server, le):
    with pytest.raises(MetricsUnavailable):
        profile(server, [vector("1", le=le)], [vector("100")])


@pytest.mark.parametrize(
    "url", ["prometheus:9090", "ftp://prometheus", "http://", "http://prometheus/?a=b", "http://p:x"]
)
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(InvalidSettings):
        PrometheusMetrics(url)
