"""A short training, from images to a version in a store; and the steps as a pod runs them."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from promoter.adapters.stores import FileStore
from promoter.documents.preflight_answer import parse_preflight
from promoter.domain.version import Wanted
from promoter.preflight.version_files import identified

pytestmark = pytest.mark.sandbox

QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
TEXTURES = "from workflows.images import *; import sys; write_textures(Path(sys.argv[1]), size=32, each=8, seed=3)"


def python(*words, **environment):
    return subprocess.run(
        [sys.executable, *map(str, words)], env={**QUIET, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with a version in it that was trained for a moment, and what was made on the way."""
    folder = tmp_path_factory.mktemp("training")
    made = python("-c", TEXTURES, folder / "images")
    assert made.returncode == 0, made.stderr
    asked = ("--images", folder / "images", "--epochs", 1, "--batch-size", 12, "--threshold", 0, "--version", 7)
    done = python("-m", "workflows.train", "--output", folder / "ranker", "--work", folder / "work", *asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "7\n"
    return folder


def test_the_version_is_complete_and_carries_labels_golden_requests_and_warm_up(folder):
    address = (folder / "ranker").as_uri()
    (stored,) = FileStore().listing(address, Wanted()).complete
    version = folder / "ranker" / "7"
    assert (stored.version.number, stored.digest) == (7, identified(version).digest)
    assert (version / "assets" / "labels.txt").read_text().split() == [
        "checks",
        "rings",
        "stripes-across",
        "stripes-down",
    ]
    golden = json.loads((version / "assets.extra" / "golden_requests.json").read_text())
    assert len(golden) == 8
    assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0


def test_the_same_number_is_refused_before_anything_is_trained(folder):
    done = python("-m", "workflows.train", "--output", folder / "ranker", "--version", 7)
    assert done.returncode == 1
    assert "version 7 is in" in done.stderr
    assert "epoch" not in done.stderr


def test_a_version_that_is_right_too_seldom_is_not_published(folder, tmp_path):
    code = "import sys; from pathlib import Path; from workflows.train import evaluate\n"
    code += "evaluate(saved_model=Path(sys.argv[1]), dataset=Path(sys.argv[2]), threshold=1.01)"
    done = python("-c", code, folder / "work" / "saved-model", folder / "work" / "dataset")
    assert done.returncode != 0
    assert "Refused: it is right on" in done.stderr


def test_a_trained_model_file_is_exported_as_a_version_with_its_labels_and_golden_requests(folder, tmp_path):
    asked = (
        "--version",
        43,
        "--output_path",
        tmp_path / "export",
        "--images",
        folder / "work" / "dataset" / "held-out",
    )
    done = python("-m", "workflows.export_model", folder / "work" / "model" / "model.keras", *asked)
    assert done.stdout == f"{tmp_path / 'export' / '43'}\n", done.stderr
    assert len(json.loads((tmp_path / "export" / "43" / "assets.extra" / "golden_requests.json").read_text())) == 8
    assert (tmp_path / "export" / "43" / "assets" / "labels.txt").read_text().startswith("checks\nrings\n")


def verify_step(tmp_path, candidate, digest):
    """The step as its pod runs it, and the output parameter `report` that it leaves."""
    policy = '{"candidates": {"store": "file:///none"}}'
    given = {"candidate": str(candidate), "stable": "", "policy": policy, "digest": str(digest)}
    asked = tmp_path / "script"
    asked.write_text(json.dumps([{"name": name, "value": value} for name, value in given.items()]))
    outputs = tmp_path / "outputs"
    shutil.rmtree(outputs, ignore_errors=True)
    done = python("-m", "workflows.step", "-e", "workflows.verify:verify", asked, hera__outputs_directory=str(outputs))
    report = outputs / "parameters" / "report"
    return done, report.read_text() if report.exists() else ""


def test_a_preflight_that_fails_leaves_its_report_and_one_without_a_verdict_leaves_none(folder, tmp_path):
    version = folder / "ranker" / "7"
    digest = identified(version).digest
    broken = tmp_path / "8"
    shutil.copytree(version, broken, ignore=shutil.ignore_patterns("manifest.json"))
    (broken / "assets.extra" / "golden_requests.json").write_text('{"instances": [[1, 2, 3]]}')
    done, report = verify_step(tmp_path, broken, identified(broken).digest)
    assert (done.returncode, parse_preflight(report, "report").passed) == (1, False), done.stderr

    done, report = verify_step(tmp_path, broken, digest)
    assert (done.returncode, report) == (2, "")
    assert "was to be verified" in done.stderr


@pytest.mark.parametrize(
    ("raised", "status"),
    [("Refused('no')", 1), ("InvalidInput('no')", 2), ("RuntimeError('no')", 2), ("SystemExit(137)", 137)],
)
def test_only_a_refusal_ends_a_step_with_the_status_that_is_not_tried_again(tmp_path, raised, status):
    module = "from promoter.errors import InvalidInput\nfrom workflows.step import Refused\n"
    (tmp_path / "steps.py").write_text(f"{module}def one() -> None:\n    raise {raised}\n")
    (tmp_path / "script").write_text("[]")
    done = python("-m", "workflows.step", "-e", "steps:one", tmp_path / "script", PYTHONPATH=str(tmp_path))
    assert done.returncode == status, done.stderr
