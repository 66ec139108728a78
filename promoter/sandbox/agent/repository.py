"""The bare remote, read where it lies: its branch, the models' folders, and the files a chart is rendered from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pygit2

from promoter.domain.names import ENVIRONMENTS, RELEASE_FILE, VALUES_FILE, ServedModel
from promoter.domain.repository import Revision
from promoter.errors import InvalidName, InvalidSettings, RepositoryUnavailable

CHART = "charts/model-serving"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """The ids of what one Application is rendered from. Equal ids mean an equal result.

    chart: the chart's tree. values: path and blob of each values file, in the order in which they are
    merged. An id is None where the path does not exist.
    """

    chart: str | None
    values: tuple[tuple[str, str | None], ...]


def value_files(served: ServedModel) -> tuple[str, ...]:
    """The paths of a model's values files; the last one wins."""
    return (f"{served.folder}/{VALUES_FILE}", served.release_path)


class BareRemote:
    """A bare repository on this machine. Every method raises RepositoryUnavailable where it cannot be read.

    It is opened anew each time: a remote that was away, or put back from a backup, is simply there again.
    """

    def __init__(self, location: str, branch: str) -> None:
        parts = urlsplit(location)
        if parts.scheme not in {"", "file"}:
            raise InvalidSettings(f"{location!r} is not on this machine: the sandbox reads a path or a file:// address")
        self.location = location
        self.branch = branch
        self._path = unquote(parts.path) if parts.scheme else location

    def resolve(self) -> Revision:
        """The commit that the branch points to."""
        with self._opened() as repository:
            return str(repository.references[f"refs/heads/{self.branch}"].peel(pygit2.Commit).id)

    def models(self, revision: Revision) -> tuple[ServedModel, ...]:
        """Every folder with a release.yaml, in order. Folders that cannot be models are logged and left out."""
        with self._opened() as repository:
            root = _tree(repository, revision)
            folders = tuple(_release_folders(root)) if ENVIRONMENTS in root else ()
        return tuple(served for folder in folders if (served := _served(folder)) is not None)

    def sources(self, revision: Revision, served: ServedModel) -> Sources:
        """The ids of the chart and the values files of `served`."""
        with self._opened() as repository:
            root = _tree(repository, revision)
            return Sources(_id(root, CHART), tuple((path, _id(root, path)) for path in value_files(served)))

    def blob(self, object_id: str) -> bytes:
        """The content of the blob with that id."""
        with self._opened() as repository:
            return repository[object_id].peel(pygit2.Blob).data

    def export(self, tree_id: str, folder: Path) -> None:
        """Write the files of a tree under `folder`, which must not exist yet. Links are left out."""
        with self._opened() as repository:
            _export(repository[tree_id].peel(pygit2.Tree), folder)

    @contextmanager
    def _opened(self) -> Iterator[pygit2.Repository]:
        try:
            repository = pygit2.Repository(self._path)
            try:
                yield repository
            finally:
                repository.free()
        except (pygit2.GitError, KeyError, OSError, ValueError) as error:
            raise RepositoryUnavailable(f"{self.location} (branch {self.branch}) cannot be read: {error}") from error


def _tree(repository: pygit2.Repository, revision: Revision) -> pygit2.Tree:
    return repository[revision].peel(pygit2.Tree)


def _id(root: pygit2.Tree, path: str) -> str | None:
    try:
        return str(root[path].id)
    except KeyError:
        return None


def _release_folders(root: pygit2.Tree) -> Iterator[str]:
    """Folders two and three levels below `environments/` that hold a release.yaml."""
    for environment in _subtrees(root[ENVIRONMENTS].peel(pygit2.Tree)):
        for child in _subtrees(environment):
            folder = f"{ENVIRONMENTS}/{environment.name}/{child.name}"
            if RELEASE_FILE in child:
                yield folder
            else:
                yield from (f"{folder}/{model.name}" for model in _subtrees(child) if RELEASE_FILE in model)


def _subtrees(tree: pygit2.Tree) -> Iterator[pygit2.Tree]:
    return (entry for entry in tree if isinstance(entry, pygit2.Tree))


def _served(folder: str) -> ServedModel | None:
    try:
        return ServedModel.from_folder(folder)
    except InvalidName as error:
        log.warning("folder.misnamed folder=%s reason=%s", folder, error)
        return None


def _export(tree: pygit2.Tree, folder: Path) -> None:
    folder.mkdir(parents=True)
    for entry in tree:
        if isinstance(entry, pygit2.Tree):
            _export(entry, folder / str(entry.name))
        elif isinstance(entry, pygit2.Blob) and entry.filemode != pygit2.enums.FileMode.LINK:
            (folder / str(entry.name)).write_bytes(entry.data)
