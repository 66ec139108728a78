"""What the chart takes: every value is described, and what does not fit is refused where it stands."""

from __future__ import annotations

import copy

import helm_python
import pytest
from chart_readme import defaults, described, main
from rendering import CHART, EXAMPLES, SITUATIONS, example, read_values, render, schema, situation

ABSENT = "absent"

# (key, value, where the schema sees the fault)
REFUSED = [
    ("release.canary.weight", 101, "/release/canary/weight"),
    ("release.canary.weight", -1, "/release/canary/weight"),
    ("release.canary.weight", 5.5, "/release/canary/weight"),
    ("release.canary.weight", "5", "/release/canary/weight"),
    ("release.canary.weight", ABSENT, "/release/canary"),
    ("release.canary.version", -43, "/release/canary/version"),
    ("release.canary.version", 0, "/release/canary/version"),
    ("release.canary.replicas", 0, "/release/canary/replicas"),
    ("release.canary.since", "yesterday", "/release/canary/since"),
    ("release.canary.percent", 5, "/release/canary"),
    ("release.canary.since", "2026-11-22T20:16:34+01:00", "/release/canary/since"),
    ("release.stable", ABSENT, "/release"),
    ("release.stable", None, "/release/stable"),
    ("release.stable.digest", "sha256:9f2c", "/release/stable/digest"),
    ("release.stable.digest", "{{ .Release.Name }}", "/release/stable/digest"),
    ("release.stable.version", 2**53, "/release/stable/version"),
    ("release.rejected", [{"version": 41}], "/release/rejected/0"),
    ("replicas", 3, ""),
    ("model.name", ABSENT, "/model/name"),
    ("model.name", "../resnet50", "/model/name"),
    ("model.name", 'resnet50"', "/model/name"),
    ("model.name", "ResNet50", "/model/name"),
    ("model.name", "3d", "/model/name"),
    ("model.name", "a" * 43, "/model/name"),
    ("model.storageUri", ABSENT, "/model/storageUri"),
    ("model.storageUri", "s3://shop-models", "/model/storageUri"),
    ("model.storageUri", "https://shop.example.com/models", "/model/storageUri"),
    ("model.storageUri", "gs://shop-models", "/model/storageUri"),
    ("model.storageUri", "file:///models/../etc", "/model/storageUri"),
    ("model.storageUri", "file:///models\n/resnet50", "/model/storageUri"),
    ("model.volume", {"emptyDir": {}}, "/model/volume"),
    ("model.volume", {"hostPath": {"path": "/a"}, "csi": {"driver": "b"}}, "/model/volume"),
    ("image.tag", "", "/image/tag"),
    ("image.repository", "tensorflow/serving:2.20.0@", "/image/repository"),
    ("image.digest", "sha256:9F2C", "/image/digest"),
    ("replicaCount", 0, "/replicaCount"),
    ("resources.limits.cpu", "two", "/resources/limits/cpu"),
    ("autoscaling.kind", "vpa", "/autoscaling/kind"),
    ("autoscaling.enabled", True, "/autoscaling"),
    ("autoscaling.keda.prometheus", "prometheus:9090", "/autoscaling/keda/prometheus"),
    ("batching.maxBatchSize", 0, "/batching/maxBatchSize"),
    ("batching.maxBatchsize", 32, "/batching"),
    ("threads.rest", 1, "/threads/rest"),
    ("podSecurity.runAsUser", 0, "/podSecurity/runAsUser"),
    ("networkPolicy.callers", [{}], "/networkPolicy/callers/0"),
    ("networkPolicy.store.cidrs", ["storage.googleapis.com"], "/networkPolicy/store/cidrs/0"),
    ("podDisruptionBudget.maxUnavailable", 0, "/podDisruptionBudget/maxUnavailable"),
    ("monitoring.rules", {"enabled": True}, "/monitoring/rules/runbookUrl"),
    ("test.request", {"instance": [1]}, "/test/request"),
    ("route.retries", None, "/route"),
    ("route.headers", None, "/route"),
    ("storage.s3", None, "/storage"),
    ("threads", None, ""),
    ("weight", 5, ""),
    ("route.weight", 5, "/route"),
    ("route.headers", [{"header": "X-Model", "value": "canary", "to": "canary"}], "/route/headers/0/header"),
    ("route.headers", [{"header": "x-model", "value": "canary", "to": "43"}], "/route/headers/0/to"),
    ("route.mirror.percent", 101, "/route/mirror/percent"),
    ("route.retries.on", ["always"], "/route/retries/on/0"),
    ("route.kind", "gateway", "/route/kind"),
    ("route.kind", "gateway-api", "/route/gateways"),
    ("route.hosts", [], "/route/hosts"),
    ("route.hosts", ["resnet50.example.com/path"], "/route/hosts/0"),
    ("route.timeout", "10m", "/route/timeout"),
    ("monitoring.interval", "5", "/monitoring/interval"),
]


