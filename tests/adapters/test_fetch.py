"""`promoter fetch`: a version of a bucket in a folder, whole and the one that was asked for, or nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from builders import digest
from click.testing import CliRunner
from store_kinds import GsKind

from promoter.cli import main
from promoter.preflight.version_files import identified


def fetch(*words):
    return CliRunner().invoke(main, ["fetch", *map(str, words)])


def test_a_version_is_brought_whole_with_the_digest_that_was_asked_for(bucket, tmp_path):
    stored = bucket.write_version(43)
    folder = tmp_path / "ranker/43"
    result = fetch(f"{bucket.address}/43", folder, f"--digest={stored.digest}")
    assert result.exit_code == 0, result.output
    assert identified(folder).digest == stored.digest
    assert [path.name for path in folder.parent.iterdir()] == ["43"]


def test_what_is_there_already_is_not_brought_again(cloud, tmp_path):
    kind = GsKind(cloud)
    stored = kind.write_version(43)
    words = (f"{kind.address}/43", tmp_path / "43", f"--digest={stored.digest}")
    assert fetch(*words).exit_code == 0
    asked = len(cloud.requests)
    again = fetch(*words)
    assert again.exit_code == 0
    assert "is there already" in again.output
    assert len(cloud.requests) == asked


def test_another_version_that_is_there_already_is_not_touched(bucket, tmp_path):
    stored = bucket.write_version(43)
    (tmp_path / "43").mkdir()
    (tmp_path / "43/saved_model.pb").write_bytes(b"mine")
    result = fetch(f"{bucket.address}/43", tmp_path / "43", f"--digest={stored.digest}")
    assert result.exit_code == 1
    assert "its files have another digest: name a new folder" in result.output
    assert (tmp_path / "43/saved_model.pb").read_bytes() == b"mine"


def test_other_files_than_those_that_were_released_never_appear(bucket, tmp_path):
    bucket.write_version(43)
    result = fetch(f"{bucket.address}/43", tmp_path / "43", f"--digest={digest(1)}")
    assert result.exit_code == 1
    assert f"{digest(1)} is wanted: it is not what was released" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [44, "x"])
def test_a_version_that_is_not_there_leaves_nothing(bucket, tmp_path, number):
    bucket.write_version(43)
    result = fetch(f"{bucket.address}/{number}", tmp_path / "44", f"--digest={digest(1)}")
    assert result.exit_code == 1
    assert "is no version: there are no files below it" in result.output
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_one_left_that_was_killed_is_cleared_away(bucket, tmp_path):
    stored = bucket.write_version(43)
    (tmp_path / ".43.draft").mkdir()
    (tmp_path / ".43.draft/late").write_bytes(b"x")
    assert fetch(f"{bucket.address}/43", tmp_path / "43", f"--digest={stored.digest}").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["43"]


def test_a_digest_that_is_none_is_refused_before_anybody_is_asked(tmp_path):
    result = fetch("gs://models/ranker/43", tmp_path / "43", "--digest=43")
    assert result.exit_code == 2
    assert "'43' is not a digest" in result.output


def test_a_folder_that_cannot_be_written_is_told(bucket, tmp_path):
    (tmp_path / "file").write_text("x")
    result = fetch(f"{bucket.address}/43", tmp_path / "file/43", f"--digest={digest(1)}")
    assert result.exit_code == 1
    assert "name a folder that can be written" in result.output


def test_it_needs_nothing_that_verify_needs():
    program = "import sys, promoter.cli.fetch; sys.exit(any(m in sys.modules for m in ('numpy', 'tensorflow', 'hera')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
