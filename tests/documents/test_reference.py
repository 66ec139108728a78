"""What docs/reference/files.md shows is what the parsers take."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from promoter.documents.counts_file import parse_counts
from promoter.documents.freeze_file import parse_freezes
from promoter.documents.limits_file import parse_limits
from promoter.documents.manifest import Manifest, ManifestFile, digest, write_manifest
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.domain.policy import Limits, RolloutPolicy
from promoter.domain.shared_limits import SharedLimits
from promoter.domain.version import ModelVersion

PAGE = Path(__file__).parents[2] / "docs/reference/files.md"


def examples(beginning):
    """The indented blocks of the page that begin with `beginning`."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE.read_text(), re.MULTILINE)
    plain = ["".join(line[4:] or "\n" for line in block.splitlines(keepends=True)).strip("\n") for block in blocks]
    return [block for block in plain if block.startswith(beginning)]


def test_the_freezes_parse():
    (example,) = examples("freezes:")
    (freeze,) = parse_freezes(example, "freeze.yaml")
    assert (freeze.scope, freeze.by) == ("production", "Ada")


def test_the_limits_parse():
    (example,) = examples("limits:\n")
    assert parse_limits(example, "limits.yaml") == {"production": SharedLimits(3, 60)}


def test_the_policies_parse_and_show_the_defaults():
    short, whole = (parse_policy(block, "files.md") for block in examples("candidates:"))
    assert short == RolloutPolicy(short.candidates)
    assert whole == RolloutPolicy(short.candidates, limits=Limits(0.02, 250.0))


def test_the_release_parses_once_its_digests_are_whole():
    (block,) = examples("# Written by the promoter.")
    whole = re.sub(r"sha256:(\w{4})…", lambda found: f"sha256:{found[1] * 16}", block)
    assert [entry.version.number for entry in parse_release(whole, "files.md").pinned] == [42, 43]


def test_the_recorded_counts_parse():
    (block,) = examples("time,version,")
    recording = parse_counts(block.encode(), "files.md")
    assert (recording.stable, recording.canary) == (ModelVersion(42), ModelVersion(43))
    assert recording.bounds_us == (11568.3, 20823.0)
    assert recording.notes == ()


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's command needs jq")
def test_the_command_for_a_digest_gives_the_digest(tmp_path):
    (command,) = examples("jq ")
    assert command == "jq -cjS 'del(.files[].crc32c)' manifest.json | sha256sum"
    files = [ManifestFile("saved_model.pb", "0" * 64, 12, "yZRlqg=="), ManifestFile("a/b.index", "1" * 64, 2**53)]
    (tmp_path / "manifest.json").write_bytes(write_manifest(Manifest(tuple(files))))
    printed = subprocess.run(
        ["jq", "-cjS", "del(.files[].crc32c)", "manifest.json"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert digest(Manifest(tuple(files))).text == "sha256:" + hashlib.sha256(printed).hexdigest()
