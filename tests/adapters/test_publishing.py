"""Publishing: all of a version or none of it, and each number once."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from model_folders import address, saved_model

from promoter.adapters import publishing
from promoter.adapters.publishing import publish
from promoter.adapters.stores import FileStore
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput, InvalidName, StoreUnavailable


@pytest.fixture
def model(tmp_path):
    return saved_model(tmp_path / "export", weights=b"w" * (2 * 2**20 + 7))


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def put(model, store, version=None, progress=lambda done, total: None):
    return publish(model, address(store), version and ModelVersion(version), progress)


def test_what_was_published_is_a_complete_version_with_the_digest_that_was_told(model, store):
    published = put(model, store, 7)
    assert published.version == ModelVersion(7)
    assert FileStore().listing(address(store)).complete == (published,)
    for path in model.rglob("*"):
        if path.is_file():
            assert (store / "7" / path.relative_to(model)).read_bytes() == path.read_bytes()


def test_the_first_version_is_1_and_the_next_is_one_higher_than_the_highest(model, store):
    assert put(model, store).version == ModelVersion(1)
    (store / "41").mkdir()
    (store / "0099").mkdir()
    assert put(model, store).version == ModelVersion(42)


def test_progress_is_told_from_nothing_to_everything(model, store):
    told = []
    put(model, store, progress=lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_the_manifest_appears_last_and_at_once(model, store):
    def look(done, total):
        assert not (store / "1" / "manifest.json").exists()

    put(model, store, progress=look)
    assert sorted(path.name for path in (store / "1").iterdir()) == ["manifest.json", "saved_model.pb", "variables"]


def test_a_version_is_never_overwritten(model, store):
    first = put(model, store, 7)
    with pytest.raises(InvalidInput, match=r"version 7 is in the store already.*take a higher number"):
        put(saved_model(model, b"other"), store, 7)
    assert FileStore().listing(address(store)).complete == (first,)


def test_an_unfinished_version_is_not_overwritten_but_may_be_removed(model, store):
    saved_model(store / "7")
    with pytest.raises(InvalidInput, match="remove it if nobody is uploading it"):
        put(model, store, 7)


def test_two_publishers_at_once_take_two_numbers(model, store):
    published = []
    threads = [threading.Thread(target=lambda: published.append(put(model, store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.version.number for entry in published) == list(range(1, 9))
    assert len(FileStore().listing(address(store)).complete) == 8


def test_a_number_that_another_publisher_takes_first_is_passed_over(model, store, monkeypatch):
    real = Path.mkdir

    def overtaken(self, *args, **options):
        if self == store / "1" and not self.exists():
            real(self)
        real(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", overtaken)
    assert put(model, store).version == ModelVersion(2)


def test_after_the_last_number_there_is_no_next_one(model, store):
    (store / str(2**53 - 1)).mkdir()
    with pytest.raises(InvalidName):
        put(model, store)


def _no_graph(model):
    (model / "saved_model.pb").unlink()


def _published_before(model):
    (model / "manifest.json").write_text("{}")


def _link(model):
    (model / "assets").symlink_to(model / "variables")


def _pipe(model):
    os.mkfifo(model / "pipe")


def _backslash(model):
    (model / "a\\b").write_text("")


def _control(model):
    (model / "a\x1b[31m").write_text("")


def _not_text(model):
    os.close(os.open(os.fsencode(model) + b"/v\xff", os.O_CREAT | os.O_WRONLY))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_graph, "is no SavedModel: it holds no saved_model.pb"),
        (_published_before, "holds a manifest.json already"),
        (_link, "assets is a symbolic link"),
        (_pipe, "pipe is neither a file nor a folder"),
        (_backslash, "is not the path of a file"),
        (_control, "is not printable text"),
        (_not_text, "is not printable text"),
    ],
)
def test_what_is_no_saved_model_is_refused_and_nothing_is_written(model, store, spoil, words):
    spoil(model)
    with pytest.raises(InvalidInput, match=words) as caught:
        put(model, store)
    assert list(store.iterdir()) == []
    assert str(caught.value).isprintable()


def test_a_directory_that_is_not_there_is_refused(store, tmp_path):
    with pytest.raises(InvalidInput, match="is not a folder"):
        put(tmp_path / "nowhere", store)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("file:///nowhere/at/all", "mkdir -p /nowhere/at/all"),
        ("gs://bucket/resnet50", "is no folder of this machine"),
        ("models/resnet50", "is not a store's address"),
        ("file:///srv/../etc", "no part of its path"),
    ],
)
def test_a_store_that_cannot_take_it_is_refused_with_what_to_do(model, where, words):
    with pytest.raises(InvalidInput, match=words):
        publish(model, where, None, lambda done, total: None)


def test_a_model_that_changes_while_it_is_copied_is_refused(model, store):
    def meddle(done, total):
        if 2**20 <= done < total:
            (model / "variables" / "variables.data-00000-of-00001").write_bytes(b"retrained")

    with pytest.raises(InvalidInput, match=r"variables.data-00000-of-00001 changed while it was read"):
        put(model, store, progress=meddle)
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_publication_that_fails_leaves_nothing(model, store, interruption):
    def interrupt(done, total):
        if done:
            raise interruption

    with pytest.raises((KeyboardInterrupt, StoreUnavailable), match=r"^$|No space left on device"):
        put(model, store, progress=interrupt)
    assert list(store.iterdir()) == []


def test_a_store_that_fails_at_the_manifest_leaves_nothing(model, store, monkeypatch):
    def fail(folder):
        raise OSError(5, "Input/output error", str(folder))

    monkeypatch.setattr(publishing, "_flush_folder", fail)
    with pytest.raises(StoreUnavailable, match="nothing was published: Input/output error"):
        put(model, store)
    assert list(store.iterdir()) == []


def test_a_killed_publication_leaves_no_version(model, store):
    program = (
        "import sys, time; from pathlib import Path; from promoter.adapters.publishing import publish\n"
        "publish(Path(sys.argv[1]), sys.argv[2], None, lambda done, total: print(done, flush=True) or time.sleep(0.2))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(model), address(store)], stdout=subprocess.PIPE, text=True
    ) as process:
        while int(process.stdout.readline()) < 2**20:
            time.sleep(0)
        process.kill()
    found = FileStore().listing(address(store))
    assert found.complete == ()
    assert [entry.name for entry in found.incomplete] == ["1"]
    assert "the upload has not finished" in found.incomplete[0].reason
    assert put(model, store).version == ModelVersion(2)
