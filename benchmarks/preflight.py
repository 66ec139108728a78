"""What a preflight of a ResNet50 costs: by the clock on the wall, and in memory.

Keras writes the network, with random weights: what it answers does not matter here. Golden requests are one black and
one white image, and the batches are as large as a server's that batches moderately.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure

_BATCH = 16
_SIDE = 224
_BUILD = """
import sys, keras
keras.applications.ResNet50(weights=None).export(sys.argv[1], format="tf_saved_model", verbose=False)
"""
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


def resnet50() -> list[Figure]:
    """A ResNet50 beside a copy of itself, every check made."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stable, candidate = root / "1", root / "2"
        subprocess.run(
            [sys.executable, "-c", _BUILD, str(stable)], check=True, capture_output=True, env=os.environ | _QUIET
        )
        _add_golden(stable)
        shutil.copytree(stable, candidate)
        policy = root / "policy.yaml"
        policy.write_text(f"candidates: {{upstream: staging}}\npreflight: {{max_batch_size: {_BATCH}}}\n")
        command = [sys.executable, "-m", "promoter", "verify", "--json", str(candidate)]
        began = time.perf_counter()
        told = subprocess.run(
            [*command, "--stable", str(stable), "--policy", str(policy)], check=False, capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
    checks = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
    unfit = [name for name, check in checks.items() if check["outcome"] in ("fail", "skipped")]
    return [
        Figure("promoter verify: a ResNet50 beside another", seconds, 60, "s"),
        Figure("  most memory of its process", checks["memory"]["figures"]["peak_bytes"] / 2**20, 2048, "MiB"),
        Figure(f"  checks that it does not pass{': ' * bool(unfit)}{', '.join(unfit)}", len(unfit), 0, "checks"),
    ]


def _add_golden(version: Path) -> None:
    images = [[[[brightness] * 3] * _SIDE] * _SIDE for brightness in (0, 255)]
    extra = version / "assets.extra"
    extra.mkdir()
    (extra / "golden_requests.json").write_text(json.dumps({"instances": images}))
