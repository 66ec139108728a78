"""The three kinds of store, each behind its real client, and an uploader that is not ours for each."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

import boto3
import google_crc32c
from google.cloud import storage

from promoter.adapters.stores import BucketStore, FileStore
from promoter.adapters.stores.gs import GsBucket
from promoter.adapters.stores.s3 import S3Bucket
from promoter.documents.manifest import Manifest, ManifestFile, digest, write_manifest
from promoter.domain.version import ModelVersion, StoredVersion

_COUNT = itertools.count()
MODEL = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"weights",
}


class Kind:
    """A store of one model. put and remove do what another tool than ours would do, by paths below the store."""

    def write_version(self, number, weights=b"weights", **without):
        """A complete version."""
        files = MODEL | {"variables/variables.data-00000-of-00001": weights}
        for path, content in files.items():
            self.put(f"{number}/{path}", content)
        manifest = manifest_of(files, **without)
        self.put(f"{number}/manifest.json", write_manifest(manifest))
        return StoredVersion(ModelVersion(number), digest(manifest))

    def versions(self, found):
        return [entry.version.number for entry in found.complete]

    def reasons(self, found):
        return {entry.name: entry.reason for entry in found.incomplete}


@dataclass
class FolderKind(Kind):
    root: Path

    def __post_init__(self):
        self.root.mkdir(parents=True, exist_ok=True)
        self.address = f"file://{self.root}"

    def store(self):
        return FileStore()

    def put(self, path, content):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def remove(self, path):
        (self.root / path).unlink()


@dataclass
class GsKind(Kind):
    cloud: object

    def __post_init__(self):
        self.bucket = f"models-{next(_COUNT)}"
        self.cloud.make_bucket(self.bucket)
        self.address = f"gs://{self.bucket}/team/ranker"
        self._client = storage.Client(project=None)
        # It would ask for the bucket's description in a thread of its own, at any moment among a test's requests.
        self._client._bucket_metadata_cache = None

    def store(self, **options):
        return BucketStore(GsBucket, **options)

    def put(self, path, content):
        self._client.bucket(self.bucket).blob(_name(path)).upload_from_string(content)

    def remove(self, path):
        self._client.bucket(self.bucket).blob(_name(path)).delete()


@dataclass
class S3Kind(Kind):
    aws: object

    def __post_init__(self):
        self.bucket = f"models-{next(_COUNT)}"
        self._client = boto3.session.Session().client("s3")
        self._client.create_bucket(Bucket=self.bucket)
        self.address = f"s3://{self.bucket}/team/ranker"

    def store(self, **options):
        return BucketStore(S3Bucket, **options)

    def put(self, path, content):
        checksum = crc32c(content)
        self._client.put_object(
            Bucket=self.bucket,
            Key=_name(path),
            Body=content,
            ChecksumAlgorithm="CRC32C",
            ChecksumCRC32C=checksum,
        )

    def remove(self, path):
        self._client.delete_object(Bucket=self.bucket, Key=_name(path))


def _name(path):
    """`../other` is the model beside this one."""
    return f"team/{path[3:]}" if path.startswith("../") else f"team/ranker/{path}"


def crc32c(content):
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def manifest_of(files, *, crc=True):
    return Manifest(
        tuple(
            ManifestFile(path, hashlib.sha256(content).hexdigest(), len(content), crc32c(content) if crc else None)
            for path, content in sorted(files.items())
        )
    )


def write_folder(folder, files=MODEL):
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
