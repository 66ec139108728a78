"""How requests reach a version: the Gateway API's split, rules for some requests, copies, and who may ask at all."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import of_kind, render, situation

ROUTES = {"HTTPRoute": 8501, "GRPCRoute": 8500}


def with_weight(name, weight, **canary):
    values = situation(name)
    values["release"]["canary"] |= {"weight": weight, **canary}
    return values


def rules(values, kind):
    (route,) = of_kind(render(values), kind).values()
    return route["spec"]["http" if kind == "VirtualService" else "rules"]


def split(rule):
    """Weights by Service of one rule, of whichever kind."""
    if "backendRefs" in rule:
        return {entry["name"]: entry["weight"] for entry in rule["backendRefs"]}
    return {entry["destination"]["host"]: entry["weight"] for entry in rule["route"]}


@settings(max_examples=20, deadline=None)
@given(
    stable=st.integers(1, 2**53 - 1), canary=st.integers(1, 2**53 - 1), weight=st.integers(0, 100), grpc=st.booleans()
)
def test_gateway_weights_are_exact_and_name_services_that_exist(stable, canary, weight, grpc):
    if stable == canary:
        canary = stable % (2**53 - 1) + 1
    values = with_weight("gateway-api", weight, version=canary)
    values["release"]["stable"]["version"] = stable
    if not grpc:
        values["route"]["grpcHosts"] = []
    objects = render(values)
    assert {kind for kind in ROUTES if of_kind(objects, kind)} == (
        {"HTTPRoute", "GRPCRoute"} if grpc else {"HTTPRoute"}
    )
    for kind, port in ROUTES.items():
        for route in of_kind(objects, kind).values():
            everybody, *_ = route["spec"]["rules"]
            assert split(everybody) == {f"resnet50-v{stable}": 100 - weight, f"resnet50-v{canary}": weight}
            for entry in everybody["backendRefs"]:
                service = of_kind(objects, "Service")[entry["name"]]
                assert entry["port"] == port
                assert port in [each["port"] for each in service["spec"]["ports"]]


def test_of_a_gateways_backends_nothing_differs_but_service_and_weight():
    """Envoy Gateway would make a cluster for each, and take it away at weight 0 while requests still go there."""
    for kind in ROUTES:
        for rule in rules(situation("gateway-api"), kind):
            for entry in rule["backendRefs"]:
                assert set(entry) == {"group", "kind", "name", "port", "weight"}


def test_a_gateway_routes_predictions_and_nothing_else():
    paths = [match["path"] for rule in rules(situation("gateway-api"), "HTTPRoute") for match in rule["matches"]]
    assert {path["type"] for path in paths} == {"Exact"}
    assert {path["value"].partition(":")[2] for path in paths} == {"predict", "classify", "regress"}
    services = [match["method"] for rule in rules(situation("gateway-api"), "GRPCRoute") for match in rule["matches"]]
    assert {method["service"] for method in services} == {"tensorflow.serving.PredictionService"}


def test_a_gateway_is_named_with_its_namespace_and_its_listener():
    (route,) = of_kind(render(situation("gateway-api")), "HTTPRoute").values()
    named = [(ref["namespace"], ref["name"], ref.get("sectionName")) for ref in route["spec"]["parentRefs"]]
    assert named == [("gateways", "public", None), ("gateways", "internal", "https")]


def test_a_gateway_speaks_http_2_to_the_grpc_port():
    for service in of_kind(render(situation("gateway-api")), "Service").values():
        assert [port["appProtocol"] for port in service["spec"]["ports"]] == ["kubernetes.io/h2c", "http"]


@pytest.mark.parametrize("weight", [0, 30, 100])
def test_testers_reach_the_canary_at_every_weight(weight):
    for kind in ROUTES:
        # The place of the split never changes, because Envoy Gateway names clusters by it.
        everybody, testers = rules(with_weight("gateway-api", weight), kind)
        assert all(match["headers"][0]["value"] == "canary" for match in testers["matches"])
        assert split(testers) == {"resnet50-v43": 100}
        assert split(everybody) == {"resnet50-v42": 100 - weight, "resnet50-v43": weight}


def test_rules_for_some_come_before_the_split_and_are_not_part_of_it():
    by_name = {rule["name"]: rule for rule in rules(situation("businesses"), "VirtualService")}
    some, everybody = ["grpc-canary-0", "grpc-stable-1", "grpc-canary-2"], "grpc"
    assert list(by_name)[:4] == [*some, everybody]
    assert [split(by_name[name]) for name in some] == [
        {"resnet50-v43": 100},
        {"resnet50-v42": 100},
        {"resnet50-v43": 100},
    ]
    assert split(by_name[everybody]) == {"resnet50-v42": 100, "resnet50-v43": 0}
    assert by_name["grpc-canary-2"]["match"][0]["sourceLabels"] == {"app": "ranking-lab"}


def test_without_a_canary_its_testers_are_split_like_all_others():
    values = situation("businesses")
    del values["release"]["canary"]
    assert [rule["name"] for rule in rules(values, "VirtualService")] == [
        "grpc-stable-1",
        "grpc",
        "rest-stable-1",
        "rest",
    ]


@pytest.mark.parametrize(
    ("canary", "copied"),
    [({"weight": 0}, True), ({"weight": 1}, False), ({"weight": 0, "withdrawn": "blind"}, False)],
    ids=["before the first weight", "with a weight", "taken back"],
)
@pytest.mark.parametrize("kind", ["istio", "gateway-api"])
def test_predictions_are_copied_to_a_canary_before_its_first_weight_only(kind, canary, copied):
    values = with_weight("gateway-api" if kind == "gateway-api" else "businesses", **canary)
    values["route"]["mirror"] = {"percent": 20}
    for name in ROUTES if kind == "gateway-api" else ["VirtualService"]:
        for rule in rules(values, name):
            found = rule.get("mirrors") or [each for each in rule.get("filters", []) if each["type"] == "RequestMirror"]
            everybody = rule.get("name") in {"grpc", "rest"} or "headers" not in rule["matches"][0] if found else None
            assert bool(found) is (copied and len(split(rule)) > 1)
            assert everybody in {None, True}


def test_a_copy_goes_to_the_same_port():
    for rule in rules(situation("businesses"), "VirtualService"):
        for mirror in rule.get("mirrors", []):
            assert mirror["destination"] == {"host": "resnet50-v43", "port": rule["route"][0]["destination"]["port"]}
            assert mirror["percentage"] == {"value": 20}


def test_a_retry_is_asked_for_by_name_or_not_at_all():
    values = situation("first-step")
    values["route"]["retries"] = {"attempts": 2}
    assert {rule["retries"]["retryOn"] for rule in rules(values, "VirtualService")} == {
        "connect-failure,refused-stream"
    }
    assert all(rule["retries"] == {"attempts": 0} for rule in rules(situation("first-step"), "VirtualService"))


def operations(values):
    (policy,) = of_kind(render(values), "AuthorizationPolicy").values()
    assert policy["spec"]["action"] == "ALLOW"
    return policy["spec"]["rules"]


@pytest.mark.parametrize("name", ["first-step", "businesses"])
def test_nobody_reaches_the_admin_service(name):
    allowed = {path for rule in operations(situation(name)) for to in rule["to"] for path in to["operation"]["paths"]}
    assert allowed == {
        "/tensorflow.serving.PredictionService/*",
        "/v1/models/resnet50:*",
        "/monitoring/prometheus/metrics",
    }


def test_each_business_has_a_rule_of_its_own():
    shop, search, metrics = operations(situation("businesses"))
    assert shop["to"][0]["operation"]["hosts"][0] == "shop.models.example.com"
    assert shop["from"] == [{"source": {"requestPrincipals": ["https://login.example.com/shop"]}}]
    assert search["from"][0]["source"]["principals"] == ["cluster.local/ns/search/sa/*"]
    assert "from" not in metrics


def test_with_tokens_nobody_predicts_without_one():
    values = situation("businesses")
    del values["route"]["access"]
    predictions, _ = operations(values)
    assert predictions["from"] == [{"source": {"requestPrincipals": ["https://login.example.com/*"]}}]


def test_the_network_lets_in_the_gateways_and_prometheus_and_out_to_the_store():
    (policy,) = of_kind(render(situation("gcs")), "NetworkPolicy").values()
    callers, prometheus = policy["spec"]["ingress"]
    assert callers["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-ingress"}}},
    ]
    assert prometheus["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert {port["port"] for port in prometheus["ports"]} == {"http", 15020, 15090}
    reached = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert reached == {53, 443, 80, 988, 15012}


def test_a_model_in_a_volume_calls_nobody():
    values = situation("first-step")
    values["route"] = {"kind": "none"}
    (policy,) = of_kind(render(values), "NetworkPolicy").values()
    assert policy["spec"]["egress"] == []
    assert "Egress" in policy["spec"]["policyTypes"]


def test_a_closed_network_is_a_choice():
    values = copy.deepcopy(situation("first-step"))
    values["networkPolicy"] = {"enabled": False}
    assert of_kind(render(values), "NetworkPolicy") == {}
