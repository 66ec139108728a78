"""A version of a bucket, brought into a folder, from each cloud through its real client."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from store_kinds import MODEL

from promoter.adapters.stores import gs, s3
from promoter.adapters.stores.download import DownloadLimits, download_version
from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.s3 import S3Bucket
from promoter.errors import BrokenVersion, InvalidInput, StoreUnavailable

WEIGHTS = "variables/variables.data-00000-of-00001"


@pytest.fixture
def server(bucket, request):
    """The server behind `bucket`."""
    return request.getfixturevalue("cloud" if bucket.address.startswith("gs:") else "aws")


@pytest.fixture
def download(bucket, tmp_path):
    """Downloads one version, told by its number, into a new folder."""

    def run(number=43, *, size=2**20, seconds=30.0, progress=lambda done, total: None):
        opened = GsBucket if bucket.address.startswith("gs:") else S3Bucket
        folder = tmp_path / "here"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        client = opened(bucket.bucket, patience=timedelta(seconds=1))
        limits = DownloadLimits(size, time.monotonic() + seconds)
        download_version(client, f"{bucket.address}/{number}", folder, limits, progress=progress)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return run


def test_exactly_the_files_of_the_manifest_are_brought_with_progress(bucket, download, monkeypatch):
    for module in (gs, s3):
        monkeypatch.setattr(module, "_CHUNK", 1000)
    weights = bytes(range(256)) * 30
    bucket.write_version(43, weights)
    bucket.put("43/.publishing", b"claim")
    bucket.put("430/saved_model.pb", b"another version")
    told = []
    found = download(progress=lambda *bytes_: told.append(bytes_))
    assert found.pop("manifest.json")
    assert found == MODEL | {WEIGHTS: weights}
    total = sum(map(len, found.values()))
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_without_a_manifest_every_file_is_brought_but_those_with_a_dot(bucket, download):
    files = MODEL | {"assets/empty": b"", "assets/größer ä.txt": b"x"}
    for path, content in (files | {".part/1": b"x"}).items():
        bucket.put(f"43/{path}", content)
    assert download() == files


@pytest.mark.parametrize("name", ["a\\b", "a//b"])
def test_a_name_that_is_no_safe_path_is_refused_before_anything_is_written(bucket, download, tmp_path, name):
    bucket.put("43/saved_model.pb", b"graph")
    bucket.put(f"43/{name}", b"x")
    with pytest.raises(BrokenVersion, match="is not the path of a file in its folder"):
        download()
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda kind: kind.put(f"43/{WEIGHTS}", b"WEIGHTS"), "is not the file that the manifest says"),
        (lambda kind: kind.put(f"43/{WEIGHTS}", b"short"), "has 5 bytes, the manifest says 7"),
        (lambda kind: kind.remove(f"43/{WEIGHTS}"), "is missing"),
        (lambda kind: kind.put("43/saved_model.cpb", b""), "saved_model.cpb is not in the manifest"),
        (lambda kind: kind.put("43/manifest.json", b'{"files": {"../x": {}}}'), "not the path of a file in its folder"),
    ],
)
def test_files_that_are_not_those_of_the_manifest_break_the_version(bucket, download, change, reason):
    bucket.write_version(43)
    change(bucket)
    with pytest.raises(BrokenVersion, match=reason):
        download()


def test_a_file_that_is_replaced_while_it_is_downloaded_breaks_the_version(bucket, download):
    bucket.write_version(43)

    def replace(done, total):
        if done == 0:
            bucket.put(f"43/{WEIGHTS}", b"WEIGHTS")

    with pytest.raises(BrokenVersion, match=f"{WEIGHTS} was replaced or removed while it was downloaded"):
        download(progress=replace)


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "refuses"), (404, "does not exist"), (429, "asked too often"), (503, r"failed \(503\)")],
)
def test_a_store_that_says_no_is_told_without_its_secrets(bucket, server, download, status, words):
    bucket.write_version(43)
    server.always = status
    with pytest.raises(StoreUnavailable, match=words) as told:
        download()
    assert "SECRET" not in str(told.value)


def test_a_store_that_stumbles_once_is_asked_again(bucket, server, download):
    bucket.write_version(43)
    server.faults = [503]
    assert download().keys() == MODEL.keys() | {"manifest.json"}


def test_a_body_that_is_cut_short_is_told(bucket, server, download):
    bucket.write_version(43)
    server.content = "cut"
    with pytest.raises(StoreUnavailable, match=r"broke off|does not answer"):
        download()


def test_size_time_and_room_are_limited(bucket, download, monkeypatch):
    bucket.write_version(43, b"w" * 4096)
    with pytest.raises(InvalidInput, match="may be downloaded: raise --download-limit"):
        download(size=4096)
    with pytest.raises(StoreUnavailable, match="longer than the time limit"):
        download(seconds=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**20))
    with pytest.raises(InvalidInput, match="name another folder in TMPDIR"):
        download()


def test_where_no_version_is_a_person_named_the_wrong_place(bucket, download):
    bucket.put("43/.publishing", b"claim")
    for number in (43, 44):
        with pytest.raises(InvalidInput, match=f"{number} is no version: there are no files below it"):
            download(number)
    with pytest.raises(InvalidInput, match="is a bucket and no version"):
        download_version(None, "gs://models", None, None, progress=None)
