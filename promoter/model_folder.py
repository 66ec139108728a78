"""The files of one model version on a file system, looked at without following any link."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

from promoter.errors import InvalidInput

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
