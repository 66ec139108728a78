"""What is a version in a folder, and what is not yet, or not any more."""

import json
import os
from datetime import timedelta

import pytest
from model_folders import address, saved_model, write_version

from promoter.adapters.stores import AllowedStores, FileStore, folders
from promoter.adapters.stores.judging import Watch
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.version import IncompleteVersion, Listing, ModelVersion, StoredVersion, Wanted
from promoter.errors import InvalidInput, InvalidSettings, StoreUnavailable


def listing(store, **options):
    return FileStore(**options).listing(address(store))


def reasons(found):
    return {entry.name: entry.reason for entry in found.incomplete}


def versions(found):
    return [entry.version.number for entry in found.complete]


def test_an_empty_store_holds_nothing(tmp_path):
    assert listing(tmp_path) == Listing()


def test_versions_are_listed_in_rising_order_with_their_digests(tmp_path):
    published = [write_version(tmp_path, number) for number in (2, 10, 1)]
    found = listing(tmp_path)
    assert versions(found) == [1, 2, 10]
    assert set(found.complete) == set(published)
    assert found.incomplete == ()


def test_equal_content_has_an_equal_digest_and_other_content_another(tmp_path):
    first, second = write_version(tmp_path, 1), write_version(tmp_path, 2)
    other = write_version(tmp_path, 3, weights=b"other")
    assert first.digest == second.digest != other.digest


def test_the_digest_does_not_depend_on_how_the_manifest_is_laid_out(tmp_path):
    published = write_version(tmp_path, 1)
    manifest = tmp_path / "1" / "manifest.json"
    manifest.write_text(json.dumps(dict(reversed(json.loads(manifest.read_text()).items())), indent=7))
    assert listing(tmp_path).complete == (published,)


def test_a_version_without_manifest_is_incomplete(tmp_path):
    saved_model(tmp_path / "4")
    assert reasons(listing(tmp_path)) == {"4": "no manifest.json: it is written last, so the upload has not finished"}


def _remove(version):
    (version / "variables/variables.index").unlink()


def _append(version):
    with (version / "saved_model.pb").open("ab") as file:
        file.write(b"!")


def _overwrite(version):
    (version / "saved_model.pb").write_bytes(b"GRAPH")


def _add(version):
    (version / "assets.extra").mkdir()
    (version / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"x")


def _link(version):
    (version / "saved_model.pb").rename(version.parent / ".elsewhere")
    (version / "saved_model.pb").symlink_to(version.parent / ".elsewhere")


def _link_folder(version):
    (version / "variables").rename(version.parent / ".elsewhere")
    (version / "variables").symlink_to(version.parent / ".elsewhere")


def _pipe(version):
    (version / "saved_model.pb").unlink()
    os.mkfifo(version / "saved_model.pb")


def _link_manifest(version):
    (version / "manifest.json").rename(version.parent / ".elsewhere")
    (version / "manifest.json").symlink_to(version.parent / ".elsewhere")


def _garble(version):
    (version / "manifest.json").write_text('{"files": {')


def _traverse(version):
    entry = {"sha256": "0" * 64, "size": 5}
    files = {"saved_model.pb": entry, "../3/saved_model.pb": entry}
    (version / "manifest.json").write_text(json.dumps({"files": files}))


def _flood(version):
    (version / "manifest.json").write_text(" " * (4 * 2**20 + 1))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_remove, "variables/variables.index is missing"),
        (_append, "saved_model.pb has 6 bytes, the manifest says 5"),
        (_overwrite, "the checksum of saved_model.pb differs from the manifest's"),
        (_add, "assets.extra/tf_serving_warmup_requests is not in the manifest"),
        (_link, "saved_model.pb is a symbolic link"),
        (_link_folder, "variables is a symbolic link"),
        (_pipe, "saved_model.pb is neither a file nor a folder"),
        (_link_manifest, "manifest.json is a symbolic link"),
        (_garble, "manifest.json:1: this is not JSON"),
        (_traverse, "is not the path of a file in its folder"),
        (_flood, "manifest.json is larger than 4 MiB"),
    ],
)
def test_a_spoilt_version_is_incomplete_and_says_why_and_stops_no_other(tmp_path, spoil, words):
    good = write_version(tmp_path, 1)
    write_version(tmp_path, 2)
    spoil(tmp_path / "2")
    found = listing(tmp_path)
    assert found.complete == (good,)
    assert list(reasons(found)) == ["2"]
    assert words in reasons(found)["2"]


