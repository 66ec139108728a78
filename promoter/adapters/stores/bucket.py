"""What the promoter asks of a bucket in whichever cloud: names in order, bytes, and writes that never overwrite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, BinaryIO, Protocol

from promoter.documents.manifest import ManifestFile
from promoter.errors import InvalidInput, StoreUnavailable

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


@dataclass(frozen=True, slots=True)
class Refusals:
    """How a cloud's library tells that its server said no, and what that means.

    errors: its exceptions. status: the HTTP status in one, None where it has none. there, gone: statuses for an object
    that is there already, and for one that was replaced or removed. rights: what an identity needs, for people.
    """

    errors: tuple[type[Exception], ...]
    status: Callable[[Any], int | None]
    there: frozenset[int]
    gone: frozenset[int]
    rights: str

    def unless_there(self, write: Callable[[], object]) -> bool:
        """Whether `write` wrote; False where something of that name was there."""
        try:
            write()
        except self.errors as error:
            if self.status(error) not in self.there:
                raise
            return False
        return True

    @contextmanager
    def unreplaced(self, found: StoredObject) -> Iterator[None]:
        """Raises InvalidInput where what is done inside meets an object that is no longer the one that was found."""
        try:
            yield
        except self.errors as error:
            if self.status(error) not in self.gone:
                raise
            raise InvalidInput(f"{found.name} was replaced or removed while it was read") from error

    def said(self, error: Exception) -> str:
        """What a server's no means, as the end of a sentence about the store. Of its words only the status is kept."""
        status = self.status(error)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return f"refuses ({status:d}): grant this identity {self.rights}"
        if status == HTTPStatus.NOT_FOUND:
            return "does not exist (404): create the bucket, or correct `store` in policy.yaml"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return "is asked too often (429)"
        return "does not answer" if status is None else f"failed ({status:d})"


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
