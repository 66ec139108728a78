"""Folders that hold what a SavedModel holds, and stores made of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from promoter.documents.manifest import Manifest, ManifestFile, digest, write_manifest
from promoter.domain.version import ModelVersion, StoredVersion


def address(folder: Path) -> str:
    return f"file://{folder}"


def saved_model(folder: Path, weights: bytes = b"weights") -> Path:
    """The files of a small SavedModel."""
    files = {
        "saved_model.pb": b"graph",
        "variables/variables.index": b"index",
        "variables/variables.data-00000-of-00001": weights,
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def write_version(store: Path, number: int, weights: bytes = b"weights") -> StoredVersion:
    """A complete version, written as another tool than ours would."""
    folder = saved_model(store / str(number), weights)
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files = [
        ManifestFile(path, hashlib.sha256(content).hexdigest(), len(content))
        for path, content in sorted(contents.items())
    ]
    manifest = Manifest(tuple(files))
    (folder / "manifest.json").write_bytes(write_manifest(manifest))
    return StoredVersion(ModelVersion(number), digest(manifest))
