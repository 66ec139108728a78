"""Whatever JSON a peer sends, it becomes a value or one of our errors, and an address stays in its place."""

import json
import math

import pytest
from argocd_fixtures import application, tree, version_nodes, virtual_service
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.argocd_answers import live_states_of_routes, parse_application
from promoter.documents.prometheus_answers import (
    latency_profile,
    latency_series,
    latency_totals,
    parse_matrix,
    parse_vector,
    request_series,
    target_series,
)
from promoter.documents.proxy_answers import envoy_series, istio_series, proxy_scrapes
from promoter.documents.sync_windows_answer import parse_sync_windows
from promoter.domain.names import ServedModel
from promoter.domain.store_address import StoreAddress
from promoter.errors import ClusterUnavailable, InvalidInput, MetricsUnavailable

SERVED = ServedModel("production", "resnet50")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(value, path, other):
    if not path:
        return other
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy


@st.composite
def spoilt(draw, value):
    """`value` with something else in one of its places."""
    value = json.loads(json.dumps(value))
    return replaced(value, draw(st.sampled_from(list(places(value)))), draw(json_values))


@given(
    found=spoilt(application()),
    nodes=spoilt(tree(*version_nodes(42, pods=2))),
    route=spoilt(virtual_service({"resnet50-v42": 90, "resnet50-v43": 10})),
)
def test_an_application_with_anything_in_any_place_is_a_value_or_unavailable(found, nodes, route):
    live_states_of_routes(SERVED, nodes)
    try:
        seen = parse_application(SERVED, found, nodes, [route])
    except ClusterUnavailable:
        return
    assert seen.revision is None or len(seen.revision) == 40
    assert seen.route is None or sum(seen.route.values()) == 100
    assert all(deployment.ready <= len(deployment.pods) for deployment in seen.deployments)


WINDOW = {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "manualSync": True}


@given(found=spoilt({"canSync": True, "assignedWindows": [WINDOW], "activeWindows": [WINDOW]}))
def test_sync_windows_with_anything_in_any_place_are_a_value_or_unavailable(found):
    try:
        seen = parse_sync_windows(found)
    except ClusterUnavailable:
        return
    assert all(len(window.schedule) <= 100 and len(window.duration) <= 100 for window in seen.assigned)


LABELS = {
    "__name__": "x",
    "pod": "p",
    "model_version": "42",
    "status": "OK",
    "API": "predict",
    "entrypoint": "GRPC",
    "le": "10",
}


@given(
    matrix=spoilt([{"metric": LABELS, "values": [[100, "1"], [105.5, "2"]]}]),
    vector=spoilt([{"metric": LABELS, "value": [110, "1"]}]),
)
def test_series_with_anything_in_any_place_are_values_or_unavailable(matrix, vector):
    try:
        series = parse_matrix(matrix, 100, 110)
        requests, targets, latency = request_series(series), target_series(series), latency_series(series, (10.0,))
        latency_totals(series)
        profile = latency_profile(parse_vector(vector, 110), parse_vector(vector, 110))
    except MetricsUnavailable:
        return
    for one in (*requests, *targets, *latency):
        assert one.points
        assert all(100 <= moment <= 110 and math.isfinite(value) for moment, value in one.points)
    assert all(0 <= share <= 1 for _, share in profile.exceedance)


PROXY_LABELS = {
    "__name__": "envoy_cluster_grpc_13",
    "instance": "a:1",
    "envoy_cluster_name": "production_resnet50-v42_8500",
    "envoy_response_code": "503",
    "destination_service_name": "resnet50-v42",
    "response_code": "200",
    "grpc_response_status": "14",
}


@given(matrix=spoilt([{"metric": PROXY_LABELS, "values": [[100, "1"], [105.5, "2"]]}]))
@pytest.mark.parametrize("read", [envoy_series, istio_series])
def test_a_proxys_series_with_anything_in_any_place_are_values_or_unavailable(read, matrix):
    try:
        series = parse_matrix(matrix, 100, 110)
        counters, scrapes = read(series), proxy_scrapes(series)
    except MetricsUnavailable:
        return
    assert all(one.points and one.code for one in counters)
    assert {one.source for one in counters} <= {one.source for one in scrapes}


@given(st.text() | st.from_regex(r"(file|gs)://[a-z%./2eE]*", fullmatch=True))
def test_an_address_is_refused_or_lies_where_it_seems_to_lie(text):
    try:
        address = StoreAddress.from_text(text)
    except InvalidInput:
        return
    assert all(segment not in ("", ".", "..") and "/" not in segment for segment in address.segments)
    assert address.is_within(address)
    assert StoreAddress.from_text(text.removesuffix("/") + "/below").is_within(address)


@pytest.mark.parametrize(
    ("address", "prefix", "within"),
    [
        ("gs://bucket/a/b", "gs://bucket", True),
        ("gs://bucket/a/b", "gs://bucket/a/", True),
        ("gs://bucket/ab", "gs://bucket/a", False),
        ("gs://bucket/a", "gs://bucket/a/b", False),
        ("gs://other/a", "gs://bucket/a", False),
        ("s3://bucket/a", "gs://bucket/a", False),
        ("file:///anything", "file:///", True),
    ],
)
def test_an_address_is_within_a_prefix_by_whole_names(address, prefix, within):
    assert StoreAddress.from_text(address).is_within(StoreAddress.from_text(prefix)) is within
