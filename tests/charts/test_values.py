"""What the chart takes: every value is described, and what does not fit is refused where it stands."""

from __future__ import annotations

import copy

import helm_python
import pytest
from rendering import (
    CHART,
    README,
    SITUATIONS,
    defaults,
    described,
    read_values,
    readme_with_table,
    render,
    schema,
    situation,
    values_table,
)

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
    ("model.storageUri", "s3://shop-models/resnet50", "/model/storageUri"),
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
    ("route.kind", "gateway", "/route/kind"),
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


def test_a_version_that_is_stable_and_canary_is_refused():
    with pytest.raises(helm_python.HelmRenderError, match=r"release\.canary\.version: 42 is stable already"):
        render(changed(situation("first-step"), "release.canary.version", 42))


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
    empty = tuple(f"{key}." for key, value in known.items() if value in ({}, []))
    assert [
        key for key, _ in described(schema()) if key not in known | dict.fromkeys(tops) and not key.startswith(empty)
    ] == []


def test_no_object_of_the_schema_takes_unknown_keys():
    def open_objects(node, path=""):
        if isinstance(node, dict):
            if "object" in node.get("type", []) and node.get("additionalProperties", True) is True:
                yield path
            # Conditions look at keys that are closed elsewhere.
            for key in node.keys() - {"if", "then"}:
                yield from open_objects(node[key], f"{path}/{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from open_objects(value, f"{path}/{index}")

    assert list(open_objects(schema())) == []


def test_the_readme_lists_every_value_as_it_is():
    readme = README.read_text(encoding="utf-8")
    assert values_table() in readme
    assert readme_with_table(readme) == readme


@pytest.mark.parametrize("name", SITUATIONS)
def test_helm_finds_no_fault_in_a_situation(name):
    report = helm_python.lint(CHART, situation(name), strict=True)
    assert report["errors"] == []
