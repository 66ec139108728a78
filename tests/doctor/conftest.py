"""An installation in order: a repository that Git serves over HTTP, and what a test leaves of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from adapters.git_remote import BareRemote
from adapters.git_server import serving
from scripted_server import scripted_server

from promoter.adapters.prometheus import PrometheusMetrics
from promoter.adapters.stores import AllowedStores, FileStore
from promoter.cli.wiring import repository
from promoter.doctor.patient import Patient
from promoter.settings import settings

RELEASE = f"release:\n  stable: {{version: 42, digest: 'sha256:{42:064x}'}}\n"
FILES = {
    "environments/production/ranker/release.yaml": RELEASE,
    "environments/production/ranker/values.yaml": "model: {name: ranker}\n",
    "environments/production/ranker/policy.yaml": "candidates: {upstream: staging}\n",
    "environments/staging/ranker/release.yaml": "release: {}\n",
    "environments/staging/ranker/values.yaml": "model: {name: ranker}\n",
    "environments/staging/ranker/policy.yaml": "candidates: {store: 'gs://shop/ranker'}\n",
}


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "served" / "models.git", FILES)


@pytest.fixture
def git_server(remote):
    with serving(remote.folder.parent) as server:
        yield server


@pytest.fixture
def server():
    """Argo CD, Prometheus, or both, by path."""
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def patient(tmp_path, git_server, server):
    """What is looked at; `settings` are changed by name, the rest too."""
    (tmp_path / "argocd-token").write_text("TOKEN-OF-ARGO-CD\n")

    def made(*, environments=(), scratch_branch=None, stores=(), **changes):
        told = settings(
            {
                "PROMOTER_REPOSITORY": git_server.url("models.git"),
                "PROMOTER_CLONE": str(tmp_path / "clone"),
                "PROMOTER_ARGOCD_URL": server.url,
                "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "argocd-token"),
                "PROMOTER_PROMETHEUS_URL": server.url,
            }
        )
        git = {name: changes.pop(name) for name in list(changes) if hasattr(told.git, name)}
        told = replace(told, git=replace(told.git, **git), **changes)
        return Patient(
            told,
            repository(told.git),
            PrometheusMetrics(told.prometheus_url),
            AllowedStores(stores, {"file": FileStore()}),
            environments,
            scratch_branch,
        )

    return made
