"""The files of one model version on a file system, looked at without following any link."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

import google_crc32c

from promoter.documents.manifest import MANIFEST_FILE, Manifest, ManifestFile, write_manifest
from promoter.errors import InvalidDocument, InvalidInput

SAVED_MODEL_FILE = "saved_model.pb"
_CHUNK = 2**20

# A SavedModel has some ten files, and a hundred with many assets.
_MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class SeenFile:
    """What changes when a file is replaced or written to, as finely as the file system tells.

    size: in bytes. modified_ns, changed_ns: mtime and ctime in nanoseconds since the epoch.
    """

    size: int
    device: int
    inode: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """What `status` says."""
        return cls(status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


def regular_files(folder: Path) -> Mapping[str, SeenFile]:
    """Every file below `folder` by its path relative to it, with `/`, in order.

    Raises InvalidInput for symbolic links, for anything else that is neither file nor folder, for names that
    are no printable text, and for more than 10 000 entries; OSError where `folder` cannot be read.
    """
    found: dict[str, SeenFile] = {}
    pending = [""]
    entries = 0
    while pending:
        prefix = pending.pop()
        with os.scandir(folder / prefix) as listing:
            for entry in listing:
                entries += 1
                if entries > _MOST_ENTRIES:
                    raise InvalidInput(f"there are more than {_MOST_ENTRIES} files and folders in it")
                path = prefix + entry.name
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(f"{path}/")
                else:
                    found[path] = _regular(path, status)
    return dict(sorted(found.items()))


def _regular(path: str, status: os.stat_result) -> SeenFile:
    if not path.isprintable():
        raise InvalidInput(f"{path!r} is not printable text: give the file another name")
    if stat.S_ISLNK(status.st_mode):
        raise InvalidInput(f"{path} is a symbolic link: put a copy of the file in its place")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{path} is neither a file nor a folder")
    return SeenFile.of(status)


def open_unchanged(path: Path, seen: SeenFile) -> BufferedReader:
    """`path` for reading, if it is still the file that was `seen`.

    Raises InvalidInput where it is another one or has changed, OSError where it cannot be read.
    """
    # No link is followed, and a pipe that took the file's place does not make us wait for a writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        check_unchanged(file, path, seen)
    except InvalidInput:
        file.close()
        raise
    return file


def check_unchanged(file: BufferedReader, path: Path, seen: SeenFile) -> None:
    """Raises InvalidInput where the open `file` at `path` is not the one that was `seen`, or was written to since."""
    if SeenFile.of(os.fstat(file.fileno())) != seen:
        raise InvalidInput(f"{path.name} changed while it was read: wait until nobody writes there")


class ContentHash:
    """The checksums of a manifest, of content that comes piece by piece."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._crc32c = 0

    def update(self, chunk: bytes) -> None:
        """One more piece."""
        self._sha256.update(chunk)
        self._crc32c = google_crc32c.extend(self._crc32c, chunk)

    def file(self, path: str, size: int) -> ManifestFile:
        """The entry for the content so far."""
        return ManifestFile(path, self._sha256.hexdigest(), size, crc32c_text(self._crc32c))


def crc32c_text(crc: int) -> str:
    """Base64 of the four bytes, big end first, as the clouds' stores write it."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def manifest_of(directory: Path, found: Mapping[str, SeenFile]) -> Manifest:
    """The manifest of the files in `directory`, each read once; raises InvalidInput where one changes meanwhile."""
    files = []
    for path, seen in found.items():
        content = ContentHash()
        for chunk in chunks(directory / path, seen):
            content.update(chunk)
        files.append(content.file(path, seen.size))
    return Manifest(tuple(files))


def saved_model(directory: Path) -> Mapping[str, SeenFile]:
    """The files of the SavedModel; raises InvalidInput where it is none."""
    if not directory.is_dir():
        raise InvalidInput(f"{directory} is not a folder: name the folder that holds {SAVED_MODEL_FILE}")
    try:
        found = regular_files(directory)
    except InvalidInput as error:
        raise InvalidInput(f"{directory} cannot be published: {error}") from error
    except OSError as error:
        raise unreadable(error) from error
    if SAVED_MODEL_FILE not in found:
        raise InvalidInput(
            f"{directory} is no SavedModel: it holds no {SAVED_MODEL_FILE}. "
            "Write one with tf.saved_model.save or model.export, and name the folder that they filled"
        )
    if MANIFEST_FILE in found:
        raise InvalidInput(
            f"{directory} holds a {MANIFEST_FILE} already: it was published before. Name the folder it was exported to"
        )
    try:
        # Names that a manifest may not hold are refused before the first byte is copied.
        write_manifest(Manifest(tuple(ManifestFile(path, "0" * 64, seen.size) for path, seen in found.items())))
    except InvalidDocument as error:
        raise InvalidInput(f"{directory} cannot be published: {error.problem}") from error
    return found


def chunks(path: Path, seen: SeenFile) -> Iterator[bytes]:
    """The file's content, a mebibyte at a time; raises InvalidInput where it cannot be read, or changes meanwhile."""
    try:
        with open_unchanged(path, seen) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
            check_unchanged(file, path, seen)
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> InvalidInput:
    """What the system said against reading a file, in our words."""
    return InvalidInput(f"{error.filename} cannot be read: {error.strerror}")
