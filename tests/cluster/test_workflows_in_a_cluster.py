"""The rendered workflows on a real API server, and what Argo Workflows' own controller makes of them."""

import os

import pytest
import yaml

if not os.environ.get("KUBECONFIG"):
    pytest.skip("KUBECONFIG is not set: no cluster is given", allow_module_level=True)

# Seconds, where there is a cluster.
from kubernetes.dynamic.exceptions import DynamicApiError
from kubernetes_eventually import eventually

from promoter.documents.policy_preflight import preflight_policy_text
from promoter.domain.completeness import ByManifest
from promoter.domain.preflight import PreflightPolicy
from workflows.render import HERE, rendered

pytestmark = pytest.mark.cluster

MANAGER = "tests"
MANIFESTS = {
    **{name: [yaml.safe_load(text)] for name, text in rendered().items()},
    "access.yaml": list(yaml.safe_load_all((HERE / "access.yaml").read_text())),
}
# The keys are those of the cloud's own; nobody reads or writes there, because no container runs.
ARTIFACTS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "artifact-repositories",
        "annotations": {"workflows.argoproj.io/default-artifact-repository": "default"},
    },
    "data": {"default": yaml.safe_dump({"gcs": {"bucket": "artifacts"}})},
}


@pytest.fixture(scope="module")
def apply(kind, namespace):
    def applied(manifest, **options):
        resource = kind(manifest["kind"], manifest["apiVersion"])
        return resource.server_side_apply(
            body=manifest, namespace=namespace, field_manager=MANAGER, **{"field_validation": "Strict", **options}
        )

    return applied


@pytest.fixture(scope="module")
def installed(apply, namespace):
    """Everything that docs/workflows.md says to apply."""
    apply(ARTIFACTS)
    for name in ("access.yaml", "verify.yaml", "train.yaml"):
        for manifest in MANIFESTS[name]:
            apply(manifest)
    return namespace


@pytest.fixture
def run(kind, installed):
    """A workflow of a template, once the controller has looked at it."""
    workflows = kind("Workflow")

    def started(template, **arguments):
        spec = {
            "workflowTemplateRef": {"name": template},
            "arguments": {"parameters": [{"name": key, "value": value} for key, value in arguments.items()]},
        }
        made = workflows.create(
            namespace=installed,
            body={
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Workflow",
                "metadata": {"generateName": f"{template}-"},
                "spec": spec,
            },
        )

        def look():
            return workflows.get(name=made.metadata.name, namespace=installed).to_dict().get("status") or {}

        return eventually(look, lambda status: pod_nodes(status) or status.get("phase") in {"Failed", "Error"})

    return started


def pod_nodes(status):
    return [node for node in (status.get("nodes") or {}).values() if node["type"] == "Pod"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_server_takes_every_manifest_as_it_is_committed(apply, name):
    for manifest in MANIFESTS[name]:
        apply(manifest, dry_run="All")


def test_a_field_of_another_type_is_refused_so_the_test_before_could_fail(apply):
    (manifest,) = MANIFESTS["access.yaml"][:1]
    with pytest.raises(DynamicApiError):
        apply({**manifest, "automountServiceAccountToken": "no"}, dry_run="All")


def test_a_workflow_that_is_wrong_fails_so_the_tests_below_could_fail(apply, run):
    (manifest,) = MANIFESTS["train.yaml"]
    apply({**manifest, "metadata": {"name": "wrong"}, "spec": {**manifest["spec"], "entrypoint": "no-such-template"}})
    assert run("wrong")["phase"] in {"Failed", "Error"}


def test_the_controller_runs_a_preflight_and_its_pod_has_no_token_but_the_executors(run, kind, installed):
    status = run(
        "verify-version",
        candidate="gs://shop-models/ranker/43",
        stable="",
        policy=preflight_policy_text(PreflightPolicy(), ByManifest()),
        digest=f"sha256:{'0' * 64}",
    )
    assert status.get("phase") in {"Pending", "Running"}, status
    (node,) = pod_nodes(status)
    assert node["phase"] in {"Pending", "Running"}, node
    pods = kind("Pod", "v1").get(
        namespace=installed, label_selector=f"workflows.argoproj.io/workflow={node['name'].split('(')[0]}"
    )
    (pod,) = pods.items
    main, wait = (next(c for c in pod.spec.containers if c.name == name) for name in ("main", "wait"))
    tokens = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert tokens not in {mount.mountPath for mount in main.volumeMounts}
    assert tokens in {mount.mountPath for mount in wait.volumeMounts}
    assert pod.spec.serviceAccountName == "model-workflows"


def test_the_controller_begins_a_training_without_images_and_weights(run):
    status = run("train-resnet50")
    assert status.get("phase") in {"Pending", "Running"}, status
    assert [node["displayName"] for node in pod_nodes(status)] == ["split(0)"]


def test_the_controller_makes_the_workflow_of_a_retraining_that_is_due(apply, kind, installed):
    """Due every minute, so that nobody has to wait until Monday."""
    (manifest,) = MANIFESTS["retrain.yaml"]
    apply({**manifest, "spec": {**manifest["spec"], "schedules": ["* * * * *"]}})
    workflows, crons = kind("Workflow"), kind("CronWorkflow")
    label = "workflows.argoproj.io/cron-workflow=retrain-resnet50"

    def look():
        return [found.to_dict() for found in workflows.get(namespace=installed, label_selector=label).items]

    made = eventually(look, lambda found: found and found[0].get("status", {}).get("phase"), seconds=75)
    status = crons.get(name="retrain-resnet50", namespace=installed).to_dict().get("status", {})
    assert not status.get("conditions"), status
    assert made, status
    assert made[0]["status"]["phase"] in {"Pending", "Running"}, made[0]["status"]
