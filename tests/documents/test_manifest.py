"""manifest.json read, written and digested."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.manifest import (
    LARGEST_BYTES,
    Manifest,
    ManifestFile,
    canonical,
    digest,
    parse_manifest,
    write_manifest,
)
from promoter.errors import InvalidDocument

WHERE = "43/manifest.json"
HEX = "0" * 64
MODEL = ManifestFile("saved_model.pb", HEX, 12)


def listed(files, **others):
    return json.dumps({"files": files, **others})


def entry(**instead):
    return {"sha256": HEX, "size": 12, **instead}


def test_a_manifest_lists_its_files_in_order():
    found = parse_manifest(listed({"variables/variables.index": entry(size=3), "saved_model.pb": entry()}), WHERE)
    assert found == Manifest((MODEL, ManifestFile("variables/variables.index", HEX, 3)))


def test_the_digest_is_that_of_the_canonical_form_whatever_the_layout():
    plain = b'{"files":{"a\xc3\xa9":{"sha256":"' + HEX.encode() + b'","size":1},"saved_model.pb":'
    plain += b'{"sha256":"' + HEX.encode() + b'","size":12}}}'
    found = parse_manifest(listed({"saved_model.pb": entry(), "aé": {"size": 1, "sha256": HEX}}), WHERE)
    assert canonical(found) == plain
    assert digest(found).text == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert digest(Manifest(found.files[::-1])) == digest(found)


def test_a_crc32c_is_read_and_written_and_no_part_of_the_digest():
    found = parse_manifest(listed({"saved_model.pb": entry(crc32c="yZRlqg==")}), WHERE)
    assert found.files[0].crc32c == "yZRlqg=="
    assert parse_manifest(write_manifest(found), WHERE) == found
    assert digest(found) == digest(parse_manifest(listed({"saved_model.pb": entry()}), WHERE))


@pytest.mark.parametrize("crc32c", ["", "yZRlqg", "yZRlqh==", "c99465aa", 7, None])
def test_what_is_no_crc32c_is_refused(crc32c):
    with pytest.raises(InvalidDocument, match="is not four bytes in base64"):
        parse_manifest(listed({"saved_model.pb": entry(crc32c=crc32c)}), WHERE)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "this is not JSON: Expecting value"),
        ('{"files": {\n', "this is not JSON"),
        (b"\xff{}", "this is not JSON in UTF-8"),
        ("[" * 200_000, "this is not JSON in UTF-8: RecursionError"),
        ('{"files": {"saved_model.pb": {"sha256": "", "size": ' + "9" * 5000 + "}}}", "this is not JSON in UTF-8"),
        ("[]", 'the manifest is not {"files"'),
        ("{}", 'the manifest is not {"files"'),
        ('{"files": []}', 'the manifest is not {"files"'),
        (listed({"saved_model.pb": entry()}, model="x"), 'the manifest is not {"files"'),
        ('{"files": {}, "files": {}}', "a key stands in the manifest twice"),
        ('{"files": {"a": {"size": 1, "size": 2}}}', "a key stands in the manifest twice"),
        (listed({}), "the manifest lists no saved_model.pb"),
        (listed({"model/saved_model.pb": entry()}), "the manifest lists no saved_model.pb"),
        *[
            (listed({"saved_model.pb": entry(), path: entry()}), "is not the path of a file in its folder")
            for path in (
                "/etc/passwd",
                "../42/saved_model.pb",
                "a/../b",
                "a/..",
                "./a",
                "a//b",
                "a/",
                "",
                "a\\b",
                "a\nb",
                "a\x00b",
                "a\u202eb",
                "\ud800",
                "a" * 1025,
            )
        ],
        (listed({"saved_model.pb": entry(), "manifest.json": entry()}), "the manifest lists manifest.json"),
        (listed({"saved_model.pb": entry(), "a": entry(), "a/b": entry()}), "'a' is listed as a file and as a folder"),
        (listed({"saved_model.pb": {"sha256": HEX}}), "'saved_model.pb' must have"),
        (listed({"saved_model.pb": entry(mode=1)}), "'saved_model.pb' must have"),
        (listed({"saved_model.pb": [HEX, 12]}), "'saved_model.pb' must have"),
        *[
            (listed({"saved_model.pb": entry(sha256=bad)}), "the sha256 of 'saved_model.pb'")
            for bad in ("0" * 63, "A" * 64, "g" * 64, HEX + "\n", 12, None)
        ],
        *[
            (listed({"saved_model.pb": entry(size=bad)}), "the size of 'saved_model.pb'")
            for bad in (-1, 2**53 + 1, 1.0, "12", True, None)
        ],
        ('{"files": {"saved_model.pb": {"sha256": "' + HEX + '", "size": NaN}}}', "the size of"),
        (
            listed({"saved_model.pb": entry(), **{f"f{n}": entry() for n in range(10_000)}}),
            "the manifest lists more than",
        ),
        (" " * (LARGEST_BYTES + 1), "the manifest is larger than 4 MiB"),
    ],
)
def test_a_manifest_that_is_none_is_refused_fast(content, problem):
    begun = time.perf_counter()
    with pytest.raises(InvalidDocument) as caught:
        parse_manifest(content, WHERE)
    assert time.perf_counter() - begun < 1
    assert caught.value.where == WHERE
    assert problem in caught.value.problem
    assert caught.value.remedy


def test_a_fault_of_json_has_its_line():
    with pytest.raises(InvalidDocument) as caught:
        parse_manifest('{\n "files": {\n  oops\n', WHERE)
    assert caught.value.line == 3


def test_a_manifest_that_would_be_refused_is_not_written():
    for files in ((), (MODEL, ManifestFile("../x", HEX, 1)), (MODEL, ManifestFile("\ud800", HEX, 1))):
        with pytest.raises(InvalidDocument):
            write_manifest(Manifest(files))


names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="/\\"), min_size=1, max_size=20)
files = st.builds(
    ManifestFile,
    st.lists(names.filter(lambda name: name not in {".", ".."}), min_size=1, max_size=2).map("/".join),
    st.sampled_from("0123456789abcdef").map(lambda digit: 64 * digit),
    st.integers(0, 2**53),
)


@given(st.lists(files, max_size=6, unique_by=lambda file: file.path.split("/")[0]))
def test_every_manifest_reads_back(others):
    ordered = sorted([MODEL, *(file for file in others if file.path != "manifest.json")], key=lambda file: file.path)
    manifest = Manifest(tuple(ordered))
    assert parse_manifest(write_manifest(manifest), WHERE) == manifest
    assert parse_manifest(canonical(manifest), WHERE) == manifest