def changed(values, key, value):
    values = copy.deepcopy(values)
    *above, last = key.split(".")
    node = values
    for part in above:
        node = node.setdefault(part, {})
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return values


@pytest.mark.parametrize(("key", "value", "where"), REFUSED, ids=[f"{key}={value}"[:40] for key, value, _ in REFUSED])
def test_values_that_do_not_fit_are_refused_by_path(key, value, where):
    with pytest.raises(helm_python.HelmValuesError) as refusal:
        render(changed(situation("first-step"), key, value))
    assert f"at '{where}'" in str(refusal.value)


def test_a_volume_without_a_path_to_mount_it_at_is_refused():
    values = changed(situation("gcs"), "model.volume", {"persistentVolumeClaim": {"claimName": "models"}})
    with pytest.raises(helm_python.HelmValuesError, match="at '/model/storageUri'"):
        render(values)


# (situation, changes, what the refusal says: where it is and what to do)
UNFIT = [
    (
        "first-step",
        {"release.canary.version": 42},
        r"release\.canary\.version: 42 is stable already; take the canary away",
    ),
    (
        "first-step",
        {"model.versionPolicy": "latest"},
        r"model\.versionPolicy: latest would pass the canary by.*leave this",
    ),
    ("first-step", {"model.version": 42}, r"model\.version: is read with model\.versionPolicy `specific` only"),
    ("no-release", {"model.versionPolicy": "specific"}, r"model\.version: the policy `specific` needs the number"),
    (
        "s3",
        {"storage.s3.fetchImage": ""},
        r"storage\.s3\.fetchImage: TensorFlow Serving reads no s3:// since 2\.7; name the",
    ),
    (
        "s3",
        {"model.versionPolicy": "latest", "release": {}},
        r"model\.versionPolicy: `latest` needs a store that the server",
    ),
    (
        "s3",
        {"model.versionPolicy": "specific", "model.version": 3, "release": {}},
        r"model\.digest: .*`promoter versions`",
    ),
    ("s3", {"storage.gcs.secretName": "key"}, r"storage\.gcs\.secretName: is the key to a store gs://"),
    ("gcs", {"externalSecret.store": "vault"}, r"externalSecret\.store: name the Secret to make"),
    ("gpu", {"externalSecret.data": []}, r"externalSecret\.data: say which key"),
    ("stable-only", {"image.tag": "2.14.1"}, r"image\.tag: 2\.14\.1 has no gRPC health service.*take 2\.15 or newer"),
    ("stable-only", {"image.tag": "2.9.0-gpu"}, r"image\.tag: 2\.9\.0-gpu has no gRPC health service"),
    ("keda", {"batching.allowedBatchSizes": [8, 32]}, r"batching\.allowedBatchSizes: the last is 32 and must be .* 64"),
    ("keda", {"batching.allowedBatchSizes": [32, 8, 64]}, r"batching\.allowedBatchSizes: 8 follows 32; they must rise"),
    ("keda", {"autoscaling.maxReplicas": 2}, r"autoscaling\.maxReplicas: 2 is below autoscaling\.minReplicas, 3"),
    ("keda", {"autoscaling.keda.prometheus": ""}, r"autoscaling\.keda\.prometheus: KEDA needs the address"),
    (
        "keda",
        {"batching.enabled": False},
        r"autoscaling\.keda\.queueDelayMilliseconds: only a server with batching\.enabled",
    ),
    ("keda", {"monitoring.enabled": False}, r"autoscaling\.kind: keda asks Prometheus.*monitoring\.enabled"),
    (
        "keda",
        {
            f"autoscaling.keda.{key}": 0
            for key in ("requestsPerSecond", "latencyMilliseconds", "queueDelayMilliseconds")
        },
        r"autoscaling\.keda: set what to scale by",
    ),
    (
        "gcs",
        {"terminationDrainSeconds": 10},
        r"terminationDrainSeconds: a pod is killed 15 s after .* 30 s; set it to 35",
    ),
    (
        "gateway-api",
        {"route.grpcHosts": ["resnet50.example.com"]},
        r"route\.grpcHosts: resnet50\.example\.com is in route",
    ),
    ("gateway-api", {"route.gateways": ["public"]}, r"route\.gateways: public needs its namespace"),
    (
        "gateway-api",
        {"route.callers": [{"namespace": "a", "to": "canary"}]},
        r"route\.callers: is Istio's; with route\.kind",
    ),
    ("gateway-api", {"route.retries.attempts": 2}, r"route\.retries\.attempts: is Istio's"),
    ("gateway-api", {"route.rateLimit.requestsPerSecond": 9}, r"route\.rateLimit: is Istio's.*do it at the gateway"),
    ("first-step", {"route.grpcHosts": ["grpc.example.com"]}, r"route\.grpcHosts: is for route\.kind gateway-api"),
    ("golden-traffic", {"goldenTraffic.image": ""}, r"goldenTraffic\.image: name the promoter's image"),
    ("golden-traffic", {"goldenTraffic.url": ""}, r"goldenTraffic\.url: name where callers send their requests"),
    ("golden-traffic", {"goldenTraffic.requestsPerSecond": 0}, r"goldenTraffic\.requestsPerSecond: say how many"),
    ("golden-traffic", {"route.hosts": ["*.example.com"]}, r"goldenTraffic\.host: .* \*\.example\.com, is none to ask"),
    ("golden-traffic", {"route.kind": "none"}, r"goldenTraffic\.enabled: with route\.kind `none` nothing splits"),
    (
        "golden-traffic",
        {"model.storageUri": "gs://shop-models/resnet50", "model.versionPolicy": "latest", "release": {}},
        r"goldenTraffic\.enabled: golden requests are evidence for rollouts.*leave model\.versionPolicy out",
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "said"), UNFIT, ids=[f"{name}-{next(iter(keys))}" for name, keys, _ in UNFIT]
)
def test_values_that_do_not_fit_together_are_refused_with_the_remedy(name, changes, said):
    values = situation(name)
    for key, value in changes.items():
        values = changed(values, key, value)
    with pytest.raises(helm_python.HelmRenderError, match=said):
        render(values)


