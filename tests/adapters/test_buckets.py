"""Stores in the clouds: what a look costs, and what happens when the store does not do its part."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from scripted_server import body, broken_off, dripping, endless, gzip_bomb, scripted_server
from store_kinds import MODEL, GsKind

from promoter.adapters.stores import AllowedStores, BucketStore, gs, s3
from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.s3 import S3Bucket
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.version import ModelVersion, Sweep, Wanted
from promoter.errors import InvalidInput, StoreUnavailable

ALL = Wanted()


def above(number):
    return Wanted(above=ModelVersion(number), newest=True)


@pytest.fixture
def server(bucket, request):
    """The server behind `bucket`."""
    return request.getfixturevalue("cloud" if bucket.address.startswith("gs:") else "aws")


def impatient(kind):
    opened = GsBucket if kind.address.startswith("gs:") else S3Bucket
    return BucketStore(lambda name: opened(name, patience=timedelta(seconds=1)))


def folders(kind, count):
    """So many versions that are only names: what is in them is nobody's business."""
    for number in range(1, count + 1):
        kind.put(f"{number}/saved_model.pb", b"")


def test_a_look_at_five_thousand_versions_with_nothing_new_is_one_call(cloud):
    kind = GsKind(cloud)
    entry = {"size": "0", "generation": "1", "crc32c": "AAAAAA==", "updated": "2026-11-22T20:16:34Z"}
    names = [f"team/ranker/{number}/saved_model.pb" for number in range(1, 5001)]
    cloud.put(kind.bucket, {name: entry | {"name": name} for name in names})
    store = kind.store()
    store.listing(kind.address, above(5000))
    assert cloud.requests == ["GET list"] * 5
    cloud.requests.clear()
    assert store.listing(kind.address, above(5000)).complete == ()
    assert cloud.requests == ["GET list"]
    new = kind.write_version(5001)
    cloud.requests.clear()
    assert store.listing(kind.address, above(5000)).complete == (new,)
    # The names after 5000, the files of 5001, and its manifest; no weights.
    assert cloud.requests == ["GET list", "GET list", "GET content"]


def test_a_number_that_leaps_to_more_digits_is_found_within_the_hour(cloud):
    now = 0.0
    kind = GsKind(cloud)
    entry = {"size": "0", "generation": "1", "crc32c": "AAAAAA==", "updated": "2026-11-22T20:16:34Z"}
    names = [f"team/ranker/{number}/saved_model.pb" for number in range(1, 2001)]
    cloud.put(kind.bucket, {name: entry | {"name": name} for name in names})
    store = kind.store(clock=lambda: now)
    store.listing(kind.address, above(2000))
    new = kind.write_version(1_790_000_000)
    assert store.listing(kind.address, above(2000)).complete == ()
    now = 3601.0
    assert store.listing(kind.address, above(2000)).complete == (new,)


@pytest.mark.parametrize("served", [9, 99, 41])
def test_the_next_number_is_found_whatever_its_place_in_the_order_of_text(bucket, served):
    folders(bucket, served)
    store = bucket.store()
    store.listing(bucket.address, above(served))
    new = bucket.write_version(served + 1)
    assert store.listing(bucket.address, above(served)).complete == (new,)


def test_no_weights_are_downloaded_where_the_store_knows_their_checksum(bucket, server):
    bucket.write_version(4)
    store = bucket.store()
    server.requests.clear()
    store.listing(bucket.address, above(3))
    if bucket.address.startswith("gs:"):
        assert server.requests == ["GET list", "GET list", "GET content"]
    else:
        assert server.requests == ["GET list", "GET list", "GET object", *["HEAD object"] * len(MODEL)]


def test_a_second_look_at_a_version_asks_only_for_its_identity(bucket, server):
    bucket.write_version(4)
    store = bucket.store()
    store.version(bucket.address, ModelVersion(4), ByManifest())
    server.requests.clear()
    store.version(bucket.address, ModelVersion(4), ByManifest())
    assert server.requests == ["GET list"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, r"refuses \(403\): grant"),
        (404, r"does not exist \(404\)"),
        (429, "asked too often"),
        (503, "fail|answer"),
    ],
)
def test_a_store_that_does_not_do_its_part_is_unavailable_and_says_why_without_its_secrets(
    bucket, server, status, words, caplog
):
    caplog.set_level(logging.DEBUG)
    bucket.write_version(4)
    caplog.clear()
    server.always = status
    store = impatient(bucket)
    with pytest.raises(StoreUnavailable, match=words) as caught:
        store.listing(bucket.address, ALL)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("promoter")]
    assert "SECRET" not in str(caught.value) + repr(caught.value) + repr(store) + "".join(ours)
    server.always = None
    assert bucket.versions(store.listing(bucket.address, ALL)) == [4]


