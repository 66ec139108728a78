"""Whatever the chart renders, a real API server takes: with defaults, CEL rules and admission, and no warning."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess

import pytest
import yaml
from charts.rendering import EXAMPLES, SITUATIONS, render, served

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on PATH"),
]


def kubectl(*arguments, text=""):
    return subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def namespace():
    name = f"chart-{secrets.token_hex(4)}"
    done = kubectl("create", "namespace", name)
    assert done.returncode == 0, done.stderr
    # What pods of an environment must hold to: whatever the chart renders passes Kubernetes' strictest profile.
    enforced = kubectl(
        "label",
        "namespace",
        name,
        "pod-security.kubernetes.io/enforce=restricted",
        "pod-security.kubernetes.io/warn=restricted",
    )
    assert enforced.returncode == 0, enforced.stderr
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def known():
    """The kinds that the API server knows, as (group, kind)."""
    done = kubectl("api-resources", "--no-headers", "--output=wide")
    assert done.returncode == 0, done.stderr
    kinds = set()
    for line in done.stdout.splitlines():
        columns = line.split()
        version = next(column for column in columns if column in {"true", "false"})
        at = columns.index(version)
        kinds.add((columns[at - 1].rpartition("/")[0], columns[at + 1]))
    return kinds


@pytest.mark.parametrize("name", [*SITUATIONS, *EXAMPLES])
def test_the_api_server_takes_it(name, namespace, known):
    objects = render(served(name), namespace=namespace)
    unknown = {(manifest["apiVersion"].rpartition("/")[0], manifest["kind"]) for manifest in objects} - known
    if unknown:
        pytest.skip(f"the cluster does not know {', '.join(sorted(kind for _, kind in unknown))}")
    done = kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        f"--namespace={namespace}",
        "--filename=-",
        text=yaml.safe_dump_all(objects),
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.count("serverside-applied") == len(objects)
