"""Publishing into a bucket: all of a version or none of it, each number once, and on where it was broken off."""

from __future__ import annotations

import os
import threading

import pytest
from store_kinds import MODEL, S3Kind, write_folder

from promoter.adapters.stores import s3
from promoter.adapters.stores.bucket import Part
from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.publication import publish_to_bucket
from promoter.adapters.stores.s3 import S3Bucket
from promoter.domain.version import ModelVersion, Wanted
from promoter.errors import InvalidInput, StoreUnavailable

WEIGHTS = "variables/variables.data-00000-of-00001"


@pytest.fixture
def model(tmp_path):
    return write_folder(tmp_path / "export", MODEL | {WEIGHTS: os.urandom(9 * 2**20 + 7)})


@pytest.fixture
def server(bucket, request):
    return request.getfixturevalue("cloud" if bucket.address.startswith("gs:") else "aws")


def opened(kind, **options):
    return (GsBucket if kind.address.startswith("gs:") else S3Bucket)(kind.bucket, **options)


def put(kind, model, number=None, progress=lambda done, total: None):
    return publish_to_bucket(opened(kind), model, kind.address, number and ModelVersion(number), progress)


def complete(kind):
    return kind.store().listing(kind.address, Wanted()).complete


def test_what_was_published_is_a_complete_version_with_the_digest_that_was_told(bucket, model):
    published = put(bucket, model, 7)
    assert published.version == ModelVersion(7)
    assert complete(bucket) == (published,)
    (file,) = [found for found in found_in(bucket, 7) if found.name.endswith(WEIGHTS)]
    assert b"".join(opened(bucket).chunks(file)) == (model / WEIGHTS).read_bytes()


def found_in(kind, number):
    return opened(kind).page(Part(f"team/ranker/{number}/"), None).objects


def test_nothing_but_the_version_is_left(bucket, model):
    put(bucket, model, 7)
    names = {found.name.removeprefix("team/ranker/7/") for found in found_in(bucket, 7)}
    assert names == {*MODEL, "manifest.json"}


def test_the_first_version_is_1_and_the_next_is_one_higher_than_the_highest(bucket, model):
    assert put(bucket, model).version == ModelVersion(1)
    bucket.put("41/saved_model.pb", b"")
    bucket.put("0099/saved_model.pb", b"")
    assert put(bucket, model).version == ModelVersion(42)


def test_progress_is_told_from_nothing_to_everything(bucket, model):
    told = []
    put(bucket, model, progress=lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_version_is_never_overwritten(bucket, model):
    first = put(bucket, model, 7)
    with pytest.raises(InvalidInput, match=r"version 7 is in the store already.*take a higher number"):
        put(bucket, write_folder(model.parent / "other"), 7)
    assert complete(bucket) == (first,)


def test_an_upload_of_somebody_else_is_not_mixed_with_ours(bucket, model):
    bucket.put("7/saved_model.pb", b"graph")
    with pytest.raises(InvalidInput, match="remove it if nobody is uploading it"):
        put(bucket, model, 7)


def test_two_publishers_at_once_take_two_numbers(bucket, tmp_path):
    model = write_folder(tmp_path / "export")
    published = []
    threads = [threading.Thread(target=lambda: published.append(put(bucket, model))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.version for entry in published}) == 4
    assert set(complete(bucket)) == set(published)


def test_an_upload_that_breaks_off_says_how_to_go_on_and_goes_on_there(bucket, server, model):
    def fail(done, total):
        if done > 5:
            server.always = 403

    with pytest.raises(StoreUnavailable, match=r"the same command with --version 1 goes on"):
        put(bucket, model, progress=fail)
    server.always = None
    assert complete(bucket) == ()
    there = {found.name for found in found_in(bucket, 1)}
    published = put(bucket, model, 1)
    assert complete(bucket) == (published,)
    assert published.version == ModelVersion(1)
    assert there < {found.name for found in found_in(bucket, 1)} | {"team/ranker/1/.publishing"}


def test_other_content_does_not_go_on_where_an_upload_broke_off(bucket, server, model):
    def fail(done, total):
        if done > 5:
            server.always = 403

    with pytest.raises(StoreUnavailable):
        put(bucket, model, progress=fail)
    server.always = None
    with pytest.raises(InvalidInput, match="is in the store already"):
        put(bucket, write_folder(model.parent / "other"), 1)
    assert put(bucket, write_folder(model.parent / "other")).version == ModelVersion(2)


def test_a_file_in_the_way_is_noticed_and_not_overwritten(bucket, server, model):
    def meddle(done, total):
        if not done:
            bucket.put("1/saved_model.pb", b"GRAPH")

    with pytest.raises(InvalidInput, match=r"saved_model.pb in the store is not the one that was published"):
        put(bucket, model, progress=meddle)
    assert complete(bucket) == ()


def test_a_model_that_changes_while_it_is_sent_makes_no_version(bucket, model):
    def meddle(done, total):
        if not done:
            (model / "saved_model.pb").write_bytes(b"other")

    with pytest.raises(InvalidInput, match=r"saved_model.pb changed while it was read"):
        put(bucket, model, progress=meddle)
    assert complete(bucket) == ()


def test_a_store_that_stumbles_once_takes_the_upload_all_the_same(bucket, server, model):
    def stumble(done, total):
        if not done:
            server.faults = [503]

    published = put(bucket, model, progress=stumble)
    assert complete(bucket) == (published,)


def test_what_is_no_saved_model_is_refused_before_the_store_is_asked(bucket, server, model):
    (model / "saved_model.pb").unlink()
    server.requests.clear()
    with pytest.raises(InvalidInput, match="is no SavedModel"):
        put(bucket, model)
    assert server.requests == []


def test_a_large_file_goes_to_s3_in_parts_and_its_checksum_is_that_of_the_whole(aws, model, monkeypatch):
    monkeypatch.setattr(s3, "_AT_ONCE", 5 * 2**20)
    kind = S3Kind(aws)
    aws.requests.clear()
    published = put(kind, model, 7)
    assert aws.requests.count("POST object") == 2
    aws.requests.clear()
    assert complete(kind) == (published,)
    assert aws.requests.count("GET object") == 1


def test_empty_files_and_names_with_blanks_and_accents_are_published_like_others(bucket, tmp_path):
    odd = {"assets/vocab é #1?.txt": b"words", "assets/empty": b"", "fingerprint.pb": b"x"}
    model = write_folder(tmp_path / "odd", MODEL | odd)
    assert complete(bucket) == ()
    published = put(bucket, model)
    assert complete(bucket) == (published,)
