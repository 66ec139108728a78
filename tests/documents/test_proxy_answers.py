"""What proxies count, as values: each request once, by version and code."""

from __future__ import annotations

import pytest

from promoter.documents.prometheus_answers import Series
from promoter.documents.proxy_answers import envoy_series, istio_series, proxy_scrapes
from promoter.domain.version import ModelVersion
from promoter.errors import MetricsUnavailable

POINTS = ((100.0, 1.0), (105.0, 2.0))
LATER = ((110.0, 3.0), (115.0, 4.0))


def envoy(name, cluster="production_resnet50-v43_8500", code="", points=POINTS, **where):
    labels = {"__name__": name, "job": "envoy", "instance": "10.0.0.1:19000", "envoy_cluster_name": cluster}
    return Series(labels | ({"envoy_response_code": code} if code else {}) | where, points)


def istio(code, status="", points=POINTS, **where):
    labels = {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "destination_service_name": "resnet50-v43",
        "response_code": code,
        "grpc_response_status": status,
        "pod": "gateway-0",
        "instance": "10.0.0.1:15020",
        "job": "istio-system/envoy-stats-monitor",
    }
    return Series(labels | where, points)


@pytest.mark.parametrize(
    ("name", "port", "code", "expected"),
    [
        ("envoy_cluster_grpc_0", 8500, "", ["OK"]),
        ("envoy_cluster_grpc_13", 8500, "", ["INTERNAL"]),
        ("envoy_cluster_grpc_14", 8500, "", ["UNAVAILABLE"]),
        ("envoy_cluster_grpc_16", 8500, "", ["UNAUTHENTICATED"]),
        ("envoy_cluster_grpc_17", 8500, "", ["UNKNOWN"]),
        # The same calls again, as HTTP sees them.
        ("envoy_cluster_upstream_rq", 8500, "200", []),
        ("envoy_cluster_upstream_rq", 8500, "503", []),
        ("envoy_cluster_upstream_rq", 8501, "200", ["OK"]),
        ("envoy_cluster_upstream_rq", 8501, "204", ["OK"]),
        ("envoy_cluster_upstream_rq", 8501, "404", ["404"]),
        ("envoy_cluster_upstream_rq", 8501, "503", ["503"]),
        # Somebody speaks gRPC to the REST port.
        ("envoy_cluster_grpc_14", 8501, "", []),
        ("envoy_cluster_upstream_rq_total", 8500, "", []),
        ("envoy_cluster_upstream_rq_total", 8501, "", []),
    ],
)
def test_envoy_counts_each_request_once(name, port, code, expected):
    found = envoy_series([envoy(name, f"production_resnet50-v43_{port}", code)])
    assert [one.code for one in found] == expected
    assert all((one.version, one.source) == (ModelVersion(43), "10.0.0.1:19000") for one in found)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("200", "", "OK"),
        ("200", "0", "OK"),
        ("200", "14", "UNAVAILABLE"),
        ("200", "3", "INVALID_ARGUMENT"),
        ("200", "99", "UNKNOWN"),
        ("503", "", "503"),
        ("503", "0", "503"),
        ("301", "", "301"),
        ("0", "", "0"),
    ],
)
def test_istio_tells_a_failed_call_by_its_grpc_status_and_others_by_their_code(code, status, expected):
    (found,) = istio_series([istio(code, status)])
    assert (found.source, found.version, found.code, found.points) == ("gateway-0", ModelVersion(43), expected, POINTS)


def test_counters_that_differ_in_anything_are_counters_of_their_own():
    found = istio_series([istio("503", response_flags="UF"), istio("503", response_flags="UH"), istio("200")])
    assert sorted(one.code for one in found) == ["503", "503", "OK"]


def test_a_proxy_that_is_scraped_by_two_jobs_is_found_out():
    for twins in (
        [istio("200"), istio("200", job="annotations", instance="10.0.0.1:15090")],
        [istio("200"), istio("200", prometheus_replica="b")],
    ):
        with pytest.raises(MetricsUnavailable, match="is there twice at the same time"):
            istio_series(twins)


def test_a_proxy_that_comes_back_with_another_address_goes_on():
    (found,) = istio_series([istio("200", instance="10.0.0.2:15020", points=LATER), istio("200")])
    assert found.points == POINTS + LATER


def test_a_proxy_was_scraped_whenever_it_showed_any_counter():
    series = [
        envoy("envoy_cluster_upstream_rq_total", points=POINTS + LATER),
        envoy("envoy_cluster_grpc_13", points=LATER),
        envoy("envoy_cluster_grpc_0", instance="10.0.0.2:19000", points=LATER),
    ]
    assert [(one.source, one.times) for one in proxy_scrapes(series)] == [
        ("10.0.0.1:19000", (100.0, 105.0, 110.0, 115.0)),
        ("10.0.0.2:19000", (110.0, 115.0)),
    ]


@pytest.mark.parametrize(
    ("read", "series", "words"),
    [
        (envoy_series, envoy("envoy_cluster_grpc_0", "outbound|8500||resnet50"), "names no version"),
        (envoy_series, envoy("envoy_cluster_upstream_rq", "a_b-v1_8501", "many"), "status of HTTP"),
        (envoy_series, envoy("envoy_cluster_upstream_rq", "a_b-v1_8501"), "status of HTTP"),
        (envoy_series, envoy("envoy_cluster_grpc_0", "a_b-v007_8500"), "not a model version"),
        (envoy_series, envoy("envoy_cluster_grpc_0", instance=""), "neither a label"),
        (istio_series, istio("200", destination_service_name="unknown"), "names no version"),
        (istio_series, istio(""), "status of HTTP"),
        (istio_series, istio("200", pod=7), "no text"),
    ],
)
def test_a_series_that_cannot_be_told_apart_is_not_trusted(read, series, words):
    with pytest.raises(MetricsUnavailable, match=words):
        read([series])
