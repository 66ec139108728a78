"""The sandbox's bucket: which one it is, its emulator, and the way of a version's files to a model server."""

import subprocess
import sys
import threading
import time

import httpx
import pytest

from promoter.adapters.stores.bucket import Part
from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.publication import publish_to_bucket
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput, InvalidSettings, Unavailable
from promoter.sandbox.cloud_storage.bucket import Bucket, make_bucket, new_bucket, put_object
from promoter.sandbox.cloud_storage.emulator import EmulatedStorage, EmulatorServer
from promoter.sandbox.model_server.bucket_files import bring, download
from promoter.sandbox.ports import free_port_base
from promoter.saved_model.statuses import ServingError

ADDRESS = "gs://models/resnet50"


@pytest.fixture(scope="module")
def storage():
    return EmulatedStorage()


@pytest.fixture(scope="module")
def emulator(storage):
    with EmulatorServer(("127.0.0.1", 0), storage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket(emulator, monkeypatch, request):
    """An empty bucket of its own for each test, by Google's own client."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    name = f"b{abs(hash(request.node.name))}"
    make_bucket(emulator, name)
    return GsBucket(name)


@pytest.fixture
def version(tmp_path, bucket):
    """A version in the bucket; what was published."""
    folder = tmp_path / "published"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    publish_to_bucket(bucket, folder, address_of(bucket), ModelVersion(1), lambda *_: None)
    return folder


def address_of(bucket):
    return f"gs://{bucket._name}/resnet50"


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_a_choice_the_sandbox_has_an_emulator_of_its_own():
    assert new_bucket({}) == Bucket("sandbox-models")
    assert new_bucket({"STORAGE_EMULATOR_HOST": ""}) == Bucket("sandbox-models")


@pytest.mark.parametrize("named", ["http://127.0.0.1:4443", "http://127.0.0.1:4443/", "127.0.0.1:4443"])
def test_the_emulator_that_a_person_chose_is_used_with_a_bucket_of_its_own(named):
    one, other = (new_bucket({"STORAGE_EMULATOR_HOST": named}) for _ in range(2))
    assert one.emulator == "http://127.0.0.1:4443"
    assert one.name != other.name


def test_an_emulator_that_a_shell_has_from_another_sandbox_was_not_chosen():
    url = "http://127.0.0.1:28104"
    environment = {"STORAGE_EMULATOR_HOST": url, "SANDBOX_STORAGE_EMULATOR_HOST": url}
    assert new_bucket(environment) == Bucket("sandbox-models")
    assert new_bucket({**environment, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443"}).emulator is not None


@pytest.mark.parametrize("named", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:4443/storage"])
def test_what_is_no_emulators_address_is_refused(named):
    with pytest.raises(InvalidSettings, match="STORAGE_EMULATOR_HOST is"):
        new_bucket({"STORAGE_EMULATOR_HOST": named})


def test_an_emulator_that_does_not_answer_is_named_with_its_remedy():
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9, .* does not answer .* unset the variable"):
        make_bucket("http://127.0.0.1:9", "models")


def test_a_bucket_that_is_there_is_kept(emulator, bucket):
    put_object(emulator, bucket._name, "resnet50/4/saved_model.pb", b"half")
    make_bucket(emulator, bucket._name)
    [found] = bucket.page(Part("resnet50/"), None).objects
    assert (found.name, b"".join(bucket.chunks(found))) == ("resnet50/4/saved_model.pb", b"half")


def test_what_was_published_is_there_again_after_the_emulator_was_killed(tmp_path, monkeypatch):
    port = free_port_base()
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    command = [
        *(sys.executable, "-m", "promoter.sandbox.cloud_storage", "--host", "127.0.0.1", "--port", str(port)),
        *("--directory", str(tmp_path / "store"), "--bucket", "models"),
    ]
    for life in ("first", "second"):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                wait_for(f"{url}/storage/v1/b")
                if life == "first":
                    publish_to_bucket(GsBucket("models"), folder, ADDRESS, ModelVersion(1), lambda *_: None)
                download(GsBucket("models"), f"{ADDRESS}/1", tmp_path / life)
            finally:
                process.kill()
    assert files(tmp_path / "second") == files(tmp_path / "first")


def wait_for(url):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return httpx.get(url, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(url)


def test_a_version_is_brought_with_its_manifest_and_nothing_else(tmp_path, bucket, version):
    target = tmp_path / "pod" / "1"
    bucket.create("resnet50/1/.note", b"nobody's")
    assert bring(f"{address_of(bucket)}/1", target)
    brought = files(target)
    assert brought.pop("manifest.json").startswith(b"{")
    assert brought == files(version)
    assert [entry.name for entry in target.parent.iterdir()] == ["1"]


def test_a_version_that_is_not_there_is_waited_for(tmp_path, bucket):
    assert not bring(f"{address_of(bucket)}/1", tmp_path / "1")
    assert not (tmp_path / "1").exists()


def test_a_file_that_is_not_the_one_in_the_manifest_is_never_served(tmp_path, emulator, bucket, version):
    put_object(emulator, bucket._name, "resnet50/1/variables/variables.index", b"other")
    with pytest.raises(ServingError, match=r"variables/variables\.index is not the file that the manifest says"):
        bring(f"{address_of(bucket)}/1", tmp_path / "1")
    assert not (tmp_path / "1").exists()


def test_a_file_that_the_manifest_names_and_is_gone_is_noticed(tmp_path, bucket, version):
    bucket.delete("resnet50/1/variables/variables.index")
    with pytest.raises(InvalidInput, match=r"variables/variables\.index is missing"):
        download(bucket, f"{address_of(bucket)}/1", tmp_path / "1")


def test_without_a_manifest_every_file_is_brought_as_it_is(tmp_path, bucket):
    bucket.create("resnet50/4/saved_model.pb", b"half")
    download(bucket, f"{address_of(bucket)}/4", tmp_path / "4")
    assert files(tmp_path / "4") == {"saved_model.pb": b"half"}


@pytest.mark.parametrize("name", ["variables/../../../out", "/out", "variables//out"])
def test_no_name_in_a_bucket_leads_out_of_the_folder(tmp_path, storage, bucket, name):
    entry = {"size": "3", "crc32c": "AAAAAA==", "generation": "1", "updated": "2026-11-22T20:16:34Z"}
    names = ("resnet50/4/saved_model.pb", f"resnet50/4/{name}")
    # The emulator refuses some of these names when they are written; Cloud Storage takes them all.
    storage.put(bucket._name, {name: entry | {"name": name} for name in names})
    with pytest.raises(InvalidInput):
        download(bucket, f"{address_of(bucket)}/4", tmp_path / "pod" / "4")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