def test_a_file_that_changes_later_changes_the_verdict(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_SETTLED_NS", -1)
    write_version(tmp_path, 1)
    store = FileStore()
    assert versions(store.listing(address(tmp_path))) == [1]
    before = (tmp_path / "1/saved_model.pb").stat()
    _overwrite(tmp_path / "1")
    os.utime(tmp_path / "1/saved_model.pb", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert versions(store.listing(address(tmp_path))) == []


def test_a_file_is_read_once_as_long_as_it_stays_the_same(tmp_path, monkeypatch):
    reads = []

    def counting(path, seen, hashed=folders._sha256):
        reads.append(path.name)
        return hashed(path, seen)

    write_version(tmp_path, 1)
    monkeypatch.setattr(folders, "_sha256", counting)
    monkeypatch.setattr(folders, "_SETTLED_NS", -1)
    store = FileStore()
    first = store.listing(address(tmp_path))
    assert sorted(reads) == ["saved_model.pb", "variables.data-00000-of-00001", "variables.index"]
    assert store.listing(address(tmp_path)) == first
    assert len(reads) == 3


def test_a_file_written_a_moment_ago_is_read_again(tmp_path):
    write_version(tmp_path, 1)
    store = FileStore()
    store.listing(address(tmp_path))
    assert store._known_sha256.cache_info().currsize == 0


def test_a_listing_without_patience_leaves_versions_for_the_next_one(tmp_path):
    write_version(tmp_path, 1)
    write_version(tmp_path, 2)
    found = listing(tmp_path, patience=timedelta(seconds=-1))
    assert versions(found) == []
    assert reasons(found)["2"].startswith("not verified yet")


@pytest.mark.parametrize(
    "name", ["007", "7.tmp", "-1", "0", str(2**63), "4x", "latest", "４３", "1" * 200, "new\nline"]
)
def test_a_name_that_is_no_version_is_reported(tmp_path, name):
    (tmp_path / name).mkdir()
    (entry,) = listing(tmp_path).incomplete
    assert entry.name == name.replace("\n", "\\n")
    assert "is not a model version" in entry.reason
    assert (entry.name + entry.reason).isprintable()


def test_a_name_that_is_no_text_is_reported_as_text(tmp_path):
    (tmp_path / os.fsdecode(b"v\xff")).mkdir()
    (entry,) = listing(tmp_path).incomplete
    assert entry.name == "v\\udcff"
    entry.reason.encode()


def test_dot_files_are_nobodys(tmp_path):
    (tmp_path / ".lock").write_text("")
    good = write_version(tmp_path, 1)
    (tmp_path / "1" / ".nfs0001").write_text("")
    assert listing(tmp_path) == Listing((good,))


def test_a_file_or_link_named_like_a_version_is_none(tmp_path):
    write_version(tmp_path, 1)
    (tmp_path / "2").write_text("")
    (tmp_path / "3").symlink_to(tmp_path / "1")
    expected = tuple(IncompleteVersion(name, "it is not a folder") for name in ("2", "3"))
    assert listing(tmp_path).incomplete == expected


def test_a_version_that_vanishes_while_it_is_looked_at_is_incomplete(tmp_path, monkeypatch):
    write_version(tmp_path, 1)
    monkeypatch.setattr(folders, "regular_files", lambda folder: (folder / "gone").stat())
    assert "cannot be read: No such file" in reasons(listing(tmp_path))["1"]


def test_a_folder_with_too_many_files_is_no_version(tmp_path, monkeypatch):
    monkeypatch.setattr("promoter.model_folder._MOST_ENTRIES", 2)
    write_version(tmp_path, 1)
    assert "more than 2 files and folders" in reasons(listing(tmp_path))["1"]


def test_a_store_with_too_many_names_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_MOST_NAMES", 2)
    for name in ("1", "2", "3"):
        (tmp_path / name).mkdir()
    with pytest.raises(StoreUnavailable, match="more than 2 names"):
        listing(tmp_path)


def test_a_store_that_does_not_exist_is_unavailable_and_says_what_to_do(tmp_path):
    with pytest.raises(StoreUnavailable, match=f"create the folder {tmp_path}/nowhere, or correct `store`"):
        listing(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="does not exist"):
        listing(tmp_path / "file")


def test_blanks_in_a_path_are_percent_encoded(tmp_path):
    write_version(tmp_path / "my models", 1)
    assert versions(FileStore().listing(f"file://{tmp_path}/my%20models/")) == [1]


def test_files_are_read_from_file_addresses_only():
    with pytest.raises(InvalidInput, match="file://"):
        FileStore().listing("gs://shop-models/resnet50")


def allowed(*prefixes):
    return AllowedStores(prefixes, {"file": FileStore()})


def test_an_address_below_an_allowed_prefix_is_listed(tmp_path):
    published = write_version(tmp_path / "models" / "resnet50", 1)
    stores = allowed("file:///elsewhere", f"file://{tmp_path}/models/")
    assert stores.listing(f"file://{tmp_path}/models/resnet50/").complete == (published,)
    assert stores.listing(f"file://localhost{tmp_path}/models/resnet50").complete == (published,)


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/models-2/resnet50",
        "file:///srv",
        "file:///etc",
        "gs://srv/models/resnet50",
        "gs://models/resnet50",
        "http://169.254.169.254/srv/models",
    ],
)
def test_an_address_outside_the_allowed_prefixes_is_refused(text):
    with pytest.raises(InvalidInput, match=r"is not allowed: .*settings"):
        allowed("file:///srv/models").listing(text)


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/models/../../etc",
        "file:///srv/models/%2e%2e/%2e%2e/etc",
        "file:///srv/models/a%2f..%2f..",
        "file:///srv/models//x",
        "file:///srv/models/x?y",
        "file:///srv/models/x#y",
        "file:///srv/models/new\nline",
        "file:///srv/models/%0a",
        "file:///srv/models/%ff",
        "file://srv/models",
        "file://",
        "gs:///models",
        "gs://me:secret@bucket/models",
        "/srv/models",
        "srv/models",
        "",
        "file:///srv/models/" + "x" * 2000,
    ],
)
def test_a_malformed_address_is_refused(text):
    with pytest.raises(InvalidInput, match="is not a store's address"):
        allowed("file:///srv/models").listing(text)


