"""What the promoter asks of a bucket in whichever cloud: names in order, bytes, and writes that never overwrite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from promoter.documents.manifest import ManifestFile
from promoter.errors import StoreUnavailable

# Every store pages its listings, and none takes more names a page than this.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells of it.

    name: with its whole path. size: bytes. identity: changes whenever the object is written, even with the same
    bytes. crc32c: base64 of four bytes; None where the listing does not say. modified: by the store's clock.
    """

    name: str
    size: int
    identity: str
    crc32c: str | None
    modified: datetime


@dataclass(frozen=True, slots=True)
class Checksums:
    """The checksums of an object's whole content that the store vouches for; None for those it has none of."""

    crc32c: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing, in the order of names. folders: common beginnings of names, with a slash at the end.

    following: what asks for the next page, None after the last.
    """

    objects: tuple[StoredObject, ...] = ()
    folders: tuple[str, ...] = ()
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What of a bucket is listed: names that begin with `prefix`.

    after: only names after this one; a folder of this name may be listed all the same. folders: names below the
    next slash are folded into folders. suffixes: where the store can choose, only objects whose path ends with a
    slash and one of these; a store that cannot lists all.
    """

    prefix: str
    after: str = ""
    folders: bool = False
    suffixes: tuple[str, ...] = ()


class Bucket(Protocol):
    """One bucket. Every method raises StoreUnavailable where the store does not answer in time, or refuses."""

    def page(self, part: Part, following: str | None) -> Page:
        """A page of at most 1000 names; `following` as the page before told it, None for the first."""

    def checksums(self, found: StoredObject) -> Checksums:
        """What the store itself knows of the content; raises InvalidInput where the object was replaced."""

    def chunks(self, found: StoredObject) -> Iterator[bytes]:
        """The content, eight mebibytes at a time; raises InvalidInput where the object was replaced meanwhile."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a small object. False, and nothing written, where there is one of this name."""

    def upload(self, name: str, content: BinaryIO, file: ManifestFile, progress: Callable[[int], None]) -> bool:
        """Write `content`, checked against `file` by the store. False where there is one of this name.

        progress: called with the bytes that were sent since the last call.
        """

    def delete(self, found: str) -> None:
        """Take an object away; it may be gone already."""


def pages(bucket: Bucket, part: Part, most: int | None = None) -> Iterator[Page]:
    """All pages of `part`, or the first `most`."""
    following: str | None = None
    count = 0
    while most is None or count < most:
        page = bucket.page(part, following)
        yield page
        following, count = page.following, count + 1
        if following is None:
            return


def check_length(found: StoredObject, chunk: bytes, expected: int) -> None:
    """Raises StoreUnavailable where a part of an object is not as long as was asked for."""
    if len(chunk) != expected:
        raise StoreUnavailable(f"the store sent {len(chunk)} bytes of {found.name} where {expected} were asked for")
