"""The files of a version in a folder: which they are, and the digest that names exactly them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from promoter.adapters.stores.judging import is_nobodys
from promoter.documents.manifest import LARGEST_BYTES, MANIFEST_FILE, Manifest, ManifestFile, digest, parse_manifest
from promoter.documents.manifest import write_manifest as checked_manifest
from promoter.domain.completeness import ByManifest, ByMarker, Completeness
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import Digest
from promoter.errors import InvalidDocument, InvalidInput
from promoter.kept_folder import kept_folder
from promoter.model_folder import SeenFile, manifest_of, regular_files, unreadable

# A signature over every other file, where its maker signed the version.
SIGNATURE_FILE = "model.sig"

# Brings the version at an address into an empty folder. Raises BrokenVersion where its files are at fault, and another
# PromoterError where nothing can be said about them.
Fetch = Callable[[str, Path], None]


_BY_MANIFEST = ByManifest()


class NotSigned(Exception):
    """Why a version does not count as signed, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """A version's files as they were when their digest was taken. was_published: a manifest says the same of them.

    seen: all of them. files: those that the digest is about.
    """

    folder: Path
    digest: Digest
    seen: Mapping[str, SeenFile]
    files: Mapping[str, ManifestFile]
    was_published: bool

    def check_unchanged(self) -> None:
        """Raises InvalidInput where a file was added, taken away or written to since."""
        try:
            now = regular_files(self.folder)
        except OSError as error:
            raise unreadable(error) from error
        if now != self.seen:
            raise InvalidInput("its files changed while it was looked at")


@contextmanager
def version_folder(address: str, fetch: Fetch) -> Iterator[Path]:
    """The folder that holds the version at `address`: a path, `file:///models/resnet50/43`, or what `fetch` brings.

    What was brought is gone after the context, and wherever this process ends. Raises InvalidInput, and what `fetch`
    raises.
    """
    parsed = StoreAddress.from_text(address) if "://" in address else None
    if parsed is not None and parsed.scheme != "file":
        with kept_folder("promoter-verify-") as folder:
            fetch(address, folder)
            yield folder
        return
    folder = Path(address) if parsed is None else Path("/", *parsed.segments)
    if not folder.is_dir():
        raise InvalidInput(f"{address} is not the folder of a version")
    yield folder.absolute()


def identified(folder: Path, complete: Completeness = _BY_MANIFEST) -> VersionFiles:
    """The version in `folder`, whose digest is taken as a store takes it that judges completeness so.

    By manifest, where there is none, it is the one that it would be published with. Raises InvalidInput where files
    cannot be read, change meanwhile, or are not what the manifest says.
    """
    try:
        seen = regular_files(folder)
        stated = _stated(folder) if MANIFEST_FILE in seen and isinstance(complete, ByManifest) else None
        found = manifest_of(folder, {path: file for path, file in seen.items() if _counts(path, complete, stated)})
    except OSError as error:
        raise unreadable(error) from error
    try:
        checked_manifest(found)
    except InvalidDocument as error:
        raise InvalidInput(error.problem) from error
    if stated is not None:
        _compare(stated, found)
    files = {file.path: file for file in found.files}
    return VersionFiles(folder, digest(found), seen, files, was_published=stated is not None)


def _counts(path: str, complete: Completeness, stated: Manifest | None) -> bool:
    """Whether the digest is about a file of this path."""
    if path == MANIFEST_FILE:
        return False
    if isinstance(complete, ByManifest):
        return stated is None or not is_nobodys(path) or any(file.path == path for file in stated.files)
    return not is_nobodys(path) and not (isinstance(complete, ByMarker) and path == complete.file)


def _stated(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    with path.open("rb") as file:
        return parse_manifest(file.read(LARGEST_BYTES + 1), MANIFEST_FILE)


def _compare(stated: Manifest, found: Manifest) -> None:
    listed = {file.path: file for file in stated.files}
    there = {file.path: file for file in found.files}
    for path in sorted(listed.keys() | there.keys()):
        if path not in there:
            raise InvalidInput(f"{path} is in the manifest and not in the folder")
        if path not in listed:
            raise InvalidInput(f"{path} is in the folder and not in the manifest")
        # A store's own checksum may stand beside these: it says nothing more.
        if (listed[path].sha256, listed[path].size) != (there[path].sha256, there[path].size):
            raise InvalidInput(f"{path} is not the file that the manifest says")