@pytest.mark.parametrize("tag", ["2.15.0", "2.20.0-gpu", "3.0.0", "nightly", "latest-gpu", "2.15"])
def test_an_image_that_may_have_the_health_service_is_taken(tag):
    render(changed(situation("stable-only"), "image.tag", tag))


def test_without_values_the_chart_asks_for_what_it_needs():
    with pytest.raises(helm_python.HelmValuesError) as refusal:
        render({})
    for where in ("/model/name", "/model/storageUri", "/route/hosts"):
        assert f"at '{where}'" in str(refusal.value)


def test_every_default_is_in_the_schema_and_every_key_of_the_schema_is_described():
    descriptions = dict(described(schema()))
    assert [key for key, description in descriptions.items() if not description] == []
    assert [key for key, _ in defaults(read_values(CHART / "values.yaml")) if key not in descriptions] == []


def test_every_key_of_the_schema_has_a_default_or_stands_below_an_empty_one():
    known = dict(defaults(read_values(CHART / "values.yaml")))
    tops = {".".join(key.split(".")[:depth]) for key in known for depth in range(1, key.count(".") + 1)}
    empty = tuple(f"{key}{below}" for key, value in known.items() if value in ({}, []) for below in (".", "[]."))
    assert [
        key for key, _ in described(schema()) if key not in known | dict.fromkeys(tops) and not key.startswith(empty)
    ] == []


def test_no_object_of_the_schema_takes_unknown_keys():
    def open_objects(node, path=""):
        if isinstance(node, dict):
            if "object" in node.get("type", []) and node.get("additionalProperties", True) is True:
                yield path
            # Conditions look at keys that are closed elsewhere.
            for key in node.keys() - {"if", "then", "anyOf"}:
                yield from open_objects(node[key], f"{path}/{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from open_objects(value, f"{path}/{index}")

    assert list(open_objects(schema())) == []


def test_the_readme_lists_every_value_as_it_is():
    assert main(["--check", str(CHART)]) == 0


def test_a_readme_that_is_out_of_date_is_told_and_mended(tmp_path, capsys):
    for name in ("README.md", "values.yaml", "values.schema.json"):
        (tmp_path / name).write_bytes((CHART / name).read_bytes())
    values = (tmp_path / "values.yaml").read_text().replace("replicaCount: 1", "replicaCount: 7")
    (tmp_path / "values.yaml").write_text(values)
    assert main(["--check", str(tmp_path)]) == 1
    assert "+| `replicaCount` | `7` |" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0


@pytest.mark.parametrize("name", SITUATIONS)
def test_helm_finds_no_fault_in_a_situation(name):
    report = helm_python.lint(CHART, situation(name), strict=True)
    assert report["errors"] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_helm_finds_no_fault_in_an_example(name):
    report = helm_python.lint(CHART, example(name), strict=True)
    assert report["errors"] == []