@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_stumbles_once_is_asked_again(bucket, server, status):
    published = bucket.write_version(4)
    server.requests.clear()
    server.faults = [status]
    assert bucket.store().listing(bucket.address, above(3)).complete == (published,)
    assert server.requests[:2] == ["GET list", "GET list"]


def test_a_store_that_stumbles_for_ever_is_asked_a_few_times_only(bucket, server):
    server.always = 503
    server.requests.clear()
    with pytest.raises(StoreUnavailable):
        impatient(bucket).listing(bucket.address, ALL)
    assert 2 <= len(server.requests) <= 8


def test_a_refusal_is_not_asked_again(bucket, server):
    server.always = 403
    server.requests.clear()
    with pytest.raises(StoreUnavailable):
        impatient(bucket).listing(bucket.address, ALL)
    assert server.requests == ["GET list"]


def test_a_bucket_that_does_not_exist_is_unavailable_and_says_what_to_do(bucket):
    address = bucket.address.replace(bucket.bucket, "nobodys-bucket")
    with pytest.raises(StoreUnavailable, match=r"nobodys-bucket does not exist \(404\): create the bucket"):
        bucket.store().listing(address, ALL)


def test_a_server_that_is_not_there_is_unavailable(bucket, monkeypatch):
    for name in ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        impatient(bucket).listing(bucket.address, ALL)


