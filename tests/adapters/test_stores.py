"""What every kind of store promises, asked of all three through their real clients."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from store_kinds import MODEL

from promoter.adapters.stores import AllowedStores
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.version import Listing, ModelVersion, Wanted
from promoter.errors import InvalidInput

ALL = Wanted()


def test_an_empty_store_holds_nothing(kind):
    assert kind.store().listing(kind.address, ALL) == Listing()


def test_versions_are_listed_in_rising_order_with_their_digests(kind):
    published = [kind.write_version(number, weights=b"%d" % number) for number in (2, 10, 1)]
    found = kind.store().listing(kind.address, ALL)
    assert kind.versions(found) == [1, 2, 10]
    assert set(found.complete) == set(published)
    assert found.incomplete == ()


def test_the_digest_is_the_same_whether_or_not_the_manifest_tells_the_stores_checksum(kind):
    first, second = kind.write_version(1), kind.write_version(2, crc=False)
    assert first.digest == second.digest
    assert kind.store().listing(kind.address, ALL).complete == (first, second)


def test_half_an_upload_is_no_version(kind):
    kind.put("4/saved_model.pb", b"graph")
    assert kind.reasons(kind.store().listing(kind.address, ALL)) == {
        "4": "no manifest.json: it is written last, so the upload has not finished"
    }


def test_an_upload_that_still_grows_becomes_a_version_when_it_is_whole(kind):
    store = kind.store()
    kind.write_version(4)
    kind.put("4/saved_model.pb", b"gra")
    assert "saved_model.pb has 3 bytes, the manifest says 5" in kind.reasons(store.listing(kind.address, ALL))["4"]
    kind.put("4/saved_model.pb", b"graph")
    assert kind.versions(store.listing(kind.address, ALL)) == [4]


def test_a_manifest_that_comes_first_makes_no_version(kind):
    kind.write_version(4)
    for path in MODEL:
        kind.remove(f"4/{path}")
    assert "is missing" in kind.reasons(kind.store().listing(kind.address, ALL))["4"]


@pytest.mark.parametrize("crc", [True, False])
def test_a_wrong_checksum_makes_no_version(kind, crc):
    kind.write_version(4, crc=crc)
    kind.put("4/saved_model.pb", b"GRAPH")
    words = "the checksum of saved_model.pb differs from the manifest's"
    assert words in kind.reasons(kind.store().listing(kind.address, ALL))["4"]


def test_a_file_that_the_manifest_does_not_name_makes_no_version(kind):
    kind.write_version(4)
    kind.put("4/assets.extra/tf_serving_warmup_requests", b"x")
    found = kind.store().listing(kind.address, ALL)
    assert "assets.extra/tf_serving_warmup_requests is not in the manifest" in kind.reasons(found)["4"]


def test_a_path_that_leaves_the_folder_makes_no_version(kind):
    kind.write_version(3)
    kind.write_version(4)
    entry = {"sha256": "0" * 64, "size": 5}
    files = {"saved_model.pb": entry, "../3/saved_model.pb": entry}
    kind.put("4/manifest.json", json.dumps({"files": files}).encode())
    found = kind.store().listing(kind.address, ALL)
    assert kind.versions(found) == [3]
    assert "is not the path of a file in its folder" in kind.reasons(found)["4"]


def test_a_manifest_that_is_no_json_or_too_large_makes_no_version(kind):
    kind.put("4/manifest.json", b'{"files": {')
    kind.put("5/manifest.json", b" " * (4 * 2**20 + 1))
    found = kind.reasons(kind.store().listing(kind.address, ALL))
    assert "manifest.json:1: this is not JSON" in found["4"]
    assert "manifest.json is larger than 4 MiB" in found["5"]


@pytest.mark.parametrize("name", ["007", "7.tmp", "-1", "0", str(2**63), "４３", "latest"])
def test_a_name_that_is_no_version_is_reported_and_stops_no_other(kind, name):
    good = kind.write_version(1)
    kind.put(f"{name}/saved_model.pb", b"graph")
    found = kind.store().listing(kind.address, ALL)
    assert found.complete == (good,)
    (entry,) = found.incomplete
    assert entry.name == name
    assert "is not a model version" in entry.reason


def test_dot_files_are_nobodys(kind):
    good = kind.write_version(1)
    kind.put("1/.publishing", b"x")
    kind.put(".lock/x", b"x")
    assert kind.store().listing(kind.address, ALL) == Listing((good,))


def test_a_version_that_is_overwritten_in_place_has_another_digest(kind):
    store = kind.store()
    before = kind.write_version(4)
    assert store.version(kind.address, ModelVersion(4), ByManifest()) == before
    after = kind.write_version(4, weights=b"WEIGHTS")
    assert before.digest != after.digest
    assert store.version(kind.address, ModelVersion(4), ByManifest()) == after


def test_a_version_whose_weights_alone_are_overwritten_is_none_any_more(kind):
    store = kind.store()
    kind.write_version(4)
    store.listing(kind.address, ALL)
    kind.put("4/variables/variables.data-00000-of-00001", b"WEIGHTS")
    found = store.version(kind.address, ModelVersion(4), ByManifest())
    assert "the checksum of variables/variables.data-00000-of-00001 differs" in found.reason


def test_a_listing_that_goes_backwards_is_told_as_it_is(kind):
    store = kind.store()
    kind.write_version(4)
    kind.write_version(5)
    wanted = Wanted(above=ModelVersion(3), newest=True)
    assert kind.versions(store.listing(kind.address, wanted)) == [5]
    for path in [*MODEL, "manifest.json"]:
        kind.remove(f"5/{path}")
    assert kind.versions(store.listing(kind.address, wanted)) == [4]
    gone = store.version(kind.address, ModelVersion(5), ByManifest())
    assert gone.name == "5"


def test_only_what_is_wanted_is_looked_at(kind):
    for number in (1, 2, 3, 4):
        kind.write_version(number)
    kind.put("5/saved_model.pb", b"graph")
    wanted = Wanted(above=ModelVersion(1), newest=True, passed_over=frozenset({ModelVersion(4)}))
    found = kind.store().listing(kind.address, wanted)
    assert kind.versions(found) == [3, 4]
    assert list(kind.reasons(found)) == ["5"]


def test_a_marker_makes_an_upload_of_others_a_version_with_the_digest_of_its_files(kind):
    expected = kind.write_version(4)
    kind.remove("4/manifest.json")
    store, wanted = kind.store(), Wanted(complete=ByMarker("_SUCCESS"))
    assert "no _SUCCESS" in kind.reasons(store.listing(kind.address, wanted))["4"]
    kind.put("4/_SUCCESS", b"")
    assert store.listing(kind.address, wanted).complete == (expected,)


def test_quiet_is_counted_from_the_first_look_whatever_the_clocks_of_others_say(kind):
    kind.write_version(4)
    kind.remove("4/manifest.json")
    found = kind.store().listing(kind.address, Wanted(complete=ByQuiet(timedelta(minutes=10))))
    assert "so far they did for 0s" in kind.reasons(found)["4"]


def test_an_address_outside_the_allowed_prefixes_is_not_asked(kind):
    scheme = kind.address.partition(":")[0]
    stores = AllowedStores([f"{scheme}://{'' if scheme == 'file' else 'bucket'}/elsewhere"], {scheme: kind.store()})
    with pytest.raises(InvalidInput, match="is not allowed"):
        stores.listing(kind.address)
    with pytest.raises(InvalidInput, match="is not allowed"):
        stores.version(kind.address, ModelVersion(1), ByManifest())
