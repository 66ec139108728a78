"""What subscribers hear, by Argo CD's own program for trying triggers and templates."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml

from promoter.bootstrap.installation import Installation

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        "KUBECONFIG" not in os.environ or shutil.which("argocd") is None, reason="there is no cluster, or no argocd"
    ),
]
KEYS = Installation("https://git.example.com/models.git", ("staging",)).keys()["argocd-notifications-cm"]
PROMOTED = {"Stable version": "42", "Canary version": "none", "Withdrawn": "no", "Last rejected": "none"}
RUNNING = PROMOTED | {"Canary version": "43"}
HELD = RUNNING | {"Withdrawn": "nobody could see it"}
REVERTED = PROMOTED | {"Last rejected": "43: 3 % of requests failed"}


@pytest.fixture
def argocd(tmp_path):
    """`argocd admin notifications`, on an Application with this `info`."""

    def run(*words, info, synced="Synced"):
        metadata = {"name": "argocd-notifications-cm", "namespace": "argocd"}
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "staging-ranker", "namespace": "argocd"},
            "spec": {"info": [{"name": name, "value": value} for name, value in info.items()]},
            "status": {"sync": {"status": synced}, "health": {"status": "Healthy"}},
        }
        files = {
            "config": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": KEYS},
            "secret": {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata | {"name": "argocd-notifications-secret"},
            },
            "application": application,
        }
        paths = {name: tmp_path / f"{name}.yaml" for name in files}
        for name, content in files.items():
            paths[name].write_text(yaml.safe_dump(content))
        options = ["--config-map", paths["config"], "--secret", paths["secret"], "--namespace", "argocd"]
        command = ["argocd", "admin", "notifications", *words, paths["application"], *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


@pytest.mark.parametrize(
    ("info", "fired"),
    [
        (PROMOTED, {"promoted"}),
        (RUNNING, set()),
        (HELD, {"held"}),
        (REVERTED, {"promoted", "reverted"}),
        ({}, set()),
    ],
    ids=["promoted", "running", "held", "reverted", "without words"],
)
def test_each_trigger_fires_on_what_it_is_named_for(argocd, info, fired):
    told = {
        name
        for name in ("promoted", "held", "reverted")
        if argocd("trigger", "run", f"on-version-{name}", info=info).split()[-1] == "true"
    }
    assert told == fired


def test_what_is_not_synced_yet_is_not_promoted(argocd):
    out = argocd("trigger", "run", "on-version-promoted", info=PROMOTED, synced="OutOfSync")
    assert out.split()[-1] == "false"


@pytest.mark.parametrize(
    ("template", "info", "said"),
    [
        ("version-promoted", PROMOTED, "staging-ranker: version 42 is stable"),
        ("version-reverted", REVERTED, "43: 3 % of requests failed"),
        ("version-held", HELD, "canary 43 has its traffic taken back and waits. nobody could see it"),
    ],
)
def test_the_words_name_version_and_reason(argocd, template, info, said):
    assert said in " ".join(yaml.safe_load(argocd("template", "notify", template, info=info))["message"].split())
