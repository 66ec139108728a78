"""Counters as a real Prometheus returns them: born late, reset, absent, not a number."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from real_prometheus import real_prometheus
from scripted_server import body, scripted_server, status

from promoter.adapters.prometheus import PrometheusMetrics
from promoter.documents.promql import le_text
from promoter.domain.latency_buckets import BOUNDS_US
from promoter.domain.measurements import ProxyMetrics
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import MetricsUnavailable

SERVED = ServedModel("production", "resnet50")
# A whole number of two-hour blocks, so that the past is in one of them.
T0 = 1_699_999_200
AT = T0 + 600
REQUESTS = ":tensorflow:serving:request_count"
BUCKETS = ":tensorflow:serving:request_latency_bucket"
LATENCY = ":tensorflow:serving:request_latency"
BOUND = BOUNDS_US[14]


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def pod_labels(pod, version, namespace="production", model="resnet50"):
    return f'namespace="{namespace}",pod="{pod}",model="{model}",model_version="{version}",job="{namespace}/{model}"'


def samples(name, labels, values, first=T0, step=5):
    """Lines of OpenMetrics, a sample for each of `values` that is not None."""
    return [
        f"{name}{{{labels}}} {value} {first + step * position}"
        for position, value in enumerate(values)
        if value is not None
    ]


def requests_of(pod, version, status, values, **where):
    labels = f'{pod_labels(pod, version, **where)},model_name="resnet50",status="{status}"'
    return samples(REQUESTS, labels, values)


def bucket_of(pod, version, le, values, api="predict", entrypoint="GRPC"):
    labels = f'{pod_labels(pod, version)},model_name="resnet50",API="{api}",entrypoint="{entrypoint}",le="{le}"'
    return samples(BUCKETS, labels, values)


def totals_of(pod, version, part, values, api="predict"):
    labels = f'{pod_labels(pod, version)},model_name="resnet50",API="{api}",entrypoint="GRPC"'
    return samples(f"{LATENCY}_{part}", labels, values)


def istio_of(service, code, status, values, reporter="source", namespace="production"):
    labels = (
        f'reporter="{reporter}",pod="gateway-0",instance="10.0.0.9:15020",job="mesh",response_code="{code}",'
        f'destination_service_name="{service}",destination_service_namespace="{namespace}",'
        f'grpc_response_status="{status}",destination_workload="unknown"'
    )
    return samples("istio_requests_total", labels, values)


def envoy_of(name, cluster, values, **labels):
    extra = "".join(f',{key}="{value}"' for key, value in labels.items())
    return samples(
        f"envoy_cluster_{name}", f'instance="10.0.0.9:19000",job="envoy",envoy_cluster_name="{cluster}"{extra}', values
    )


PROXIES = [
    *istio_of("resnet50-v42", "200", "0", [1000, 1010, 1020]),
    *istio_of("resnet50-v43", "200", "14", [None, 7, 9]),
    *istio_of("resnet50-v43", "503", "", [None, None, 2]),
    *istio_of("resnet50-v43", "503", "", [5, 6, 7], reporter="destination"),
    *istio_of("resnet50-v43", "503", "", [5, 6, 7], namespace="staging"),
    *istio_of("resnet50-large-v43", "503", "", [5, 6, 7]),
    *istio_of("resnet50", "503", "", [5, 6, 7]),
    *envoy_of("grpc_0", "production_resnet50-v42_8500", [50, 60]),
    *envoy_of("grpc_13", "production_resnet50-v43_8500", [None, 4]),
    *envoy_of("upstream_rq", "production_resnet50-v43_8500", [None, 4], envoy_response_code="200"),
    *envoy_of("upstream_rq", "production_resnet50-v43_8501", [None, 3], envoy_response_code="503"),
    *envoy_of("upstream_rq", "production_resnet50-v43_8501", [None, 3], envoy_response_code="100"),
    *envoy_of("upstream_rq_total", "production_resnet50-v43_8501", [0, 3, 3]),
    *envoy_of("upstream_rq", "staging_resnet50-v43_8501", [None, 3], envoy_response_code="503"),
    *envoy_of("grpc_13", "production_other_8500", [None, 4]),
]

PAST = [
    *PROXIES,
    # The canary: born with 37 errors, then reset, then not a number for a while.
    *samples("up", pod_labels("c-0", 43), [1] * 121),
    *requests_of("c-0", 43, "OK", [100 + position for position in range(121)]),
    *requests_of("c-0", 43, "INTERNAL", [*[None] * 60, 37, 38, 3, 4, "NaN", 6]),
    # Two pods of stable, of which one stops being scraped and one was away for a while.
    *samples("up", pod_labels("s-0", 42), [1] * 60),
    *requests_of("s-0", 42, "OK", [1000] * 60),
    *samples("up", pod_labels("s-1", 42), [*[1] * 20, *[0] * 20, *[1] * 81]),
    *requests_of("s-1", 42, "OK", [*range(20), *[None] * 20, *range(81)]),
    # Others, who are not asked for.
    *requests_of("o-0", 42, "OK", [1, 2, 3], namespace="staging"),
    *requests_of("o-1", 42, "OK", [1, 2, 3], model="resnet50-large"),
    # Latency: all bounds of stable's two entry points, and one in the words of Prometheus 3.
    *(
        line
        for entrypoint in ("GRPC", "REST")
        for position, bound in enumerate(BOUNDS_US)
        for line in bucket_of("s-1", 42, le_text(bound), [position, 10 * position], entrypoint=entrypoint)
    ),
    *bucket_of("c-0", 43, "10.0", [5, 6]),
    *bucket_of("c-0", 43, "+Inf", [7, 8]),
    *totals_of("s-1", 42, "sum", ["1.5e+06", "1.75e+06"]),
    *totals_of("s-1", 42, "count", [100, 110]),
    *totals_of("s-1", 42, "sum", ["9.9e+06"], api=""),
    *totals_of("s-1", 42, "count", [9], api=""),
    # Half a histogram.
    *totals_of("c-0", 43, "sum", [7]),
]

# A model whose only request counter is never a number, and one whose series lack what the chart gives them.
FAULTY = {
    "all-nan": samples(
        REQUESTS,
        'namespace="production",pod="p",model="all-nan",model_version="1",model_name="all-nan",status="OK"',
        ["NaN", "+Inf"],
    ),
    "no-version": samples(
        REQUESTS, 'namespace="production",pod="p",model="no-version",model_name="no-version",status="OK"', [1, 2]
    ),
    "odd-version": samples(
        REQUESTS,
        'namespace="production",pod="p",model="odd-version",model_version="latest",model_name="odd-version",status="OK"',
        [1, 2],
    ),
    "no-pod": samples("up", 'namespace="production",model="no-pod",model_version="1"', [1, 1]),
    "twins": [
        line
        for replica in ("a", "b")
        for line in samples(
            "up", f'namespace="production",pod="p",model="twins",model_version="1",replica="{replica}"', [1, 1]
        )
    ],
    "moved": [
        line
        for address, first in (("10.0.0.1", T0), ("10.0.0.2", T0 + 10))
        for line in samples(
            "up",
            f'namespace="production",pod="p",model="moved",model_version="1",instance="{address}"',
            [1, 1],
            first=first,
        )
    ],
    "some-bounds": samples(
        BUCKETS,
        'namespace="production",pod="p",model="some-bounds",model_version="1",model_name="some-bounds",'
        'API="predict",entrypoint="GRPC",le="10"',
        [1, 2],
    ),
}

PAGE = f"""
{REQUESTS}{{model_name="live",status="OK"}} 41
{REQUESTS}{{model_name="live",status="INTERNAL"}} 37
"""


@pytest.fixture(scope="module")
def page():
    with scripted_server() as server:
        server.answers[""] = body(PAGE.encode(), Content_Type="text/plain")
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, page):
    past = sorted([*PAST, *(line for lines in FAULTY.values() for line in lines)], key=lambda line: line.split("{")[0])
    target = page.url.removeprefix("http://")
    labels = "{namespace: production, pod: l-0, model: live, model_version: '7'}"
    scraped = f"[{{targets: ['{target}'], labels: {labels}}}]"
    with real_prometheus(tmp_path_factory.mktemp("prometheus"), "\n".join(past), scraped) as url:
        yield url


@pytest.fixture(scope="module")
def prometheus(server):
    return PrometheusMetrics(server, timeout=timedelta(seconds=9.5))


def measured(prometheus, start=T0, at=AT, bounds_us=(), served=SERVED):
    return prometheus.measurements(served, moment(start), moment(at), bounds_us)


def values(series):
    return [value for _, value in series.points]


def request_counter(seen, pod, name):
    (found,) = [one for one in seen.requests if (one.pod, one.status) == (pod, name)]
    return found


def test_every_pod_has_its_series_and_its_version_and_nobody_elses(prometheus):
    seen = measured(prometheus)
    assert [(one.pod, one.version.number, one.status) for one in seen.requests] == [
        ("c-0", 43, "INTERNAL"),
        ("c-0", 43, "OK"),
        ("s-0", 42, "OK"),
        ("s-1", 42, "OK"),
    ]
    assert [(one.pod, one.version.number) for one in seen.targets] == [("c-0", 43), ("s-0", 42), ("s-1", 42)]
    assert (seen.start, seen.at, seen.latency) == (T0, AT, ())


def test_samples_are_raw_with_their_times(prometheus):
    seen = measured(prometheus)
    assert request_counter(seen, "c-0", "OK").points == tuple((T0 + 5 * n, 100 + n) for n in range(121))


def test_a_counter_that_is_born_at_37_and_reset_is_told_as_it_is_without_what_is_no_number(prometheus):
    errors = request_counter(measured(prometheus), "c-0", "INTERNAL")
    assert values(errors) == [37, 38, 3, 4, 6]
    assert errors.points[0] == (T0 + 300, 37)
    assert errors.points[-1] == (T0 + 325, 6)


def test_a_pod_that_is_no_longer_scraped_keeps_what_was_seen(prometheus):
    seen = measured(prometheus)
    assert request_counter(seen, "s-0", "OK").points[-1] == (T0 + 295, 1000)


def test_a_gap_stays_a_gap(prometheus):
    seen = measured(prometheus)
    assert values(request_counter(seen, "s-1", "OK")) == [*range(20), *range(81)]
    (target,) = [one for one in seen.targets if one.pod == "s-1"]
    assert values(target) == [*[1] * 20, *[0] * 20, *[1] * 81]


def test_a_window_holds_both_of_its_ends_and_nothing_else(prometheus):
    seen = measured(prometheus, start=T0 + 10, at=T0 + 20)
    assert request_counter(seen, "c-0", "OK").points == tuple((T0 + 5 * n, 100 + n) for n in (2, 3, 4))


def test_a_window_of_one_instant_holds_that_instant(prometheus):
    seen = measured(prometheus, start=T0 + 10, at=T0 + 10)
    assert request_counter(seen, "c-0", "OK").points == ((T0 + 10, 102),)


def test_times_are_cut_to_whole_seconds(prometheus):
    seen = measured(prometheus, start=T0 + 10.9, at=T0 + 20.9)
    assert (seen.start, seen.at) == (T0 + 10, T0 + 20)
    assert seen == measured(prometheus, start=T0 + 10, at=T0 + 20)


def test_a_window_before_all_samples_is_empty_and_no_error(prometheus):
    seen = measured(prometheus, start=T0 - 600, at=T0 - 1)
    assert (seen.requests, seen.latency, seen.targets) == ((), (), ())


def test_a_window_that_ends_before_it_begins_is_refused(prometheus):
    with pytest.raises(MetricsUnavailable, match="window"):
        measured(prometheus, start=AT, at=T0)


def test_buckets_are_found_by_their_bounds_as_numbers(prometheus):
    bounds = (BOUNDS_US[20], BOUND)
    seen = measured(prometheus, bounds_us=bounds)
    found = {(one.pod, one.entrypoint, one.bound_us): values(one) for one in seen.latency}
    assert found == {
        ("s-1", entrypoint, bound): [BOUNDS_US.index(bound), 10 * BOUNDS_US.index(bound)]
        for entrypoint in ("GRPC", "REST")
        for bound in bounds
    }
    assert {one.api for one in seen.latency} == {"predict"}


def test_a_bound_in_the_words_of_prometheus_3_is_the_same_bound(prometheus):
    seen = measured(prometheus, bounds_us=(10.0,))
    assert [one.bound_us for one in seen.latency if one.pod == "c-0"] == [10.0]


def test_latency_totals_are_those_of_inference_and_come_in_pairs(prometheus):
    (found,) = measured(prometheus).latency_totals
    assert (found.pod, found.version, found.api, found.entrypoint) == ("s-1", ModelVersion(42), "predict", "GRPC")
    assert found.sums_us == ((T0, 1.5e6), (T0 + 5, 1.75e6))
    assert found.counts == ((T0, 100), (T0 + 5, 110))


def test_without_a_proxy_nothing_of_proxies_is_there(prometheus):
    seen = measured(prometheus)
    assert (seen.proxy, seen.proxies) == ((), ())


@pytest.mark.parametrize(
    ("kind", "source", "expected", "times"),
    [
        (
            ProxyMetrics.ISTIO,
            "gateway-0",
            {(42, "OK"): [1000, 1010, 1020], (43, "UNAVAILABLE"): [7, 9], (43, "503"): [2]},
            (T0, T0 + 5, T0 + 10),
        ),
        (
            ProxyMetrics.ENVOY,
            "10.0.0.9:19000",
            {(42, "OK"): [50, 60], (43, "INTERNAL"): [4], (43, "503"): [3]},
            (T0, T0 + 5, T0 + 10),
        ),
    ],
)
def test_a_proxys_requests_are_told_by_version_and_code_each_once(server, kind, source, expected, times):
    seen = measured(PrometheusMetrics(server, proxy=kind))
    assert {(one.version.number, one.code): values(one) for one in seen.proxy} == expected
    assert len(seen.proxy) == len(expected)
    assert [(one.source, one.times) for one in seen.proxies] == [(source, times)]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("all-nan", "only NaN or infinity"),
        ("no-version", "has no label 'model_version'"),
        ("odd-version", "'latest' is not a model version"),
        ("no-pod", "has no label 'pod'"),
        ("twins", "is there twice at the same time"),
        ("some-bounds", "has no bucket at 18"),
    ],
)
def test_series_that_cannot_be_told_apart_are_not_trusted(prometheus, model, words):
    with pytest.raises(MetricsUnavailable, match=words):
        measured(prometheus, served=ServedModel("production", model), bounds_us=(10.0, 18.0))


def test_a_pod_that_comes_back_with_another_address_is_one_series(prometheus):
    seen = measured(prometheus, served=ServedModel("production", "moved"))
    assert [time for time, _ in seen.targets[0].points] == [T0, T0 + 5, T0 + 10, T0 + 15]
    assert len(seen.targets) == 1


def test_the_latency_profile_is_the_share_of_requests_beyond_each_bound(prometheus):
    profile = prometheus.latency_profile(SERVED, ModelVersion(42), moment(AT), timedelta(minutes=10)).exceedance
    assert [bound for bound, _ in profile] == list(BOUNDS_US)
    assert all(0 <= share <= 1 for _, share in profile)
    assert profile[0] == (10.0, 1.0)
    shares = [share for _, share in profile]
    assert shares == sorted(shares, reverse=True)


def test_a_version_without_traffic_has_no_latency_profile(prometheus):
    seen = prometheus.latency_profile(SERVED, ModelVersion(41), moment(AT), timedelta(minutes=10))
    assert seen.exceedance == ()


def test_a_live_scrape_shows_errors_from_the_first_sample_and_a_dead_pod_as_down(prometheus, page):
    live = ServedModel("production", "live")

    def now():
        return prometheus.measurements(live, moment(time.time() - 60), moment(time.time()), ())

    def until(condition):
        # Prometheus looks at its targets for the first time five seconds after its start.
        for _ in range(150):
            seen = now()
            if condition(seen):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"not within fifteen seconds: {seen}")

    seen = until(lambda seen: seen.requests)
    assert {one.status: values(one)[0] for one in seen.requests} == {"OK": 41, "INTERNAL": 37}
    assert (seen.requests[0].pod, seen.requests[0].version) == ("l-0", ModelVersion(7))
    page.answers[""] = status(503)
    seen = until(lambda seen: seen.targets and values(seen.targets[0])[-1] == 0)
    assert values(seen.targets[0])[0] == 1
