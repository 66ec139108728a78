"""Google Cloud Storage, by its own library. Credentials come from Google's own chain, an emulator from its variable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any, BinaryIO

import requests
import urllib3
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from promoter.adapters.stores.bounded import BoundedAdapter
from promoter.adapters.stores.bucket import PAGE, Checksums, Page, Part, Refusals, StoredObject, check_length
from promoter.documents.manifest import ManifestFile
from promoter.errors import InvalidInput, StoreUnavailable

# To connect, and between two bytes of an answer.
_TIMEOUT = (5.0, 10.0)
_SECONDS = 30.0
_CHUNK = 8 * 2**20
_FIELDS = "items(name,size,generation,crc32c,updated),prefixes,nextPageToken"


class GsBucket:
    """`Bucket` in Google Cloud Storage. patience: how long one question is asked again before it has failed."""

    def __init__(self, name: str, patience: timedelta = timedelta(seconds=10)) -> None:
        self._name = name
        with self._told():
            # No project: it is only asked for where buckets are made.
            self._client = storage.Client(project=None)
            # For labels of traces that nobody collects, the library would ask for the bucket's own description as well,
            # which who may only read objects must not.
            self._client._bucket_metadata_cache = None  # noqa: SLF001
            try:
                self._bucket = self._client.bucket(name)
            except ValueError as error:
                raise InvalidInput(f"{name!r} is not the name of a bucket: correct `store` in policy.yaml") from error
            for scheme in ("https://", "http://"):
                self._client._http.mount(scheme, BoundedAdapter(f"gs://{name}", _SECONDS))  # noqa: SLF001 - no other way in
        retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=5.0, multiplier=2.0)
        self._asked: dict[str, Any] = {
            "timeout": _TIMEOUT,
            "retry": retry.with_timeout(patience.total_seconds()),
        }

    def page(self, part: Part, following: str | None) -> Page:
        with self._told(), self._taken_apart():
            found = self._client.list_blobs(
                self._bucket,
                prefix=part.prefix or None,
                # An offset includes its own name; the character after a slash is a zero.
                start_offset=f"{part.after.removesuffix('/')}0" if part.after else None,
                delimiter="/" if part.folders else None,
                match_glob=_glob(part),
                page_token=following,
                page_size=PAGE,
                fields=_FIELDS,
                **self._asked,
            )
            blobs = next(found.pages, ())
            objects = tuple(map(_as_object, blobs))
            return Page(objects, tuple(sorted(found.prefixes)), found.next_page_token)

    def checksums(self, found: StoredObject) -> Checksums:
        return Checksums(crc32c=found.crc32c)

    def chunks(self, found: StoredObject) -> Iterator[bytes]:
        blob = self._bucket.blob(found.name, generation=int(found.identity))
        for start in range(0, found.size, _CHUNK):
            end = min(start + _CHUNK, found.size) - 1
            with self._told(), _REFUSALS.unreplaced(found):
                # A part of an object has no checksum to be checked against.
                chunk = blob.download_as_bytes(start=start, end=end, checksum=None, raw_download=True, **self._asked)
            check_length(found, chunk, end - start + 1)
            yield chunk

    def create(self, name: str, content: bytes) -> bool:
        blob = self._bucket.blob(name)
        with self._told():
            return _REFUSALS.unless_there(
                lambda: blob.upload_from_string(content, if_generation_match=0, checksum="crc32c", **self._asked)
            )

    def upload(self, name: str, content: BinaryIO, file: ManifestFile, progress: Callable[[int], None]) -> bool:
        blob = self._bucket.blob(name, chunk_size=_CHUNK)
        blob.crc32c = file.crc32c
        with self._told():
            return _REFUSALS.unless_there(
                lambda: blob.upload_from_file(
                    _Counted(content, progress), size=file.size, if_generation_match=0, checksum=None, **self._asked
                )
            )

    def delete(self, found: str) -> None:
        with self._told():
            try:
                self._bucket.blob(found).delete(**self._asked)
            except GoogleAPICallError as error:
                if error.code != HTTPStatus.NOT_FOUND:
                    raise

    @contextmanager
    def _taken_apart(self) -> Iterator[None]:
        """The library takes a listing apart without asking whether it is one."""
        try:
            yield
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise StoreUnavailable(f"the store gs://{self._name} answered what is no listing") from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The library's errors in our words. Of what the server said only the status is kept: it may quote tokens."""
        place = f"gs://{self._name}"
        try:
            yield
        except (GoogleAPICallError, InvalidResponse, RetryError) as error:
            raise StoreUnavailable(f"the store {place} {_REFUSALS.said(error)}") from error
        except GoogleAuthError as error:
            raise StoreUnavailable(
                f"the store {place} cannot be asked: Google's libraries found no credentials that work. Run where "
                "there is a service account, or `gcloud auth application-default login`"
            ) from error
        except DataCorruption as error:
            raise StoreUnavailable(f"the store {place} sent other bytes than it says it has") from error
        except (requests.RequestException, ConnectionError, TimeoutError) as error:
            raise StoreUnavailable(f"the store {place} does not answer: {type(error).__name__}") from error
        except urllib3.exceptions.HTTPError as error:
            raise StoreUnavailable(f"the store {place} broke off: {type(error).__name__}") from error


class _Counted:
    """A file that tells how far it was read for the first time: a part that is sent again does not count twice."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        ahead = self._file.tell() - self._furthest
        if ahead > 0:
            self._furthest += ahead
            self._progress(ahead)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _glob(part: Part) -> str | None:
    if not part.suffixes:
        return None
    prefix = "".join(f"\\{letter}" if letter in "*?[]{}\\" else letter for letter in part.prefix)
    return f"{prefix}**/{{{','.join(part.suffixes)}}}"


def _as_object(blob: storage.Blob) -> StoredObject:
    return StoredObject(blob.name, blob.size, str(blob.generation), blob.crc32c, blob.updated)


def _status(error: GoogleAPICallError | InvalidResponse | RetryError) -> int | None:
    if isinstance(error, RetryError):
        cause = error.cause
        return _status(cause) if isinstance(cause, GoogleAPICallError | InvalidResponse) else None
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return None if error.code is None else int(error.code)


_REFUSALS = Refusals(
    errors=(GoogleAPICallError, InvalidResponse),
    status=_status,
    there=frozenset({HTTPStatus.PRECONDITION_FAILED}),
    gone=frozenset({HTTPStatus.NOT_FOUND}),
    rights="roles/storage.objectViewer on the bucket, and to publish roles/storage.objectUser",
)
