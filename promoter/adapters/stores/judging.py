"""Whether the files under a version's number are a version, and its digest. Every kind of store is judged here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from threading import Lock
from typing import Generic, Protocol, TypeVar

from promoter.documents.manifest import (
    LARGEST_BYTES,
    MANIFEST_FILE,
    Manifest,
    ManifestFile,
    digest,
    parse_manifest,
    write_manifest,
)
from promoter.domain.completeness import ByManifest, ByMarker, Completeness
from promoter.domain.duration import format_duration
from promoter.domain.version import Digest, IncompleteVersion, Listing, ModelVersion, StoredVersion, Wanted
from promoter.errors import InvalidDocument, InvalidInput, InvalidName


class Found(Protocol):
    """A file as a look at the store found it; equal values stand for equal content. size: bytes."""

    @property
    def size(self) -> int: ...

    def __hash__(self) -> int: ...


_Found = TypeVar("_Found", bound=Found)
_Found_contra = TypeVar("_Found_contra", bound=Found, contravariant=True)


class Contents(Protocol[_Found_contra]):
    """What can be told of one version's files. Each raises InvalidInput where the file is no longer what was found."""

    def read(self, path: str, found: _Found_contra) -> bytes:
        """All of a small file."""

    def agrees(self, file: ManifestFile, found: _Found_contra) -> bool:
        """Whether the content is the one that the manifest names, by the cheapest proof there is."""

    def sha256(self, path: str, found: _Found_contra) -> str:
        """64 hex digits."""


class NotYet(InvalidInput):
    """It cannot be told yet whether a version is complete; waiting is all there is to do."""


class Watch:
    """Since when files have been as they are now, by this process's own steady clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}
        self._lock = Lock()

    def quiet_for(self, place: str, files: object) -> timedelta:
        """How long `files` have been what was seen at `place`; none where they were something else the last time."""
        now = self._clock()
        with self._lock:
            before, since = self._seen.get(place, (None, now))
            if before != files:
                since = now
            self._seen[place] = (files, since)
        return timedelta(seconds=now - since)


class Judge(Generic[_Found]):
    """Judges one version, at `place` for the watch, by the rule of a policy."""

    def __init__(self, complete: Completeness, watch: Watch, place: str) -> None:
        self._complete = complete
        self._watch = watch
        self._place = place

    def digest(self, found: Mapping[str, _Found], contents: Contents[_Found]) -> Digest:
        """The version's digest; raises InvalidInput with the reason why it is not complete."""
        if isinstance(self._complete, ByManifest):
            return _digest_by_manifest(found, contents)
        ours = {path: file for path, file in found.items() if not is_nobodys(path) and path != MANIFEST_FILE}
        if isinstance(self._complete, ByMarker):
            marker = self._complete.file
            if marker not in found:
                raise InvalidInput(f"no {marker}: policy.yaml says that it is written last")
            ours.pop(marker, None)
        else:
            self._check_quiet(ours, self._complete.quiet)
        files = tuple(ManifestFile(path, contents.sha256(path, file), file.size) for path, file in sorted(ours.items()))
        manifest = Manifest(files)
        try:
            # The names obey the same rules as a manifest's.
            write_manifest(manifest)
        except InvalidDocument as error:
            raise InvalidInput(error.problem) from error
        return digest(manifest)

    def _check_quiet(self, ours: Mapping[str, _Found], quiet: timedelta) -> None:
        lasted = self._watch.quiet_for(self._place, tuple(sorted(ours.items())))
        if lasted < quiet:
            raise NotYet(
                f"its files have to stay as they are for {format_duration(quiet)}; so far they did for "
                f"{format_duration(timedelta(seconds=int(lasted.total_seconds())))}"
            )


def _digest_by_manifest(found: Mapping[str, _Found], contents: Contents[_Found]) -> Digest:
    if MANIFEST_FILE not in found:
        raise InvalidInput(f"no {MANIFEST_FILE}: it is written last, so the upload has not finished")
    if found[MANIFEST_FILE].size > LARGEST_BYTES:
        raise InvalidInput(f"{MANIFEST_FILE} is larger than {LARGEST_BYTES >> 20} MiB")
    manifest = parse_manifest(contents.read(MANIFEST_FILE, found[MANIFEST_FILE]), MANIFEST_FILE)
    check_sizes(manifest, found)
    for file in manifest.files:
        if not contents.agrees(file, found[file.path]):
            raise InvalidInput(
                f"the checksum of {file.path} differs from the manifest's: publish the version again, as a new one"
            )
    return digest(manifest)


def check_sizes(manifest: Manifest, found: Mapping[str, _Found]) -> None:
    """Raises InvalidInput unless the files that the manifest names are there, with their sizes, and no other.

    Another file would be served without being part of the digest.
    """
    for file in manifest.files:
        if file.path not in found:
            raise InvalidInput(f"{file.path} is missing")
        if found[file.path].size != file.size:
            raise InvalidInput(f"{file.path} has {found[file.path].size} bytes, the manifest says {file.size}")
    named = {file.path for file in manifest.files} | {MANIFEST_FILE}
    for path in found:
        if path not in named and not is_nobodys(path):
            raise InvalidInput(f"{path} is not in the manifest: remove it, or publish the version again, as a new one")


def is_nobodys(path: str) -> bool:
    """Whether a file belongs to no version: it, or a folder that it is in, has a dot in front."""
    return any(name.startswith(".") for name in path.split("/"))


def listed(
    names: Iterable[str], wanted: Wanted, judge: Callable[[ModelVersion], StoredVersion | IncompleteVersion]
) -> Listing:
    """The listing of a store that holds `names`: the newest is judged first, and no more than are wanted."""
    versions, misnamed = versions_among(names)
    complete: list[StoredVersion] = []
    incomplete = misnamed
    for version in sorted(versions, reverse=True):
        if wanted.above is not None and version <= wanted.above:
            break
        found = judge(version)
        if isinstance(found, IncompleteVersion):
            incomplete.append(found)
            continue
        complete.append(found)
        if wanted.newest and version not in wanted.passed_over:
            break
    return Listing(tuple(reversed(complete)), tuple(sorted(incomplete, key=lambda found: found.name)))


def versions_among(names: Iterable[str]) -> tuple[list[ModelVersion], list[IncompleteVersion]]:
    """The names that stand for versions, and those that do not; names with a dot in front are nobody's."""
    versions, misnamed = [], []
    for name in names:
        if name.startswith("."):
            continue
        try:
            versions.append(ModelVersion.from_name(name))
        except InvalidName as error:
            misnamed.append(IncompleteVersion(printable(name), printable(str(error))))
    return versions, misnamed


def judged(version: ModelVersion, verdict: Callable[[], Digest]) -> StoredVersion | IncompleteVersion:
    """The version with its digest, or why it has none; raises StoreUnavailable."""
    try:
        return StoredVersion(version, verdict())
    except NotYet as error:
        return IncompleteVersion(str(version), str(error), settled=False)
    except InvalidInput as error:
        reason = str(error)
    except (FileNotFoundError, PermissionError) as error:
        reason = f"{error.filename} cannot be read: {error.strerror}"
    return IncompleteVersion(str(version), printable(reason))


def check_patience(deadline: float) -> None:
    """Raises NotYet where the time for one look is over; `deadline` as time.monotonic tells it."""
    if time.monotonic() > deadline:
        raise NotYet("not verified yet: reading its files takes longer than one look may last")


def printable(text: str) -> str:
    """`text` with what a terminal would act on, or could not show, escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )
