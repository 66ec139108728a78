"""Model stores that are folders of this machine, `file://`."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path

from promoter.adapters.stores.judging import Judge, Watch, check_patience, judged, listed
from promoter.documents.manifest import ManifestFile
from promoter.domain.completeness import Completeness
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import (
    Digest,
    Holding,
    IncompleteVersion,
    Listing,
    ModelVersion,
    StoredVersion,
    Sweep,
    Wanted,
)
from promoter.errors import InvalidInput, StoreUnavailable
from promoter.model_folder import SeenFile, check_unchanged, open_unchanged, regular_files

_MOST_NAMES = 10_000
# A file system's clock may tick as rarely as this: what was written in between looks unchanged.
_SETTLED_NS = 2 * 10**9
_EVERYTHING = Wanted()


class FileStore:
    """`promoter.ports.ModelStore` on folders of this machine.

    patience: how long one listing may go on reading files it has not read before, newest version
    first; what it leaves is "not verified yet", and the next listing goes on there. watch: for stores whose
    versions are complete once they are quiet.
    """

    def __init__(self, patience: timedelta = timedelta(seconds=20), watch: Watch | None = None) -> None:
        self._patience = patience
        self._watch = watch or Watch()
        self._known_sha256 = lru_cache(maxsize=100_000)(_sha256)

    def listing(self, address: str, wanted: Wanted = _EVERYTHING) -> Listing:
        folder = _folder(address)
        deadline = time.monotonic() + self._patience.total_seconds()
        names = _names(folder, address)
        try:
            return listed(
                names, wanted, lambda version: self._judged(folder / str(version), version, wanted.complete, deadline)
            )
        except OSError as error:
            raise StoreUnavailable(f"the store {address} cannot be read: {error.strerror}") from error

    def version(self, address: str, version: ModelVersion, complete: Completeness) -> StoredVersion | IncompleteVersion:
        folder = _folder(address)
        deadline = time.monotonic() + self._patience.total_seconds()
        try:
            return self._judged(folder / str(version), version, complete, deadline)
        except OSError as error:
            raise StoreUnavailable(f"the store {address} cannot be read: {error.strerror}") from error

    def sweep(self, addresses: Mapping[str, Completeness]) -> Sweep:  # noqa: ARG002 - the port's promise
        """Nothing: a folder is looked at for nothing."""
        return Sweep({}, 0)

    def names(self, address: str) -> tuple[str, ...]:
        """The names of everything that could be a version; raises StoreUnavailable."""
        return tuple(_names(_folder(address), address))

    def holding(self, address: str, name: str) -> Holding:
        """What there is under one name; raises StoreUnavailable, and InvalidInput for what is no plain folder."""
        folder = _folder(address) / name
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise InvalidInput("it is not a folder")
            files = regular_files(folder).values()
        except OSError as error:
            raise StoreUnavailable(f"the store {address} cannot be read: {error.strerror}") from error
        newest = max((file.modified_ns for file in files), default=None)
        modified = None if newest is None else datetime.fromtimestamp(newest / 1e9, UTC)
        return Holding(len(files), sum(file.size for file in files), modified)

    def _judged(
        self, folder: Path, version: ModelVersion, complete: Completeness, deadline: float
    ) -> StoredVersion | IncompleteVersion:
        return judged(version, lambda: self._digest(folder, complete, deadline))

    def _digest(self, folder: Path, complete: Completeness, deadline: float) -> Digest:
        """The digest of the version in `folder`; raises InvalidInput with the reason why it is not complete."""
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise InvalidInput("it is not a folder")
        found: Mapping[str, SeenFile] = regular_files(folder)
        return Judge[SeenFile](complete, self._watch, str(folder)).digest(found, _Folder(self, folder, deadline))

    def sha256(self, path: Path, seen: SeenFile) -> str:
        """The file's SHA-256 as hex, read once as long as it is the same file; raises InvalidInput, OSError."""
        age_ns = time.time_ns() - max(seen.modified_ns, seen.changed_ns)
        return (self._known_sha256 if age_ns > _SETTLED_NS else _sha256)(path, seen)


class _Folder:
    """`judging.Contents` of a folder, until `deadline`."""

    def __init__(self, store: FileStore, folder: Path, deadline: float) -> None:
        self._store = store
        self._folder = folder
        self._deadline = deadline

    def read(self, path: str, found: SeenFile) -> bytes:
        with open_unchanged(self._folder / path, found) as file:
            return file.read()

    def agrees(self, file: ManifestFile, found: SeenFile) -> bool:
        return self.sha256(file.path, found) == file.sha256

    def sha256(self, path: str, found: SeenFile) -> str:
        check_patience(self._deadline)
        return self._store.sha256(self._folder / path, found)


def _folder(address: str) -> Path:
    parsed = StoreAddress.from_text(address)
    if parsed.scheme != "file":
        raise InvalidInput(f"{address} is no folder of this machine: its address begins with file://")
    return Path("/", *parsed.segments)


def _names(folder: Path, address: str) -> list[str]:
    """What is in the store's folder, without dot-files."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES + 1) if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreUnavailable(
            f"the store {address} does not exist: create the folder {folder}, or correct `store` in policy.yaml"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"the store {address} cannot be read: {error.strerror}") from error
    if len(names) > _MOST_NAMES:
        raise StoreUnavailable(f"the store {address} holds more than {_MOST_NAMES} names: remove old versions")
    return names


def _sha256(path: Path, seen: SeenFile) -> str:
    """The file's SHA-256 as hex; raises InvalidInput where it is no longer the file that was `seen`."""
    with open_unchanged(path, seen) as file:
        content = hashlib.file_digest(file, "sha256")
        check_unchanged(file, path, seen)
    return content.hexdigest()
