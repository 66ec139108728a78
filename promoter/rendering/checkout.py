"""A checkout of the environment repository, and what it was where a branch left another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from promoter.control.observe import CHART
from promoter.domain.names import ENVIRONMENTS, RELEASE_FILE, ServedModel
from promoter.errors import InvalidInput, InvalidName
from promoter.rendering.chart import rendered


class Checkout:
    """The files of a folder, as they lie there. Links are refused: a chart must not read what is outside."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> tuple[ServedModel, ...]:
        """Every folder with a release.yaml that can be a model's, in order."""
        found = []
        for path in sorted((self._root / ENVIRONMENTS).rglob(RELEASE_FILE)):
            with suppress(InvalidName):
                found.append(ServedModel.from_folder(path.parent.relative_to(self._root).as_posix()))
        return tuple(found)

    def inputs(self, served: ServedModel) -> dict[str, bytes]:
        """What the manifests of a model are made of, by path: equal inputs make equal manifests."""
        chart = (path for path in sorted((self._root / CHART).rglob("*")) if path.is_symlink() or path.is_file())
        paths = (self._root / served.values_path, self._root / served.release_path, *chart)
        return {path.relative_to(self._root).as_posix(): self._content(path) for path in paths}

    def manifests(self, served: ServedModel) -> dict[str, str]:
        """By template, as Argo CD would apply them. Raises InvalidInput."""
        files = [(path, self._content(self._root / path)) for path in (served.values_path, served.release_path)]
        for path in (self._root / CHART).rglob("*"):
            if path.is_symlink():
                raise InvalidInput(f"{path.relative_to(self._root)} is a link: put the file itself there")
        return rendered(self._root / CHART, files, served)

    def _content(self, path: Path) -> bytes:
        shown = path.relative_to(self._root)
        if path.is_symlink():
            raise InvalidInput(f"{shown} is a link: put the file itself there")
        try:
            return path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{shown} cannot be read ({error.strerror})") from error


@contextmanager
def merge_base(root: Path, reference: str) -> Iterator[Checkout]:
    """The environments and the chart as they were where HEAD left `reference`, in a folder that is deleted afterwards.

    Raises InvalidInput where `root` is in no repository, where there is no such commit, and where the two have nothing
    in common.
    """
    try:
        repository = pygit2.Repository(str(root))
        head = repository.revparse_single("HEAD").peel(pygit2.Commit)
        other = repository.revparse_single(reference).peel(pygit2.Commit)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise InvalidInput(
            f"{root} is in no Git repository that knows {reference}: fetch it first (a shallow clone has no history)"
        ) from error
    base = repository.merge_base(head.id, other.id)
    if base is None:
        raise InvalidInput(f"HEAD and {reference} have no commit in common: fetch the whole history")
    prefix = _prefix(repository, root)
    with tempfile.TemporaryDirectory(prefix="promoter-diff-") as folder:
        tree = repository[base].peel(pygit2.Tree)
        for part in (ENVIRONMENTS, CHART):
            with suppress(KeyError):
                _export(tree[f"{prefix}{part}"].peel(pygit2.Tree), Path(folder) / part)
        yield Checkout(Path(folder))


def _prefix(repository: pygit2.Repository, root: Path) -> str:
    """Where `root` is in its repository, with a slash at its end, empty for the top."""
    top = Path(repository.workdir or root).resolve()
    inside = root.resolve().relative_to(top).as_posix()
    return "" if inside == "." else f"{inside}/"


def _export(tree: pygit2.Tree, folder: Path) -> None:
    folder.mkdir(parents=True)
    for entry in tree:
        path = folder / str(entry.name)
        if isinstance(entry, pygit2.Tree):
            _export(entry, path)
        elif isinstance(entry, pygit2.Blob) and entry.filemode != FileMode.LINK:
            path.write_bytes(entry.data)
