"""`promoter verify` on an address in a bucket: what it exits with, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from store_kinds import GsKind

pytestmark = pytest.mark.sandbox

COMMAND = ["env", "--default-signal=INT", sys.executable, "-m", "promoter", "verify", "--json"]


@pytest.fixture
def temporary(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def started(temporary):
    def start(address):
        # A session of its own, so that all of it can be killed at once.
        return subprocess.Popen(
            [*COMMAND, address],
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def test_a_version_in_a_bucket_is_looked_through_and_nothing_is_left(bucket, started, temporary):
    stored = bucket.write_version(43)
    process = started(f"{bucket.address}/43")
    out, err = process.communicate(timeout=60)
    found = json.loads(out)
    outcomes = {check["name"]: check["outcome"] for check in found["checks"]}
    assert (process.returncode, err, found["candidate"]["digest"]) == (1, "", str(stored.digest))
    # Its graph is five letters and no graph.
    assert (outcomes["files"], outcomes["operations"]) == ("pass", "fail")
    assert list(temporary.iterdir()) == []


def test_what_is_wrong_with_its_files_is_a_verdict_and_a_store_that_refuses_is_none(cloud, started, temporary):
    kind = GsKind(cloud)
    kind.write_version(43)
    kind.put("43/late", b"")
    process = started(f"{kind.address}/43")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["checks"][0] == {
        "name": "files",
        "outcome": "fail",
        "reason": "late is not in the manifest: remove it, or publish the version again, as a new one",
    }
    cloud.always = 403
    process = started(f"{kind.address}/43")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "refuses (403)" in err
    assert "SECRET" not in err
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ending_it_while_it_downloads_leaves_nothing_behind(cloud, started, temporary, end):
    kind = GsKind(cloud)
    # Without a manifest the first content that is asked for is a file's.
    kind.put("43/saved_model.pb", b"g" * 100)
    cloud.content = "stalled"
    process = started(f"{kind.address}/43")
    until = time.monotonic() + 30
    while not list(temporary.rglob("saved_model.pb")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    assert [folder.stat().st_mode & 0o777 for folder in temporary.iterdir()] == [0o700]
    os.killpg(process.pid, end)
    out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (-end, "")
    until = time.monotonic() + 10
    while list(temporary.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.02)
