"""`promoter bootstrap --apply` on a real API server: objects of a namespace of our own, where Argo CD does not look."""

from __future__ import annotations

import json
import os
import subprocess
import uuid

import pytest
from click.testing import CliRunner

from promoter.cli import main

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="KUBECONFIG names no cluster"),
]
THEIRS = {"policy.csv": "g, jane, role:admin\n", "policy.default": "role:readonly"}


def kubectl(*arguments, text=""):
    return subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def argocd():
    """A namespace as people have Argo CD in it, whose configuration was made by `kubectl apply`."""
    name = f"bootstrap-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm"}, "data": THEIRS}
    kubectl("apply", "--namespace", name, "--filename", "-", text=json.dumps(theirs))
    yield name
    kubectl("delete", "namespace", name, f"{name}-env", "--wait=false")


def bootstrap(argocd):
    arguments = ["--repo", "https://git.example.com/models.git", "--environment", f"{argocd}-env"]
    return CliRunner().invoke(main, ["bootstrap", *arguments, "--argocd-namespace", argocd, "--apply"])


def data(argocd, name):
    return json.loads(kubectl("get", "configmap", name, "--namespace", argocd, "--output", "json"))["data"]


def test_everything_is_applied_and_other_peoples_keys_stay(argocd):
    result = bootstrap(argocd)
    assert result.exit_code == 0, result.output
    after = data(argocd, "argocd-rbac-cm")
    assert after.pop("policy.promoter.csv").startswith("p, role:promoter, applications, get, ")
    assert after == THEIRS
    assert data(argocd, "argocd-cm") == {"accounts.promoter": "apiKey"}
    projects = kubectl("get", "appprojects,applicationsets,applications", "--namespace", argocd, "--output", "name")
    assert len(projects.split()) == 4


def test_a_second_time_changes_nothing_and_keeps_what_was_changed_by_hand(argocd):
    assert bootstrap(argocd).exit_code == 0
    mine = json.dumps({"data": {"accounts.promoter": "apiKey, login"}})
    kubectl("patch", "configmap", "argocd-cm", "--namespace", argocd, "--type=merge", "--patch", mine)
    again = bootstrap(argocd)
    assert again.exit_code == 0
    assert "configmap/argocd-cm keeps its own accounts.promoter" in again.output
    assert data(argocd, "argocd-cm") == {"accounts.promoter": "apiKey, login"}


def test_a_namespace_of_argo_cd_that_is_not_there_changes_nothing():
    missing = f"bootstrap-{uuid.uuid4().hex[:8]}"
    result = bootstrap(missing)
    assert result.exit_code == 1
    assert "name the namespace of Argo CD with --argocd-namespace" in result.output
    assert f"{missing}-env" not in kubectl("get", "namespaces", "--output", "name")
