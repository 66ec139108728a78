"""Publishing a version into a folder: its files first, the manifest that makes them a version last.

Interrupted at any moment it leaves a folder without a manifest, which is no version, and never a manifest
without its files. Reading a store is `promoter.adapters.object_store`'s part.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from promoter.documents.manifest import MANIFEST_FILE, Manifest, ManifestFile, digest, write_manifest
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import ModelVersion, StoredVersion
from promoter.errors import InvalidInput, InvalidName, StoreUnavailable
from promoter.model_folder import ContentHash, SeenFile, chunks, saved_model

_MOST_ATTEMPTS = 100

# Called with the bytes copied so far, and the bytes there are.
Progress = Callable[[int, int], None]


def publish(directory: Path, address: str, version: ModelVersion | None, progress: Progress) -> StoredVersion:
    """Copy the SavedModel in `directory` into the store at `address`, as `version`.

    version: None takes the number after the highest that is there. progress: called before the first byte, and
    after every mebibyte. Raises InvalidInput where a person must change something, StoreUnavailable
    where the store fails; in both cases nothing is left behind.
    """
    store = _store_folder(address)
    found = saved_model(directory)
    with _new_version(store, version) as (chosen, folder):
        manifest = Manifest(tuple(_copy_all(directory, found, folder, progress)))
        _seal(folder, manifest)
    return StoredVersion(chosen, digest(manifest))


def _store_folder(address: str) -> Path:
    parsed = StoreAddress.from_text(address)
    if parsed.scheme != "file":
        raise InvalidInput(f"{address} is no folder of this machine: its address begins with file://")
    folder = Path("/", *parsed.segments)
    if not folder.is_dir():
        raise InvalidInput(f"the store {address} does not exist: make its folder first, with mkdir -p {folder}")
    return folder


@contextmanager
def _new_version(store: Path, version: ModelVersion | None) -> Iterator[tuple[ModelVersion, Path]]:
    """A folder of its own for the version, taken away again if what is done in it fails."""
    try:
        chosen = _make_next(store) if version is None else _make(store, version)
    except OSError as error:
        raise _failed(error) from error
    folder = store / str(chosen)
    try:
        yield chosen, folder
    except OSError as error:
        _remove(folder)
        raise _failed(error) from error
    except BaseException:
        _remove(folder)
        raise


def _remove(folder: Path) -> None:
    # The manifest goes first, too: it must never stand without its files.
    with suppress(OSError):
        (folder / MANIFEST_FILE).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _make(store: Path, version: ModelVersion) -> ModelVersion:
    try:
        (store / str(version)).mkdir()
    except FileExistsError as error:
        unfinished = not (store / str(version) / MANIFEST_FILE).exists()
        raise InvalidInput(
            f"version {version} is in the store already, and versions never change: "
            + ("it looks unfinished, so remove it if nobody is uploading it, or " if unfinished else "")
            + "take a higher number"
        ) from error
    return version


def _make_next(store: Path) -> ModelVersion:
    """The folder after the highest; another publisher that takes the same number makes us take the next one."""
    for _ in range(_MOST_ATTEMPTS):
        taken = [version.number for entry in store.iterdir() for version in _version_named(entry.name)]
        following = ModelVersion(max(taken, default=0) + 1)
        try:
            (store / str(following)).mkdir()
        except FileExistsError:
            continue
        return following
    raise StoreUnavailable(f"{_MOST_ATTEMPTS} others took the next number before us: name a version instead")


def _version_named(name: str) -> Iterator[ModelVersion]:
    try:
        yield ModelVersion.from_name(name)
    except InvalidName:
        return


def _copy_all(
    directory: Path, found: Mapping[str, SeenFile], folder: Path, progress: Progress
) -> Iterator[ManifestFile]:
    total = sum(seen.size for seen in found.values())
    done = 0
    progress(done, total)
    for path, seen in found.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = ContentHash()
        with target.open("xb") as copy:
            for chunk in chunks(directory / path, seen):
                copy.write(chunk)
                content.update(chunk)
                done += len(chunk)
                progress(done, total)
            _flush(copy)
        yield content.file(path, seen.size)


def _seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, in one step, once every other file is on the disk."""
    for parent, _, _ in os.walk(folder):
        _flush_folder(Path(parent))
    temporary = folder / f".{MANIFEST_FILE}"
    with temporary.open("xb") as file:
        file.write(write_manifest(manifest))
        _flush(file)
    temporary.rename(folder / MANIFEST_FILE)
    _flush_folder(folder)
    _flush_folder(folder.parent)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the store failed, and nothing was published: {error.strerror} ({error.filename})")
