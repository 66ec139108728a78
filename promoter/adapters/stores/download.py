"""One version of a bucket, brought into a folder: the files that its manifest names, side by side, checked on the way.

Each is read as the listing found it: one that is replaced meanwhile is noticed and not mixed in.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from promoter.adapters.stores.bucket import Bucket, Part, StoredObject, pages
from promoter.adapters.stores.buckets import is_folder, prefix_of
from promoter.adapters.stores.judging import check_sizes, is_nobodys, printable
from promoter.documents.manifest import (
    LARGEST_BYTES,
    MANIFEST_FILE,
    Manifest,
    ManifestFile,
    parse_manifest,
    write_manifest,
)
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.store_address import StoreAddress
from promoter.errors import BrokenVersion, InvalidDocument, InvalidInput, StoreUnavailable
from promoter.model_folder import ContentHash

_AT_ONCE = 4
_MOST_FILES = 10_000
# Left for others on the disk.
_SPARE = 64 * 2**20
_GIBIBYTE = 2**30

_BY_MANIFEST = ByManifest()

# Called with the bytes that are here so far, and the bytes there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """size: bytes of all files of a version. deadline: as `time.monotonic` tells it."""

    size: int
    deadline: float


class NoSuchVersion(InvalidInput):
    """There are no files under the address."""


def download_version(
    bucket: Bucket,
    address: str,
    folder: Path,
    limits: DownloadLimits,
    *,
    progress: Progress,
    complete: Completeness = _BY_MANIFEST,
) -> None:
    """Bring the version at `address` into the empty `folder`.

    Without a manifest, or where something else makes a version complete, it is every file there, except those with a
    dot in front. Raises BrokenVersion where the files are not what the manifest says, change meanwhile or cannot be a
    version's; NoSuchVersion; InvalidInput where there is no room for it here; StoreUnavailable where the store fails or
    the time is over.
    """
    prefix = prefix_of(StoreAddress.from_text(address))
    if not prefix:
        raise InvalidInput(f"{address} is a bucket and no version: name one, as in {address.rstrip('/')}/resnet50/43")
    try:
        _Download(bucket, prefix, folder, limits, progress).run(address, by_manifest=isinstance(complete, ByManifest))
    except OSError as error:
        raise InvalidInput(f"{address} cannot be written into {folder}: {error.strerror}") from error


class _Download:
    """One version on its way."""

    def __init__(self, bucket: Bucket, prefix: str, folder: Path, limits: DownloadLimits, progress: Progress) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._folder = folder
        self._limits = limits
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._done = self._total = 0

    def run(self, address: str, *, by_manifest: bool) -> None:
        found = self._found()
        if all(map(is_nobodys, found)):
            raise NoSuchVersion(f"{address} is no version: there are no files below it")
        files = self._named(found) if by_manifest and MANIFEST_FILE in found else _unnamed(found)
        self._total = sum(found[path].size for path in files)
        self._check_room(address)
        self._progress(0, self._total)
        # The largest first: it takes longest, whatever runs beside it.
        order = sorted(files, key=lambda path: -found[path].size)
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            tasks = [pool.submit(self._fetch, path, found[path], files[path]) for path in order]
            for task in wait(tasks, return_when=FIRST_EXCEPTION).done:
                task.result()
        except BaseException as error:
            self._stopped.set()
            # Who interrupts it does not wait for a store that is silent.
            pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
            raise
        pool.shutdown()

    def _found(self) -> Mapping[str, StoredObject]:
        """The version's objects by their paths in it, without the empty ones that stand for folders."""
        found: dict[str, StoredObject] = {}
        for page in pages(self._bucket, Part(self._prefix)):
            self._check_time()
            for item in page.objects:
                path = item.name[len(self._prefix) :]
                if not is_folder(item):
                    found[path] = item
            if len(found) > _MOST_FILES:
                raise BrokenVersion(f"there are more than {_MOST_FILES} files in it")
        return found

    def _named(self, found: Mapping[str, StoredObject]) -> Mapping[str, ManifestFile | None]:
        """The files that the manifest names, which is written beside them."""
        stored = found[MANIFEST_FILE]
        if stored.size > LARGEST_BYTES:
            raise BrokenVersion(f"{MANIFEST_FILE} is larger than {LARGEST_BYTES >> 20} MiB")
        content = b"".join(self._chunks(MANIFEST_FILE, stored))
        try:
            manifest = parse_manifest(content, MANIFEST_FILE)
            check_sizes(manifest, found)
        except InvalidInput as error:
            raise BrokenVersion(printable(str(error))) from error
        (self._folder / MANIFEST_FILE).write_bytes(content)
        return {file.path: file for file in manifest.files}

    def _check_room(self, address: str) -> None:
        if self._total > self._limits.size:
            raise InvalidInput(
                f"{address} has {_gibibytes(self._total)}, and {_gibibytes(self._limits.size)} may be downloaded: "
                "raise --download-limit"
            )
        free = shutil.disk_usage(self._folder).free
        if self._total + _SPARE > free:
            raise InvalidInput(
                f"{address} has {_gibibytes(self._total)}, and there are {_gibibytes(free)} free in "
                f"{self._folder.parent}: make room there, or name another folder in TMPDIR"
            )

    def _fetch(self, path: str, stored: StoredObject, named: ManifestFile | None) -> None:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = ContentHash()
        with target.open("xb") as file:
            for chunk in self._chunks(path, stored):
                content.update(chunk)
                file.write(chunk)
                with self._lock:
                    self._done += len(chunk)
                    self._progress(self._done, self._total)
        here = content.file(path, stored.size)
        if named is not None and here.sha256 != named.sha256:
            raise BrokenVersion(f"{path} is not the file that the manifest says")
        if stored.crc32c is not None and stored.crc32c != here.crc32c:
            raise StoreUnavailable(f"the store sent other bytes of {printable(stored.name)} than it says it has")

    def _chunks(self, path: str, stored: StoredObject) -> Iterator[bytes]:
        try:
            for chunk in self._bucket.chunks(stored):
                if self._stopped.is_set():
                    return
                self._check_time()
                yield chunk
        except InvalidInput as error:
            raise BrokenVersion(f"{path} was replaced or removed while it was downloaded") from error

    def _check_time(self) -> None:
        if time.monotonic() > self._limits.deadline:
            raise StoreUnavailable("downloading takes longer than the time limit: raise --time-limit")


def _unnamed(found: Mapping[str, StoredObject]) -> Mapping[str, None]:
    """The files where no manifest says which they are; raises BrokenVersion unless every name is safe."""
    ours = {path: item for path, item in found.items() if path != MANIFEST_FILE and not is_nobodys(path)}
    try:
        # The names obey the same rules as a manifest's.
        write_manifest(Manifest(tuple(ManifestFile(path, "0" * 64, item.size) for path, item in ours.items())))
    except InvalidDocument as error:
        raise BrokenVersion(error.problem) from error
    return dict.fromkeys(ours)


def _gibibytes(size: int) -> str:
    return f"{size / _GIBIBYTE:.2f} GiB"
