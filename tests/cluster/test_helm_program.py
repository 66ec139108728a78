"""The chart by the `helm` program: what it renders is what the SDK does, and a release goes forward and back."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess

import pytest
import yaml
from charts.rendering import CHART, EXAMPLES, SITUATIONS, render
from helm_python import values_from_yaml

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm on PATH"),
]
FILES = {**SITUATIONS, **EXAMPLES}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_helm_renders_what_the_sdk_renders(name):
    text = run("helm", "template", "production-resnet50", CHART, "--namespace=production", f"--values={FILES[name]}")
    objects = [manifest for manifest in yaml.safe_load_all(text) if manifest is not None]
    key = lambda manifest: (manifest["kind"], manifest["metadata"]["name"])  # noqa: E731  # one key for both
    assert sorted(objects, key=key) == render(values_from_yaml(FILES[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", FILES)
def test_helm_lints_without_a_warning(name):
    report = run("helm", "lint", "--strict", CHART, f"--values={FILES[name]}")
    assert "[WARNING]" not in report
    assert "[ERROR]" not in report


@pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster")
def test_a_release_goes_forward_and_back():
    namespace = f"helm-{secrets.token_hex(4)}"

    def served():
        text = run("kubectl", "get", "configmap/resnet50", f"--namespace={namespace}", "--output=yaml")
        (line,) = [line for line in yaml.safe_load(text)["data"]["models.config"].splitlines() if "versions:" in line]
        return int(line.split()[1])

    def to(version):
        values = [f"--values={EXAMPLES['dev']}", f"--set=model.versionPolicy=specific,model.version={version}"]
        run(
            "helm", "upgrade", "--install", "resnet50", CHART, f"--namespace={namespace}", "--create-namespace", *values
        )

    try:
        to(1)
        assert served() == 1
        to(2)
        assert served() == 2
        run("helm", "rollback", "resnet50", f"--namespace={namespace}")
        assert served() == 1
        assert "kind: Deployment" in run("helm", "get", "manifest", "resnet50", f"--namespace={namespace}")
    finally:
        run("kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
