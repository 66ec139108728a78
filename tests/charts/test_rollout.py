"""A rollout, commit by commit, as the chart renders it: what may change at each step, and what must not."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import SITUATIONS, of_kind, render, situation

PROMOTED = {"stable": {**situation("full")["release"]["canary"]}}
for key in ("weight", "since", "replicas"):
    del PROMOTED["stable"][key]

# The commits of one rollout, in order.
COMMITS = [
    situation("stable-only")["release"],
    situation("canary-zero")["release"],
    situation("first-step")["release"],
    situation("withdrawn")["release"],
    situation("full")["release"],
    PROMOTED,
]


def release(stable=None, canary=None, **changes):
    """Values of `first-step` with another release; versions by number, `None` for none."""
    values = copy.deepcopy(situation("first-step"))
    values |= changes
    parts = {"stable": stable, "canary": canary}
    values["release"] = {
        track: {**situation("first-step")["release"][track], **part}
        for track, part in parts.items()
        if part is not None
    }
    return values


def templates(values):
    return {name: manifest["spec"]["template"] for name, manifest in of_kind(render(values), "Deployment").items()}


def replicas(values):
    return {name: manifest["spec"].get("replicas") for name, manifest in of_kind(render(values), "Deployment").items()}


def floors(values):
    autoscalers = of_kind(render(values), "HorizontalPodAutoscaler")
    return {
        name: (manifest["spec"]["minReplicas"], manifest["spec"]["maxReplicas"])
        for name, manifest in autoscalers.items()
    }


def splits(values):
    """Per route, the weight of each destination."""
    (route,) = of_kind(render(values), "VirtualService").values()
    return {
        rule["name"]: [(entry["destination"]["host"], entry["weight"]) for entry in rule["route"]]
        for rule in route["spec"]["http"]
    }


def test_a_version_keeps_its_pod_template_through_the_whole_rollout():
    seen = {}
    for commit in COMMITS:
        for name, template in templates({**situation("first-step"), "release": commit}).items():
            assert seen.setdefault(name, template) == template
    assert seen.keys() == {"resnet50-v42", "resnet50-v43"}


def test_the_pod_template_changes_with_the_server_s_configuration():
    before = situation("stable-only")
    after = copy.deepcopy(before)
    after["model"]["storageUri"] = "file:///models/other"
    del before["model"]["volume"], after["model"]["volume"]
    (old,), (new,) = templates(before).values(), templates(after).values()
    assert old["metadata"]["annotations"] != new["metadata"]["annotations"]
    assert old["spec"] == new["spec"]


def test_promotion_only_takes_the_old_version_away():
    full, promoted = render({**situation("full")}), render({**situation("full"), "release": PROMOTED})
    kinds = {"ConfigMap", "Service", "DestinationRule"}
    kept = [manifest for manifest in full if manifest["kind"] in kinds and "v43" in manifest["metadata"]["name"]]
    assert [manifest for manifest in promoted if manifest["kind"] in kinds] == kept


def test_before_the_first_version_there_is_nothing_to_serve_and_nothing_to_fail():
    kinds = [manifest["kind"] for manifest in render(situation("no-release"))]
    assert kinds == ["AuthorizationPolicy", "NetworkPolicy", "PodMonitor"]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_live_version_has_one_object_of_each_kind(name):
    values = situation(name)
    tracks = [values["release"][track] for track in ("stable", "canary") if track in values["release"]]
    names = [f"resnet50-v{track['version']}" for track in tracks]
    objects = render(values)
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert [name for name in of_kind(objects, kind) if name != "resnet50-golden"] == names
    assert set(names) <= of_kind(objects, "ConfigMap").keys()
    if values["route"].get("kind", "istio") == "istio":
        assert list(of_kind(objects, "DestinationRule")) == names


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("stable-only", [("resnet50-v42", 100)]),
        ("canary-zero", [("resnet50-v42", 100), ("resnet50-v43", 0)]),
        ("first-step", [("resnet50-v42", 95), ("resnet50-v43", 5)]),
        ("full", [("resnet50-v42", 0), ("resnet50-v43", 100)]),
        ("withdrawn", [("resnet50-v42", 100), ("resnet50-v43", 0)]),
        ("gcs", [("resnet50-v1763842594123", 100)]),
    ],
)
def test_both_routes_split_as_the_release_says(name, split):
    assert splits(situation(name)) == {"grpc": split, "rest": split}


@settings(max_examples=15, deadline=None)
@given(
    stable=st.integers(1, 2**53 - 1),
    canary=st.integers(1, 2**53 - 1),
    weight=st.integers(0, 100),
)
def test_weights_are_exact_and_sum_to_100(stable, canary, weight):
    if stable == canary:
        canary = stable % (2**53 - 1) + 1
    values = release({"version": stable}, {"version": canary, "weight": weight})
    split = [(f"resnet50-v{stable}", 100 - weight), (f"resnet50-v{canary}", weight)]
    assert splits(values) == {"grpc": split, "rest": split}


def test_every_answer_names_the_version_that_gave_it():
    (route,) = of_kind(render(situation("first-step")), "VirtualService").values()
    for rule in route["spec"]["http"]:
        for entry in rule["route"]:
            version = entry["headers"]["response"]["set"]["x-model-version"]
            assert entry["destination"]["host"] == f"resnet50-v{version}"


def test_routes_wait_for_one_answer_and_never_ask_twice():
    (route,) = of_kind(render(situation("gcs")), "VirtualService").values()
    assert [(rule["timeout"], rule["retries"]) for rule in route["spec"]["http"]] == [("30s", {"attempts": 0})] * 2


def test_routes_match_predictions_of_this_model_only():
    (route,) = of_kind(render(situation("stable-only")), "VirtualService").values()
    prefixes = [match["uri"]["prefix"] for rule in route["spec"]["http"] for match in rule["match"]]
    assert prefixes == ["/tensorflow.serving.PredictionService/", "/v1/models/resnet50:"]
    assert not "/v1/models/resnet50-large:predict".startswith(tuple(prefixes))


def test_route_none_renders_no_mesh_object_and_asks_for_no_sidecar():
    values = {**situation("first-step"), "route": {"kind": "none"}}
    versions = {manifest["apiVersion"] for manifest in render(values)}
    assert versions == {"v1", "apps/v1", "policy/v1", "networking.k8s.io/v1", "monitoring.coreos.com/v1"}
    assert list(templates(values)["resnet50-v42"]["metadata"]["annotations"]) == ["checksum/config"]


@pytest.mark.parametrize(
    ("count", "floor", "expected"),
    [(3, None, 3), (3, 10, 10), (12, 10, 12)],
    ids=["no floor", "floor", "people ask more"],
)
def test_stable_has_the_larger_of_what_people_and_the_release_ask_for(count, floor, expected):
    stable = {"replicas": floor} if floor else {}
    values = release(stable, replicaCount=count)
    if not floor:
        del values["release"]["stable"]["replicas"]
    assert replicas(values) == {"resnet50-v42": expected}


def test_the_canary_has_what_the_release_asks_for():
    assert replicas({**situation("first-step"), "replicaCount": 7}) == {"resnet50-v42": 10, "resnet50-v43": 2}


def test_an_autoscaler_owns_the_replicas_and_keeps_the_floors():
    values = situation("autoscaled")
    assert replicas(values) == {"resnet50-v42": None, "resnet50-v43": None}
    assert floors(values) == {"resnet50-v42": (10, 10), "resnet50-v43": (4, 8)}


def test_capacity_only_grows_while_there_is_a_canary():
    during = situation("autoscaled")
    after = {**during, "release": PROMOTED}
    assert {
        name: manifest["spec"].get("behavior")
        for values in (during, after)
        for name, manifest in of_kind(render(values), "HorizontalPodAutoscaler").items()
        if (values is after) == (name == "resnet50-v43")
    } == {"resnet50-v42": {"scaleDown": {"selectPolicy": "Disabled"}}, "resnet50-v43": None}
    assert floors(after) == {"resnet50-v43": (3, 8)}


def test_what_an_autoscaler_owns_no_deployment_says():
    for name in ("autoscaled", "keda"):
        assert set(replicas(situation(name)).values()) == {None}


def test_keda_keeps_the_floors_of_the_release_and_takes_nothing_away_during_a_rollout():
    scaled = of_kind(render(situation("keda")), "ScaledObject")
    limits = {name: (each["spec"]["minReplicaCount"], each["spec"]["maxReplicaCount"]) for name, each in scaled.items()}
    assert limits == {"resnet50-v42": (10, 10), "resnet50-v43": (4, 8)}
    for each in scaled.values():
        assert each["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"] == {
            "selectPolicy": "Disabled"
        }
    alone = situation("keda")
    del alone["release"]["canary"]
    (stable,) = of_kind(render(alone), "ScaledObject").values()
    assert "advanced" not in stable["spec"]


def test_keda_asks_for_one_version_and_takes_silence_for_a_fault():
    for name, each in of_kind(render(situation("keda")), "ScaledObject").items():
        assert each["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"
        assert each["spec"]["fallback"]["replicas"] == each["spec"]["minReplicaCount"]
        assert len(each["spec"]["triggers"]) == 3
        for trigger in each["spec"]["triggers"]:
            assert trigger["metadata"]["ignoreNullValues"] == "false"
            asked = set(re.findall(r'model_version="(\d+)"', trigger["metadata"]["query"]))
            assert asked == {name.removeprefix("resnet50-v")}


def test_further_measures_of_the_pods_stand_beside_the_cpu():
    values = situation("autoscaled")
    values["autoscaling"]["hpa"] = {"podMetrics": [{"name": "queue_length", "averageValue": "30"}]}
    for autoscaler in of_kind(render(values), "HorizontalPodAutoscaler").values():
        assert [metric["type"] for metric in autoscaler["spec"]["metrics"]] == ["Resource", "Pods"]


def test_pods_carry_their_version_and_never_their_track():
    for name, template in templates(situation("first-step")).items():
        assert template["metadata"]["labels"] == {
            "app.kubernetes.io/name": "model-serving",
            "model": "resnet50",
            "model-version": name.removeprefix("resnet50-v"),
        }


def test_a_service_selects_the_pods_of_its_version_only():
    objects = render(situation("first-step"))
    for name, service in of_kind(objects, "Service").items():
        labels = of_kind(objects, "Deployment")[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"] == labels


def test_one_pod_is_never_ejected_as_an_outlier():
    # Envoy ejects no more than the percentage, rounded down, and none counts below the least share of healthy ones.
    for rule in of_kind(render(situation("first-step")), "DestinationRule").values():
        outlier = rule["spec"]["trafficPolicy"]["outlierDetection"]
        assert outlier["maxEjectionPercent"] < 100
        assert outlier["minHealthPercent"] > 0
        assert outlier["consecutive5xxErrors"] == 0, "a pod that answers with errors must stay, to be judged"


def test_measurements_carry_model_and_version():
    (monitor,) = of_kind(render(situation("gcs")), "PodMonitor").values()
    assert monitor["spec"]["podTargetLabels"] == ["model", "model-version"]
    assert monitor["metadata"]["labels"]["prometheus"] == "main"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("http", "15s", "15s")


@pytest.mark.parametrize(
    ("series", "kept"),
    [
        ({"__name__": ":tensorflow:serving:request_count", "model_name": "resnet50", "status": "OK"}, True),
        ({"__name__": ":tensorflow:serving:request_count", "model_name": "resnet"}, False),
        ({"__name__": ":tensorflow:serving:request_count", "model_name": ""}, False),
        ({"__name__": ":tensorflow:serving:request_latency_bucket", "model_name": "resnet50", "API": "Predict"}, True),
        ({"__name__": ":tensorflow:serving:request_latency_bucket", "model_name": "resnet50", "API": ""}, False),
        ({"__name__": ":tensorflow:serving:request_latency_count", "model_name": "resnet50", "API": ""}, False),
        ({"__name__": ":tensorflow:serving:runtime_latency_sum", "model_name": "resnet50", "API": "predict"}, True),
        ({"__name__": ":tensorflow:cc:saved_model:load_attempt_count", "model_path": "/models/resnet50/42"}, True),
        ({"__name__": ":tensorflow:core:direct_session_runs"}, False),
    ],
    ids=lambda value: value.get("__name__", "")[12:] if isinstance(value, dict) else None,
)
def test_series_of_other_models_and_of_probes_are_dropped(series, kept):
    (monitor,) = of_kind(render(situation("stable-only")), "PodMonitor").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for rule in endpoint["metricRelabelings"]:
        joined = ";".join(series.get(label, "") for label in rule["sourceLabels"])
        matches = re.fullmatch(rule["regex"], joined) is not None
        if matches == (rule["action"] == "drop"):
            assert not kept
            return
    assert kept
