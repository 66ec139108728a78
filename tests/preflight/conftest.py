"""Real versions, written once by TensorFlow in a process of its own; what differs from them is edited in a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from promoter.domain.preflight import CheckName, PreflightPolicy
from promoter.errors import StoreUnavailable
from promoter.preflight import checks
from promoter.preflight.verify import Budget, Given, verify
from promoter.saved_model.protos import saved_model_pb2

BUILD = Path(__file__).with_name("build_versions.py")
GRAPH = "saved_model.pb"


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions") / "all"
    subprocess.run([sys.executable, str(BUILD), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def edited(versions, tmp_path):
    """Copies a version, and changes its MetaGraphDef."""

    def edit(name, change=lambda meta_graph: None):
        folder = tmp_path / name
        shutil.copytree(versions / name, folder)
        model = saved_model_pb2.SavedModel.FromString((folder / GRAPH).read_bytes())
        change(model.meta_graphs[0])
        (folder / GRAPH).write_bytes(model.SerializeToString())
        return folder

    return edit


def no_store(address, folder):
    raise StoreUnavailable(address)


@pytest.fixture
def verified_from(monkeypatch):
    """Verifies addresses, with hardly any measuring, so that no time of a busy machine condemns a version."""
    monkeypatch.setattr(checks, "_LEAST_SECONDS", 60.0)
    monkeypatch.setattr(checks, "_MOST_TURNS", 2)
    monkeypatch.setattr(checks, "_TURN_SECONDS", 0.005)

    def run(fetch, candidate, stable=None, policy=None, *, golden=None, signed=None, seconds=60.0):
        return verify(
            candidate,
            stable,
            policy or PreflightPolicy(),
            given=Given(fetch, golden, signed),
            budget=Budget(seconds, 4 * 2**30),
            told=lambda name: None,
        )

    return run


@pytest.fixture
def verified(versions, verified_from):
    """Verifies a version by name or folder. The checks by name, and the whole."""

    def run(candidate, stable=None, policy=None, *, signed=None, **options):
        old = None if stable is None else str(versions / stable)
        found = verified_from(no_store, str(versions / candidate), old, policy, signed=signed, **options)
        # Every check is there, once, whatever happened.
        names = [check.name for check in found.checks]
        expected = (
            set(CheckName) - ({CheckName.STABLE} - set(names)) - ({CheckName.SIGNED} if signed is None else set())
        )
        assert names == [name for name in CheckName if name in expected]
        return found, {check.name.value: check for check in found.checks}

    return run
