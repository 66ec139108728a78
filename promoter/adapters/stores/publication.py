"""Publishing a version into a bucket: a claim on its number, its files side by side, and the manifest last.

Broken off at any moment it leaves a folder without a manifest, which is no version. The same content published under
the same number goes on where it was, file by file.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from promoter.adapters.stores.bucket import Bucket, Part, StoredObject, pages
from promoter.adapters.stores.buckets import prefix_of
from promoter.adapters.stores.judging import versions_among
from promoter.documents.manifest import MANIFEST_FILE, Manifest, ManifestFile, digest, write_manifest
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.errors import InvalidInput, StoreUnavailable
from promoter.model_folder import SeenFile, check_unchanged, manifest_of, open_unchanged, saved_model

# Says who publishes a version that is not complete yet; names with a dot in front belong to no version.
CLAIM_FILE = ".publishing"
_AT_ONCE = 4
_MOST_ATTEMPTS = 100

# Called with the bytes sent so far, and the bytes there are.
Progress = Callable[[int, int], None]


def publish_to_bucket(
    bucket: Bucket, directory: Path, address: str, version: ModelVersion | None, progress: Progress
) -> StoredVersion:
    """Copy the SavedModel in `directory` into the store at `address`, as `version`.

    version: None takes the number after the highest that is there. progress: called with the bytes sent so far, and
    the bytes there are. Raises InvalidInput where a person must change something, StoreUnavailable where the store
    fails.
    """
    store = prefix_of(StoreAddress.from_text(address))
    found = saved_model(directory)
    manifest = manifest_of(directory, found)
    claims = _Claims(bucket, store, digest(manifest))
    chosen = claims.next() if version is None else claims.named(version)
    folder = f"{store}{chosen}/"
    with _said_how_to_go_on(chosen):
        _upload_all(_Upload(bucket, folder, directory, found), manifest, progress)
        _check_all(bucket, folder, manifest)
        _seal(bucket, folder, manifest)
        bucket.delete(folder + CLAIM_FILE)
    return StoredVersion(chosen, digest(manifest))


class _Claims:
    """Numbers, each taken by one publisher: who creates the claim first has it."""

    def __init__(self, bucket: Bucket, store: str, content: Digest) -> None:
        self._bucket = bucket
        self._store = store
        self._content = content
        self._mark = f"{content} {uuid.uuid4()}\n".encode()

    def next(self) -> ModelVersion:
        """The number after the highest; another publisher who takes it makes us take the next one."""
        names = [
            folder[len(self._store) : -1]
            for page in pages(self._bucket, Part(self._store, folders=True))
            for folder in page.folders
        ]
        number = max((version.number for version in versions_among(names)[0]), default=0)
        for _ in range(_MOST_ATTEMPTS):
            number += 1
            if self._is_taken(ModelVersion(number)):
                return ModelVersion(number)
        raise StoreUnavailable(f"{_MOST_ATTEMPTS} others took the next number before us: name a version instead")

    def named(self, version: ModelVersion) -> ModelVersion:
        """`version`, where nobody has it, or where it is the rest of the same upload."""
        before = _objects(self._bucket, self._folder(version))
        if not before and self._is_taken(version):
            return version
        claim = before.get(CLAIM_FILE)
        if MANIFEST_FILE in before or claim is None or not self._is_of_our_content(claim):
            unfinished = MANIFEST_FILE not in before
            raise InvalidInput(
                f"version {version} is in the store already, and versions never change: "
                + ("it looks unfinished, so remove it if nobody is uploading it, or " if unfinished else "")
                + "take a higher number"
            )
        return version

    def _is_taken(self, version: ModelVersion) -> bool:
        """Whether it is ours now. The answer to a claim may be lost, and the same claim refused when it is repeated."""
        folder = self._folder(version)
        if self._bucket.create(folder + CLAIM_FILE, self._mark):
            if set(_objects(self._bucket, folder)) == {CLAIM_FILE}:
                return True
            # Somebody uploads there who makes no claims.
            self._bucket.delete(folder + CLAIM_FILE)
            return False
        claim = _objects(self._bucket, folder).get(CLAIM_FILE)
        return claim is not None and _content(self._bucket, claim) == self._mark

    def _is_of_our_content(self, claim: StoredObject) -> bool:
        return (_content(self._bucket, claim) or b"").startswith(f"{self._content} ".encode())

    def _folder(self, version: ModelVersion) -> str:
        return f"{self._store}{version}/"


@dataclass(frozen=True, slots=True)
class _Upload:
    """From where to where."""

    bucket: Bucket
    folder: str
    directory: Path
    found: Mapping[str, SeenFile]


def _upload_all(upload: _Upload, manifest: Manifest, progress: Progress) -> None:
    total = sum(file.size for file in manifest.files)
    done, lock = 0, Lock()

    def sent(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            progress(done, total)

    progress(0, total)
    there = _objects(upload.bucket, upload.folder)
    missing = [file for file in manifest.files if file.path not in there]
    sent(sum(file.size for file in manifest.files if file.path in there))
    # The largest first: it takes longest, whatever runs beside it.
    missing.sort(key=lambda file: -file.size)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tasks = [pool.submit(_upload_one, upload, file, sent) for file in missing]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _upload_one(upload: _Upload, file: ManifestFile, sent: Callable[[int], None]) -> None:
    path = upload.directory / file.path
    try:
        with open_unchanged(path, upload.found[file.path]) as content:
            upload.bucket.upload(upload.folder + file.path, content, file, sent)
            check_unchanged(content, path, upload.found[file.path])
    except OSError as error:
        raise InvalidInput(f"{error.filename} cannot be read: {error.strerror}") from error


def _check_all(bucket: Bucket, folder: str, manifest: Manifest) -> None:
    """Whether what is there now is what was meant, whoever wrote it: files that were there were not overwritten."""
    there = _objects(bucket, folder)
    for file in manifest.files:
        stored = there.get(file.path)
        if stored is None or stored.size != file.size or bucket.checksums(stored).crc32c != file.crc32c:
            raise InvalidInput(
                f"{file.path} in the store is not the one that was published: somebody else writes there. "
                "Take a higher number"
            )


def _seal(bucket: Bucket, folder: str, manifest: Manifest) -> None:
    content = write_manifest(manifest)
    if bucket.create(folder + MANIFEST_FILE, content):
        return
    # The answer may have been lost, and the same manifest refused when it was written again.
    there = _objects(bucket, folder).get(MANIFEST_FILE)
    if there is None or _content(bucket, there) != content:
        raise InvalidInput("somebody else wrote the manifest of this version: take a higher number")


@contextmanager
def _said_how_to_go_on(version: ModelVersion) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{error}. Version {version} is half there and no version yet: the same command with --version {version} "
            "goes on"
        ) from error


def _objects(bucket: Bucket, folder: str) -> Mapping[str, StoredObject]:
    return {found.name[len(folder) :]: found for page in pages(bucket, Part(folder)) for found in page.objects}


def _content(bucket: Bucket, found: StoredObject) -> bytes | None:
    """None where it went away meanwhile, as claims do when their version is complete."""
    try:
        return b"".join(bucket.chunks(found))
    except InvalidInput:
        return None