def test_nothing_is_allowed_where_no_prefix_is():
    with pytest.raises(InvalidInput, match="is not allowed"):
        allowed().listing("file:///srv/models")


@pytest.mark.parametrize(("prefix", "words"), [("srv", "not all addresses"), ("s3://bucket", "no store serves s3://")])
def test_a_prefix_that_nobody_serves_is_a_fault_of_the_settings(prefix, words):
    with pytest.raises(InvalidSettings, match=words):
        allowed(prefix)


def test_the_newest_version_is_looked_at_first(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(
        FileStore, "_digest", lambda self, folder, complete, deadline: order.append(folder.name) or _refuse()
    )
    for name in ("1", "9", "10"):
        (tmp_path / name).mkdir()
    listing(tmp_path)
    assert order == ["10", "9", "1"]


def _refuse():
    raise InvalidInput("not now")


def test_versions_at_or_below_what_is_served_are_not_even_looked_at(tmp_path):
    for number in (1, 2, 3):
        write_version(tmp_path, number)
    saved_model(tmp_path / "2" / "more")
    found = FileStore().listing(address(tmp_path), Wanted(above=ModelVersion(2)))
    assert versions(found) == [3]
    assert found.incomplete == ()


def test_the_newest_complete_version_is_enough_unless_it_is_passed_over(tmp_path):
    for number in (1, 2, 3):
        write_version(tmp_path, number)
    saved_model(tmp_path / "4")
    found = FileStore().listing(address(tmp_path), Wanted(newest=True, passed_over=frozenset({ModelVersion(3)})))
    assert versions(found) == [2, 3]
    assert list(reasons(found)) == ["4"]


def test_a_version_can_be_asked_for_by_its_number(tmp_path):
    published = write_version(tmp_path, 3)
    store = FileStore()
    assert store.version(address(tmp_path), ModelVersion(3), ByManifest()) == published
    _overwrite(tmp_path / "3")
    assert "the checksum of saved_model.pb" in store.version(address(tmp_path), ModelVersion(3), ByManifest()).reason
    assert "No such file" in store.version(address(tmp_path), ModelVersion(4), ByManifest()).reason


def test_a_marker_makes_an_upload_of_others_a_version_with_the_digest_of_its_files(tmp_path):
    saved_model(tmp_path / "4")
    wanted = Wanted(complete=ByMarker("_SUCCESS"))
    store = FileStore()
    assert "no _SUCCESS: policy.yaml says" in reasons(store.listing(address(tmp_path), wanted))["4"]
    (tmp_path / "4" / "_SUCCESS").write_text("")
    assert store.listing(address(tmp_path), wanted).complete == (
        StoredVersion(ModelVersion(4), write_version(tmp_path / "elsewhere", 4).digest),
    )


def test_an_upload_that_goes_on_is_not_quiet(tmp_path):
    now = 0.0
    store = FileStore(watch=Watch(clock=lambda: now))
    wanted = Wanted(complete=ByQuiet(timedelta(minutes=10)))
    saved_model(tmp_path / "4", weights=b"half")
    assert "so far they did for 0s" in reasons(store.listing(address(tmp_path), wanted))["4"]
    now = 599.0
    assert "so far they did for 9m59s" in reasons(store.listing(address(tmp_path), wanted))["4"]
    saved_model(tmp_path / "4")
    now = 700.0
    assert "so far they did for 0s" in reasons(store.listing(address(tmp_path), wanted))["4"]
    now = 1300.0
    assert versions(store.listing(address(tmp_path), wanted)) == [4]


def test_quiet_is_watched_whatever_time_the_files_claim(tmp_path):
    saved_model(tmp_path / "4")
    for path in (tmp_path / "4").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert versions(FileStore().listing(address(tmp_path), Wanted(complete=ByQuiet(timedelta(minutes=10))))) == []


def test_what_is_no_saved_model_is_no_version_whatever_the_sign(tmp_path):
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "_SUCCESS").write_text("")
    found = FileStore().listing(address(tmp_path), Wanted(complete=ByMarker("_SUCCESS")))
    assert "lists no saved_model.pb" in reasons(found)["4"]
