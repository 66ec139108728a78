"""Amazon S3 and what speaks its protocol, by boto3. Credentials, region and endpoint come from Amazon's own chain."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO

import boto3
import google_crc32c
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from promoter.adapters.stores.bounded import whole
from promoter.adapters.stores.bucket import PAGE, Checksums, Page, Part, Refusals, StoredObject, check_length
from promoter.documents.manifest import ManifestFile
from promoter.errors import InvalidInput, StoreUnavailable
from promoter.model_folder import crc32c_text

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_SECONDS = 30.0
_CHUNK = 8 * 2**20
# S3 takes 10 000 parts of 5 MiB or more, and up to this much at once.
_AT_ONCE = 64 * 2**20
_MOST_PARTS = 10_000


class S3Bucket:
    """`Bucket` in S3. patience: how long to wait for the next byte of an answer; asked are three times at most."""

    def __init__(self, name: str, patience: timedelta = timedelta(seconds=10)) -> None:
        self._name = name
        config = Config(
            connect_timeout=5,
            read_timeout=patience.total_seconds(),
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=16,
        )
        with self._told():
            # A session of its own: the default one is not made for several threads.
            self._client: S3Client = boto3.session.Session().client("s3", config=config)
            self._client.meta.events.register("before-send.s3", self._send)  # type: ignore[arg-type]

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        """The answer to a request, sent as botocore does, under limits of its size and time."""
        request.stream_output = True
        # botocore offers this place for answers of one's own, and no way to its connections.
        answer = self._client._endpoint.http_session.send(request)  # type: ignore[attr-defined]  # noqa: SLF001
        body = whole(answer.raw, f"s3://{self._name}", _SECONDS)
        return AWSResponse(answer.url, answer.status_code, answer.headers, body)

    def page(self, part: Part, following: str | None) -> Page:
        options: dict[str, Any] = {}
        if part.folders:
            options["Delimiter"] = "/"
        if following is not None:
            options["ContinuationToken"] = following
        elif part.after:
            options["StartAfter"] = part.after
        with self._told():
            found = self._client.list_objects_v2(Bucket=self._name, Prefix=part.prefix, MaxKeys=PAGE, **options)
        objects = tuple(
            StoredObject(entry["Key"], entry["Size"], entry["ETag"], None, entry["LastModified"])
            for entry in found.get("Contents", ())
        )
        folders = tuple(entry["Prefix"] for entry in found.get("CommonPrefixes", ()))
        return Page(objects, folders, found.get("NextContinuationToken"))

    def checksums(self, found: StoredObject) -> Checksums:
        with self._told(), _REFUSALS.unreplaced(found):
            head = self._client.head_object(
                Bucket=self._name, Key=found.name, IfMatch=found.identity, ChecksumMode="ENABLED"
            )
        sha256 = _of_the_whole(head.get("ChecksumSHA256"))
        return Checksums(
            crc32c=_of_the_whole(head.get("ChecksumCRC32C")),
            sha256=None if sha256 is None else base64.b64decode(sha256).hex(),
        )

    def chunks(self, found: StoredObject) -> Iterator[bytes]:
        with self._told(), _REFUSALS.unreplaced(found):
            for start in range(0, found.size, _CHUNK):
                end = min(start + _CHUNK, found.size) - 1
                answer = self._client.get_object(
                    Bucket=self._name, Key=found.name, IfMatch=found.identity, Range=f"bytes={start}-{end}"
                )
                chunk = answer["Body"].read()
                check_length(found, chunk, end - start + 1)
                yield chunk

    def create(self, name: str, content: bytes) -> bool:
        return self._put(name, content, _crc32c(content))

    def upload(self, name: str, content: BinaryIO, file: ManifestFile, progress: Callable[[int], None]) -> bool:
        checksum = file.crc32c
        if checksum is None:
            raise AssertionError("a file is uploaded with the checksum that the store shall check")
        if file.size > _AT_ONCE:
            return self._upload_in_parts(name, content, file.size, checksum, progress)
        written = self._put(name, content.read(), checksum)
        progress(file.size)
        return written

    def delete(self, found: str) -> None:
        with self._told():
            self._client.delete_object(Bucket=self._name, Key=found)

    def _put(self, name: str, content: bytes, checksum: str) -> bool:
        with self._told():
            return _REFUSALS.unless_there(
                lambda: self._client.put_object(
                    Bucket=self._name,
                    Key=name,
                    Body=content,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="CRC32C",
                    ChecksumCRC32C=checksum,
                )
            )

    def _upload_in_parts(
        self, name: str, content: BinaryIO, size: int, checksum: str, progress: Callable[[int], None]
    ) -> bool:
        """One part after the other: several files are uploaded side by side already."""
        where: dict[str, Any] = {"Bucket": self._name, "Key": name}
        part_size = max(_AT_ONCE, -(-size // _MOST_PARTS))
        with self._told():
            begun = self._client.create_multipart_upload(
                **where, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT"
            )
            where["UploadId"] = begun["UploadId"]
            try:
                parts: list[Any] = []
                while chunk := content.read(part_size):
                    ours: dict[str, Any] = {"PartNumber": len(parts) + 1, "ChecksumCRC32C": _crc32c(chunk)}
                    sent = self._client.upload_part(**where, **ours, Body=chunk, ChecksumAlgorithm="CRC32C")
                    parts.append({**ours, "ETag": sent["ETag"]})
                    progress(len(chunk))
                return _REFUSALS.unless_there(
                    lambda: self._client.complete_multipart_upload(
                        **where,
                        MultipartUpload={"Parts": parts},
                        ChecksumCRC32C=checksum,
                        ChecksumType="FULL_OBJECT",
                        IfNoneMatch="*",
                    )
                )
            finally:
                # Parts that belong to no object are paid for until somebody takes them away.
                self._abandon(where)

    def _abandon(self, where: dict[str, Any]) -> None:
        try:
            self._client.abort_multipart_upload(**where)
        except ClientError as error:
            # It was completed, and is no longer an upload.
            if _status(error) != HTTPStatus.NOT_FOUND:
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The library's errors in our words. Of what the server said only the status is kept: it may quote keys."""
        place = f"s3://{self._name}"
        try:
            yield
        except ClientError as error:
            raise StoreUnavailable(f"the store {place} {_REFUSALS.said(error)}") from error
        except ParamValidationError as error:
            raise InvalidInput(f"{place} is not the address of a bucket: correct `store` in policy.yaml") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreUnavailable(
                f"the store {place} cannot be asked: Amazon's libraries found no credentials. Run with a role, or set "
                "up a profile"
            ) from error
        except (BotoCoreError, HTTPClientError, urllib3.exceptions.HTTPError) as error:
            raise StoreUnavailable(f"the store {place} does not answer: {type(error).__name__}") from error


def _crc32c(content: bytes) -> str:
    return crc32c_text(google_crc32c.value(content))


def _of_the_whole(checksum: str | None) -> str | None:
    """None for a checksum of checksums, of an upload in parts: it says nothing of the content. It has a dash."""
    return None if checksum is None or "-" in checksum else checksum


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


_REFUSALS = Refusals(
    errors=(ClientError,),
    status=_status,
    # 409 is the answer to two who write the same name in the same moment.
    there=frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}),
    gone=frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED}),
    rights=(
        "s3:ListBucket on the bucket and s3:GetObject on its objects, and to publish s3:PutObject and s3:DeleteObject"
    ),
)