def test_without_credentials_the_chain_is_named(aws, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(StoreUnavailable, match="found no credentials"):
        BucketStore(S3Bucket).listing("s3://models/ranker", ALL)


def test_a_manifest_that_is_replaced_while_it_is_read_makes_no_version_yet(bucket, monkeypatch):
    store = bucket.store()
    bucket.write_version(4)
    inner = store.content

    def replaced(name, found):
        bucket.write_version(4, weights=b"WEIGHTS")
        return inner(name, found)

    monkeypatch.setattr(store, "content", replaced)
    assert "was replaced or removed" in bucket.reasons(store.listing(bucket.address, ALL))["4"]


def test_folders_that_a_console_made_are_no_files(bucket):
    bucket.put("4/", b"")
    bucket.put("4/variables/", b"")
    published = bucket.write_version(4)
    assert bucket.store().listing(bucket.address, ALL).complete == (published,)


def test_a_look_without_patience_leaves_versions_for_the_next_one(bucket):
    bucket.write_version(4)
    found = bucket.store(patience=timedelta(seconds=0)).version(bucket.address, ModelVersion(4), ByManifest())
    assert found.reason.startswith("not verified yet")


def test_a_whole_bucket_may_be_one_models_store(bucket):
    scheme, _, rest = bucket.address.partition("://")
    name = rest.partition("/")[0]
    bucket.write_version(1)
    (entry,) = bucket.store().listing(f"{scheme}://{name}", ALL).incomplete
    assert entry.name == "team"


def side_by_side(kind, count):
    """The addresses of so many models beside each other, each with version 1."""
    root = kind.address.removesuffix("/ranker")
    for number in range(count):
        kind.put(f"../m{number}/1/manifest.json", b"{}")
    return {f"{root}/m{number}": ByManifest() for number in range(count)}


@pytest.fixture
def many(bucket):
    """Thirty models in one place, of which a sweep tells."""
    return side_by_side(bucket, 30)


def test_one_sweep_tells_of_models_that_lie_side_by_side(bucket, server, many):
    store = bucket.store()
    server.requests.clear()
    before = store.sweep(many)
    assert server.requests == ["GET list"]
    assert (set(before.marks), before.calls) == (set(many), 1)
    assert {mark.newest for mark in before.marks.values()} == {ModelVersion(1)}
    bucket.put("../m7/2/manifest.json", b"{}")
    bucket.put("../m8/1/manifest.json", b"{ }")
    after = store.sweep(many)
    changed = {address.rpartition("/")[2] for address in many if before.marks[address] != after.marks[address]}
    assert changed == {"m7", "m8"}


def test_a_model_of_which_nothing_is_there_has_a_mark_that_says_so(bucket, many):
    address = f"{bucket.address.removesuffix('/ranker')}/m99"
    assert bucket.store().sweep(many | {address: ByManifest()}).marks[address].newest is None


def test_a_sweep_that_would_cost_more_than_asking_one_by_one_is_given_up_and_not_tried_again(cloud):
    kind = GsKind(cloud)
    entry = {"size": "0", "generation": "1", "crc32c": "AAAAAA==", "updated": "2026-11-22T20:16:34Z"}
    names = [f"team/ranker/{number}/manifest.json" for number in range(1, 21_002)]
    cloud.put(kind.bucket, {name: entry | {"name": name} for name in names})
    addresses = {f"gs://{kind.bucket}/team/m{number}": ByManifest() for number in range(20)}
    store = kind.store()
    assert store.sweep(addresses).marks == {}
    assert cloud.requests == ["GET list"] * 20
    assert store.sweep(addresses) == Sweep({}, 0)


def test_a_sweep_that_fails_leaves_its_models_out(bucket, server, many):
    server.always = 403
    assert impatient(bucket).sweep(many).marks == {}


def test_a_bucket_that_cannot_be_one_leaves_its_models_out_and_stops_nobody_else(bucket, many):
    # The clouds' own libraries refuse the name, each in its way.
    scheme = bucket.address.partition("://")[0]
    wrong = {f"{scheme}://No_Bucket!/team/m{number}": ByManifest() for number in range(30)}
    assert set(bucket.store().sweep(wrong | many).marks) == set(many)


def test_uploads_that_become_versions_by_silence_are_not_told_by_a_sweep(bucket, many):
    quiet = dict.fromkeys(many, ByQuiet(timedelta(minutes=1)))
    assert bucket.store().sweep(quiet) == Sweep({}, 0)


def test_a_sweep_looks_for_the_markers_that_policies_name(bucket, many):
    address = next(iter(many))
    bucket.put("../m0/2/_SUCCESS", b"")
    assert bucket.store().sweep(many | {address: ByMarker("_SUCCESS")}).marks[address].newest == ModelVersion(2)


def test_a_sweep_stays_within_the_allowed_prefixes(bucket, many):
    scheme, _, name = bucket.address.removesuffix("/team/ranker").partition("://")
    whole = AllowedStores([f"{scheme}://{name}/team"], {scheme: bucket.store()})
    assert set(whole.sweep(many).marks) == set(many)
    parts = AllowedStores([f"{scheme}://{name}/team/m{number}" for number in range(30)], {scheme: bucket.store()})
    assert parts.sweep(many) == Sweep({}, 0)


@pytest.mark.parametrize(
    ("answer", "seconds", "words"),
    [
        # So much takes a while where a machine is busy.
        (endless(), 30.0, "larger than 32 MiB"),
        (dripping(), 0.5, "takes longer than 0.5 s"),
        (gzip_bomb(), 30.0, "larger than 32 MiB"),
        (body(b"[1, 2]"), 30.0, "is no listing|failed"),
        (body(b"<html>maintenance"), 30.0, "is no listing|failed"),
        (broken_off(), 30.0, "does not answer|broke off"),
    ],
)
def test_an_answer_that_is_too_large_too_slow_or_none_is_not_taken(bucket, monkeypatch, answer, seconds, words):
    for module in (gs, s3):
        monkeypatch.setattr(module, "_SECONDS", seconds)
    with scripted_server() as script:
        script.answers[""] = answer
        for name in ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.setenv(name, script.url)
        with pytest.raises(StoreUnavailable, match=words):
            impatient(bucket).listing(bucket.address, ALL)


def test_a_name_that_no_bucket_can_have_is_a_persons_to_correct(bucket):
    scheme = bucket.address.partition(":")[0]
    with pytest.raises(InvalidInput, match=r"correct `store` in policy.yaml"):
        bucket.store().listing(f"{scheme}://-n,o-/ranker", ALL)


def test_without_googles_credentials_the_chain_is_named(monkeypatch, tmp_path):
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(StoreUnavailable, match="found no credentials"):
        BucketStore(GsBucket).listing("gs://models/ranker", ALL)


@pytest.mark.parametrize("updated", ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_store_whose_clock_is_off_offers_the_same_versions(cloud, updated):
    kind = GsKind(cloud)
    published = kind.write_version(4)
    for found in cloud.storage.objects[kind.bucket].values():
        found["updated"] = updated
    assert kind.store().listing(kind.address, above(3)).complete == (published,)


def test_a_look_from_what_is_served_on_takes_no_page_of_what_is_below_it(bucket, server, monkeypatch):
    for module in (gs, s3):
        monkeypatch.setattr(module, "PAGE", 5)
    folders(bucket, 24)
    store = bucket.store()
    server.requests.clear()
    store.listing(bucket.address, above(24))
    assert server.requests == ["GET list"] * 5
    server.requests.clear()
    # After 24 come only 3 to 9, which lie below it all the same.
    assert store.listing(bucket.address, above(24)).complete == ()
    assert server.requests == ["GET list"] * 2
    new = bucket.write_version(25)
    assert store.listing(bucket.address, above(24)).complete == (new,)
