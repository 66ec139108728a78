"""Whatever charts/promoter renders a real API server takes, and its pod passes Kubernetes' strictest profile."""

from __future__ import annotations

import copy

import pytest

pytestmark = pytest.mark.cluster

from charts.promoter_rendering import SITUATIONS, render, situation

OPERATORS = "monitoring.coreos.com/v1"


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_api_server_takes_every_object(api, namespace, kind, name):
    for rendered in render(situation(name)).values():
        made = copy.deepcopy(rendered)
        for subject in made.get("subjects", ()):
            subject["namespace"] = namespace
        if made["apiVersion"] == OPERATORS:
            resource = kind(made["kind"], OPERATORS)
        else:
            resource = api.resources.get(api_version=made["apiVersion"], kind=made["kind"])
        made["metadata"]["name"] = "dry-run"
        taken = resource.create(body=made, namespace=namespace, dry_run="All", field_validation="Strict")
        assert taken.metadata.name == "dry-run"


def test_its_pod_passes_the_restricted_profile(api, namespace):
    namespaces = api.resources.get(api_version="v1", kind="Namespace")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespaces.patch(name=namespace, body={"metadata": {"labels": labels}}, content_type="application/merge-patch+json")
    template = copy.deepcopy(render(situation("full"))["Deployment"]["spec"]["template"])
    # Neither is about the profile, and neither is there.
    template["spec"] |= {"serviceAccountName": "default", "priorityClassName": ""}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dry-run"}, "spec": template["spec"]}
    pods = api.resources.get(api_version="v1", kind="Pod")
    try:
        assert pods.create(body=pod, namespace=namespace, dry_run="All").metadata.name == "dry-run"
    finally:
        labels = dict.fromkeys(labels)
        namespaces.patch(
            name=namespace, body={"metadata": {"labels": labels}}, content_type="application/merge-patch+json"
        )
