"""Real versions in a real store, verified by the promoter's own process before they serve."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta

import pytest

from promoter.adapters.preflight_process import ProcessPreflights
from promoter.adapters.publishing import publish
from promoter.adapters.stores import FileStore
from promoter.documents.commit_message import read_trailers
from promoter.documents.release_file import parse_release
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.preflight import CheckName, Outcome, PreflightPolicy, PreflightRequest
from promoter.domain.version import ModelVersion
from promoter.preflight.version_files import identified

pytestmark = pytest.mark.sandbox

FOLDER = "environments/production/ranker"


@pytest.fixture
def store(versions, tmp_path):
    """Publishes versions by name; the address of the store."""
    address = f"file://{tmp_path}/store/ranker"
    (tmp_path / "store/ranker").mkdir(parents=True)

    def put(name, number):
        return publish(versions / name, address, ModelVersion(number), lambda *_: None)

    put.address = address
    return put


@pytest.mark.parametrize(("name", "failure"), [("good", None), ("other-type", CheckName.SIGNATURES)])
def test_a_version_is_verified_beside_stable(store, name, failure):
    stable, candidate = store("stable", 1), store(name, 2)
    wanted = PreflightRequest(
        f"{store.address}/2",
        candidate.digest,
        f"{store.address}/1",
        stable.digest,
        ByManifest(),
        # Timing is for other tests: this machine is busy.
        PreflightPolicy(warn=frozenset({CheckName.LATENCY})),
    )
    preflights = ProcessPreflights()
    assert preflights.ask(wanted).startswith("it runs since ")
    preflights.settle()
    found = preflights.ask(wanted)
    assert (found.first_failure.name if found.first_failure else None) is failure
    assert found.candidate.digest == str(candidate.digest)
    assert found.checks[0].outcome is Outcome.PASS


@pytest.mark.parametrize("complete", [ByManifest(), ByMarker("_SUCCESS"), ByQuiet(timedelta(0))])
def test_what_is_verified_has_the_digest_that_the_store_took(versions, tmp_path, complete):
    folder = tmp_path / "store/2"
    shutil.copytree(versions / "good", folder)
    if isinstance(complete, ByManifest):
        shutil.rmtree(folder)
        (tmp_path / "store").mkdir(exist_ok=True)
        publish(versions / "good", f"file://{tmp_path}/store", ModelVersion(2), lambda *_: None)
    elif isinstance(complete, ByMarker):
        (folder / "_SUCCESS").touch()
        (folder / "manifest.json").write_text("{}")
    (folder / ".DS_Store").write_text("nobody's")
    offered = FileStore().version(f"file://{tmp_path}/store", ModelVersion(2), complete)
    assert identified(folder, complete).digest == offered.digest


def git(*words, cwd):
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def remote(store, tmp_path):
    work = tmp_path / "work"
    folder = work / FOLDER
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(f"candidates: {{store: '{store.address}'}}\n")
    (folder / "release.yaml").write_text("release: {}\n")
    (folder / "values.yaml").write_text("model: {name: ranker}\n")
    git("init", "-q", "-b", "main", ".", cwd=work)
    git("add", ".", cwd=work)
    git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", "Serve ranker", cwd=work)
    git("clone", "-q", "--bare", str(work), str(tmp_path / "remote.git"), cwd=tmp_path)
    return tmp_path / "remote.git"


def once(remote, tmp_path, *options):
    (tmp_path / "token").write_text("secret")
    settings = {
        "PROMOTER_REPOSITORY": f"file://{remote}",
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
        "PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9",
        "PROMOTER_STORES": f"file://{tmp_path}/store",
    }
    return subprocess.run(
        [sys.executable, "-m", "promoter", "once", *options],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_one_pass_waits_for_the_preflight_it_began_and_acts_on_it(store, remote, tmp_path):
    store("reads", 2)
    dry = once(remote, tmp_path, "--dry-run")
    assert "2 waits for its preflight: it runs since" in dry.stdout
    assert "ranker: production: 2 fails its preflight" in dry.stdout
    refused = once(remote, tmp_path)
    assert refused.returncode == 0, refused.stderr
    assert "ReadFile" in refused.stdout
    subjects = git("log", "--format=%s", cwd=remote).splitlines()
    assert subjects == ["ranker: production: 2 fails its preflight", "Serve ranker"]
    release = parse_release(git("show", f"HEAD:{FOLDER}/release.yaml", cwd=remote), "release.yaml")
    assert "ReadFile" in release.rejected[0].reason
    (record,) = read_trailers(git("log", "-1", "--format=%B", cwd=remote))
    assert record.preflight.checks[CheckName.OPERATIONS] is Outcome.FAIL
