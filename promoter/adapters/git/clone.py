"""The bare clone: a cache on disk, made, checked and thrown away here. What is in it is for others."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pygit2
from pygit2.enums import RepositoryOpenFlag

from promoter.adapters.git.text import LIBGIT2_ERRORS
from promoter.errors import InvalidSettings, RepositoryUnavailable

# Where the remote's branch is kept. One clone follows one branch.
TRACKING_REF = "refs/remotes/origin/followed"
_MARKER = "promoter-clone"
_NOTE = "A cache of the repository above. The promoter owns this folder, and deletes and makes it anew when it must."


class Clone:
    """One folder with one bare repository. `origin` is the remote and branch it was made from.

    The marker file says that the folder may be deleted; a folder without it, unless empty, is refused with
    InvalidSettings and left alone.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder
        self._origin = origin
        self._repository: pygit2.Repository | None = None

    def open(self) -> pygit2.Repository:
        """The repository, made where there is none or only half of one."""
        if self._repository is None:
            try:
                self._repository = self._opened() if self._is_ours() else None
                self._repository = self._repository or self._made()
            except OSError as error:
                raise RepositoryUnavailable(f"the clone {self._folder} cannot be written: {error.strerror}") from error
        return self._repository

    def discard(self) -> None:
        """Delete the clone; the next `open` makes it anew."""
        self._repository = None
        if self._is_ours():
            try:
                shutil.rmtree(self._folder)
            except OSError as error:
                raise RepositoryUnavailable(f"the clone {self._folder} cannot be deleted: {error.strerror}") from error

    def head(self) -> pygit2.Oid | None:
        """Where the remote's branch was last seen, None where it never was."""
        if self._repository is None and not (self._folder / _MARKER).is_file():
            return None
        reference = self.open().references.get(TRACKING_REF)
        target = None if reference is None else reference.target
        return target if isinstance(target, pygit2.Oid) else None

    def is_intact(self) -> bool:
        """Whether every commit, and every tree of the last one, can be read."""
        try:
            head = self.head()
            if head is not None:
                repository = self.open()
                for _ in repository.walk(head):
                    pass
                _read_trees(repository, repository[head].peel(pygit2.Tree))
        except LIBGIT2_ERRORS:
            return False
        return True

    def _is_ours(self) -> bool:
        """Whether the folder is a clone of ours; raises InvalidSettings where it is somebody else's."""
        marker = self._folder / _MARKER
        if marker.is_file():
            return True
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise InvalidSettings(
                f"{self._folder} is not empty and no clone of the promoter's: name another folder, or delete it"
            )
        return False

    def _opened(self) -> pygit2.Repository | None:
        """The repository of a former process, None where it is broken or another remote's."""
        marker = (self._folder / _MARKER).read_text(encoding="utf-8", errors="replace")
        if marker.splitlines()[:1] != [self._origin]:
            return None
        # A killed process leaves its locks behind, and nobody else writes here.
        for lock in (*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock")):
            lock.unlink()
        with suppress(*LIBGIT2_ERRORS):
            return pygit2.Repository(str(self._folder), RepositoryOpenFlag.BARE | RepositoryOpenFlag.NO_SEARCH)
        return None

    def _made(self) -> pygit2.Repository:
        self.discard()
        self._folder.mkdir(parents=True, exist_ok=True)
        # The marker comes first: whatever is half made after it may be deleted.
        (self._folder / _MARKER).write_text(f"{self._origin}\n{_NOTE}\n", encoding="utf-8")
        try:
            return pygit2.init_repository(str(self._folder), bare=True)
        except LIBGIT2_ERRORS as error:
            raise RepositoryUnavailable(f"the clone {self._folder} cannot be made: {error}") from error


def _read_trees(repository: pygit2.Repository, tree: pygit2.Tree) -> None:
    seen: set[pygit2.Oid] = set()
    waiting = [tree]
    while waiting:
        for child in waiting.pop():
            if isinstance(child, pygit2.Tree) and child.id not in seen:
                seen.add(child.id)
                waiting.append(repository[child.id].peel(pygit2.Tree))
