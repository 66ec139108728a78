"""What the chart renders is what its golden manifests say, and what Kubernetes and its extensions take."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from rendering import EXAMPLES, GOLDEN, SITUATIONS, golden_text, render, served, situation

CUSTOM_RESOURCES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "custom_resources").glob("*.json")
}
# The oldest that Chart.yaml allows, and the newest that is known here.
KUBERNETES = ["1.30", kubernetes_validate.latest_version()]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_renders_as_its_golden_manifests(name):
    golden = (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")
    assert golden_text(render(situation(name))) == golden, "python tests/charts/rendering.py --write, and read the diff"


def test_every_golden_file_has_a_situation():
    assert {path.stem for path in GOLDEN.iterdir()} == SITUATIONS.keys()


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_kubernetes_takes_the_examples(name, version):
    for manifest in render(served(name)):
        if manifest["kind"].lower() not in CUSTOM_RESOURCES:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", EXAMPLES)
def test_custom_resources_of_the_examples_have_the_shape_of_their_definitions(name):
    for manifest in render(served(name)):
        if manifest["kind"].lower() in CUSTOM_RESOURCES:
            jsonschema.validate(manifest, CUSTOM_RESOURCES[manifest["kind"].lower()])


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize(
    "name", ["gcs", "stable-only", "autoscaled", "gpu", "s3", "keda", "gateway-api", "golden-traffic"]
)
def test_kubernetes_takes_its_own_kinds_strictly(name, version):
    own = [manifest for manifest in render(situation(name)) if manifest["kind"].lower() not in CUSTOM_RESOURCES]
    assert own
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", SITUATIONS)
def test_custom_resources_have_the_shape_of_their_definitions(name):
    custom = [manifest for manifest in render(situation(name)) if manifest["kind"].lower() in CUSTOM_RESOURCES]
    assert custom
    for manifest in custom:
        jsonschema.validate(manifest, CUSTOM_RESOURCES[manifest["kind"].lower()])


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_object_carries_the_common_labels_and_no_track(name):
    for manifest in render(situation(name)):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "model-serving"
        assert labels["app.kubernetes.io/instance"] == "production-resnet50"
        assert labels["model"] == "resnet50"
        assert "track" not in labels


@pytest.mark.parametrize("name", SITUATIONS)
def test_nothing_is_put_into_sync_waves_or_hooks(name):
    # A wave waits for the health of the one before it: a broken canary would bar its own way back.
    for manifest in render(situation(name)):
        assert (
            manifest["metadata"].get("annotations", {}).keys()
            & {
                "argocd.argoproj.io/sync-wave",
                "argocd.argoproj.io/hook",
                "helm.sh/hook",
            }
            == set()
        )
