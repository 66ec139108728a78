"""manifest.json: the files of one model version and their checksums, written last so that half an upload is no version.

Whether the files are there and hash to this is left to the model store.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from promoter.documents.one_line import is_one_line
from promoter.domain.version import Digest
from promoter.errors import InvalidDocument

MANIFEST_FILE = "manifest.json"

LARGEST_BYTES = 4 * 1024 * 1024
_MOST_FILES = 10_000
_LARGEST_FILE = 2**53
_LONGEST_PATH = 1024
_DEEPEST = 5

# The names under which TensorFlow looks for a SavedModel (tensorflow, cc/saved_model/constants.h).
_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CRC32C = re.compile(r"[A-Za-z0-9+/]{5}[AQgw]==", re.ASCII)
_AGAIN = "Publish the version again with `promoter publish`"


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a version. path: relative to its folder, with `/`. sha256: 64 hex digits. size: bytes.

    crc32c: as the clouds' stores write it, base64 of four bytes, big end first; None where the manifest does not say.
    It lets a store's own checksum be compared without a download, and is no part of the digest.
    """

    path: str
    sha256: str
    size: int
    crc32c: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one version, in rising order of their paths."""

    files: tuple[ManifestFile, ...]


def parse_manifest(content: bytes | str, where: str) -> Manifest:
    """The manifest in `content`; its paths stay in their folder. `where` names the file; raises InvalidDocument."""
    found = _loaded(content, where)
    if not isinstance(found, dict) or found.keys() != {"files"} or not isinstance(found["files"], dict):
        raise InvalidDocument(where, None, 'the manifest is not {"files": {…}} and nothing else', _AGAIN)
    return _checked((_file(path, entry, where) for path, entry in found["files"].items()), where)


def canonical(manifest: Manifest) -> bytes:
    """JSON of paths, sizes and SHA-256, with sorted keys and no white space, in UTF-8: equal content is equal bytes."""
    plain = {"files": {file.path: _identity(file) for file in manifest.files}}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(manifest: Manifest) -> Digest:
    """SHA-256 of the canonical form: the digest of the version."""
    return Digest(f"sha256:{hashlib.sha256(canonical(manifest)).hexdigest()}")


def write_manifest(manifest: Manifest) -> bytes:
    """The content of a manifest.json; raises InvalidDocument where `parse_manifest` would refuse it."""
    plain = {"files": {file.path: _entry(file) for file in manifest.files}}
    content = (json.dumps(plain, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    parse_manifest(content, MANIFEST_FILE)
    return content


def _identity(file: ManifestFile) -> dict[str, str | int]:
    return {"sha256": file.sha256, "size": file.size}


def _entry(file: ManifestFile) -> dict[str, str | int]:
    return _identity(file) | ({} if file.crc32c is None else {"crc32c": file.crc32c})


def _loaded(content: bytes | str, where: str) -> Any:
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    if len(raw) > LARGEST_BYTES:
        raise InvalidDocument(where, None, f"the manifest is larger than {LARGEST_BYTES >> 20} MiB", _AGAIN)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        unique = dict(found)
        if len(unique) != len(found):
            raise InvalidDocument(where, None, "a key stands in the manifest twice", _AGAIN)
        return unique

    try:
        return json.loads(raw.decode(), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise InvalidDocument(where, error.lineno, f"this is not JSON: {error.msg}", _AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise InvalidDocument(where, None, f"this is not JSON in UTF-8: {type(error).__name__}", _AGAIN) from error


def _file(path: str, entry: Any, where: str) -> ManifestFile:
    shown = repr(path[:80])
    parts = path.split("/")
    if (
        not is_one_line(path)
        or "\\" in path
        or len(path) > _LONGEST_PATH
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise InvalidDocument(
            where,
            None,
            f"{shown} is not the path of a file in its folder",
            "Paths are relative, with `/`, without `..`",
        )
    if path == MANIFEST_FILE:
        raise InvalidDocument(where, None, f"the manifest lists {MANIFEST_FILE}, which is itself", _AGAIN)
    if not isinstance(entry, dict) or entry.keys() - {"crc32c"} != {"sha256", "size"}:
        problem = f'{shown} must have "sha256" and "size", may have "crc32c", and nothing else'
        raise InvalidDocument(where, None, problem, _AGAIN)
    sha256, size, crc32c = entry["sha256"], entry["size"], entry.get("crc32c")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidDocument(where, None, f"the sha256 of {shown} is not 64 lower-case hex digits", _AGAIN)
    if type(size) is not int or not 0 <= size <= _LARGEST_FILE:
        raise InvalidDocument(where, None, f"the size of {shown} is not a count of bytes", _AGAIN)
    if "crc32c" in entry and not (isinstance(crc32c, str) and _CRC32C.fullmatch(crc32c)):
        raise InvalidDocument(where, None, f"the crc32c of {shown} is not four bytes in base64", _AGAIN)
    return ManifestFile(path, sha256, size, crc32c)


def _checked(files: Iterable[ManifestFile], where: str) -> Manifest:
    listed = sorted(files, key=lambda file: file.path)
    paths = {file.path for file in listed}
    if len(listed) > _MOST_FILES:
        raise InvalidDocument(
            where, None, f"the manifest lists more than {_MOST_FILES} files", "Publish a smaller model"
        )
    if len(paths) != len(listed):
        raise InvalidDocument(where, None, "the manifest lists a file twice", _AGAIN)
    for path in paths:
        parents = path.split("/")[:-1]
        inside = next((name for end in range(1, len(parents) + 1) if (name := "/".join(parents[:end])) in paths), None)
        if inside is not None:
            raise InvalidDocument(where, None, f"{inside[:80]!r} is listed as a file and as a folder", _AGAIN)
    if paths.isdisjoint(_MODEL_FILES):
        raise InvalidDocument(
            where,
            None,
            f"the manifest lists no {_MODEL_FILES[0]}",
            "Publish the folder of a SavedModel, not one around it",
        )
    return Manifest(tuple(listed))
