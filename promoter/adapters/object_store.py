"""Model stores: which versions are complete under one model's address.

Today folders of this machine, `file://`; a cloud's buckets take the same port. Publishing into a
store is `promoter.adapters.publishing`'s part.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path

from promoter.documents.manifest import LARGEST_BYTES, MANIFEST_FILE, Manifest, ManifestFile, digest, parse_manifest
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import Digest, IncompleteVersion, Listing, ModelVersion, StoredVersion
from promoter.errors import InvalidInput, InvalidName, InvalidSettings, StoreUnavailable
from promoter.model_folder import SeenFile, check_unchanged, open_unchanged, regular_files
from promoter.ports import ModelStore

_MOST_NAMES = 10_000
# A file system's clock may tick as rarely as this: what was written in between looks unchanged.
_SETTLED_NS = 2 * 10**9


class AllowedStores:
    """`promoter.ports.ModelStore` for the addresses below `prefixes`; each scheme has a store of its own.

    A policy names addresses in a file that a pull request can change; the prefixes come from the
    promoter's own settings. Raises InvalidSettings for a prefix that is malformed or that no store serves.
    """

    def __init__(self, prefixes: Iterable[str], stores: Mapping[str, ModelStore]) -> None:
        try:
            self._prefixes = tuple(StoreAddress.from_text(prefix) for prefix in prefixes)
        except InvalidInput as error:
            raise InvalidSettings(f"the allowed stores are not all addresses: {error}") from error
        unserved = sorted({prefix.scheme for prefix in self._prefixes} - stores.keys())
        if unserved:
            raise InvalidSettings(f"no store serves {unserved[0]}://: use one of {_schemes(stores)}")
        self._stores = dict(stores)

    def listing(self, address: str) -> Listing:
        """What is under one model's address.

        Raises StoreUnavailable, and InvalidInput for an address that is malformed or not allowed.
        """
        parsed = StoreAddress.from_text(address)
        if not any(parsed.is_within(prefix) for prefix in self._prefixes):
            raise InvalidInput(
                f"the store {address} is not allowed: use an address below one of the prefixes in the promoter's "
                "settings, or have its prefix added there"
            )
        return self._stores[parsed.scheme].listing(address)


class FileStore:
    """`promoter.ports.ModelStore` on folders of this machine.

    patience: how long one listing may go on reading files it has not read before, newest version
    first; what it leaves is "not verified yet", and the next listing goes on there.
    """

    def __init__(self, patience: timedelta = timedelta(seconds=20)) -> None:
        self._patience = patience
        self._known_sha256 = lru_cache(maxsize=100_000)(_sha256)

    def listing(self, address: str) -> Listing:
        """What is under one model's address.

        A version is complete when its manifest parses and the folder holds what the manifest names, byte
        for byte, and nothing else; dot-files are nobody's. Raises StoreUnavailable, and InvalidInput.
        """
        parsed = StoreAddress.from_text(address)
        if parsed.scheme != "file":
            raise InvalidInput(f"{address} is no folder of this machine: its address begins with file://")
        folder = Path("/", *parsed.segments)
        versions, misnamed = _versions(_names(folder, address))
        deadline = time.monotonic() + self._patience.total_seconds()
        try:
            judged = [self._judged(folder, version, deadline) for version in sorted(versions, reverse=True)]
        except OSError as error:
            raise StoreUnavailable(f"the store {address} cannot be read: {error.strerror}") from error
        incomplete = [*misnamed, *(found for found in judged if isinstance(found, IncompleteVersion))]
        return Listing(
            tuple(found for found in reversed(judged) if isinstance(found, StoredVersion)),
            tuple(sorted(incomplete, key=lambda found: found.name)),
        )

    def _judged(self, store: Path, version: ModelVersion, deadline: float) -> StoredVersion | IncompleteVersion:
        try:
            return StoredVersion(version, self._verified(store / str(version), deadline))
        except InvalidInput as error:
            reason = str(error)
        except (FileNotFoundError, PermissionError) as error:
            reason = f"{error.filename} cannot be read: {error.strerror}"
        return IncompleteVersion(str(version), _printable(reason))

    def _verified(self, folder: Path, deadline: float) -> Digest:
        """The digest of the version in `folder`; raises InvalidInput with the reason why it is not complete."""
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise InvalidInput("it is not a folder")
        found = regular_files(folder)
        manifest = _manifest(folder, found)
        _check_sizes(manifest, found)
        for file in manifest.files:
            self._check_content(folder, file, found[file.path], deadline)
        return digest(manifest)

    def _check_content(self, folder: Path, file: ManifestFile, seen: SeenFile, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise InvalidInput("not verified yet: reading its files takes longer than one look may last")
        age_ns = time.time_ns() - max(seen.modified_ns, seen.changed_ns)
        sha256 = self._known_sha256 if age_ns > _SETTLED_NS else _sha256
        if sha256(folder / file.path, seen) != file.sha256:
            raise InvalidInput(
                f"the checksum of {file.path} differs from the manifest's: publish the version again, as a new one"
            )


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


def _versions(names: Iterable[str]) -> tuple[list[ModelVersion], list[IncompleteVersion]]:
    """The names that stand for versions, and those that do not."""
    versions, misnamed = [], []
    for name in names:
        try:
            versions.append(ModelVersion.from_name(name))
        except InvalidName as error:
            misnamed.append(IncompleteVersion(_printable(name), _printable(str(error))))
    return versions, misnamed


def _manifest(folder: Path, found: Mapping[str, SeenFile]) -> Manifest:
    seen = found.get(MANIFEST_FILE)
    if seen is None:
        raise InvalidInput(f"no {MANIFEST_FILE}: it is written last, so the upload has not finished")
    if seen.size > LARGEST_BYTES:
        raise InvalidInput(f"{MANIFEST_FILE} is larger than {LARGEST_BYTES >> 20} MiB")
    with open_unchanged(folder / MANIFEST_FILE, seen) as file:
        return parse_manifest(file.read(), MANIFEST_FILE)


def _check_sizes(manifest: Manifest, found: Mapping[str, SeenFile]) -> None:
    """Whether the folder holds the files that the manifest names, with their sizes, and no other.

    Another file would be served without being part of the digest.
    """
    for file in manifest.files:
        if file.path not in found:
            raise InvalidInput(f"{file.path} is missing")
        if found[file.path].size != file.size:
            raise InvalidInput(f"{file.path} has {found[file.path].size} bytes, the manifest says {file.size}")
    named = {file.path for file in manifest.files} | {MANIFEST_FILE}
    for path in found:
        if path not in named and not any(name.startswith(".") for name in path.split("/")):
            raise InvalidInput(f"{path} is not in the manifest: remove it, or publish the version again, as a new one")


def _sha256(path: Path, seen: SeenFile) -> str:
    """The file's SHA-256 as hex; raises InvalidInput where it is no longer the file that was `seen`."""
    with open_unchanged(path, seen) as file:
        content = hashlib.file_digest(file, "sha256")
        check_unchanged(file, path, seen)
    return content.hexdigest()


def _printable(text: str) -> str:
    """`text` with what a terminal would act on, or could not show, escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def _schemes(stores: Mapping[str, ModelStore]) -> str:
    return ", ".join(f"{scheme}://" for scheme in sorted(stores))
