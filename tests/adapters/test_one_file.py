"""One file of a version, from each kind of store through its real client."""

from __future__ import annotations

import pytest
from store_kinds import FolderKind, GsKind, S3Kind

from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.one_file import file_of_version
from promoter.adapters.stores.s3 import S3Bucket
from promoter.documents.golden_file import GOLDEN_FILE
from promoter.errors import InvalidInput

BUCKETS = {"gs": GsBucket, "s3": S3Bucket}


def read(address, largest=100):
    return file_of_version(address, GOLDEN_FILE, largest=largest, buckets=BUCKETS)


@pytest.mark.parametrize("kind", ["folder", "gs", "s3"])
def test_the_file_is_read_and_its_neighbours_are_not(kind, request, tmp_path):
    store = store_of(kind, request, tmp_path)
    store.put(f"42/{GOLDEN_FILE}", b"[1]")
    store.put(f"43/{GOLDEN_FILE}.bak", b"[2]")
    assert read(f"{store.address}/42") == read(f"{store.address}/42/") == b"[1]"
    assert read(f"{store.address}/43") is None
    with pytest.raises(InvalidInput, match="larger than"):
        read(f"{store.address}/42", largest=2)


def store_of(kind, request, tmp_path):
    if kind == "folder":
        return FolderKind(tmp_path / "store")
    return GsKind(request.getfixturevalue("cloud")) if kind == "gs" else S3Kind(request.getfixturevalue("aws"))


def test_what_is_no_store_is_refused():
    with pytest.raises(InvalidInput, match="is in no store: use file://, gs://, s3://"):
        read("http://models/42")
