"""Git trees: what is at a path, a tree with other files, what two trees differ in, where models are.

Everything goes by the entries' modes. No link is ever followed, because nothing is ever checked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from promoter.domain.names import RELEASE_FILE

REGULAR = (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)
_KINDS: dict[int, str] = {
    FileMode.LINK: "a symbolic link",
    FileMode.COMMIT: "a submodule",
    FileMode.TREE: "a folder",
    FileMode.BLOB: "a file",
    FileMode.BLOB_EXECUTABLE: "a file",
}
# Below `environments`: environment, group, model, and one level more, to report what lies too deep.
_DEEPEST = 4
_MOST_REMEMBERED = 100_000
# Pro Git, "Git Objects": mode, space, name, NUL, 20 bytes of id.
_RAW_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_TYPE_BITS, _REGULAR_TYPE, _OWNER_EXECUTES = 0o170000, 0o100000, 0o100


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree says of one name."""

    id: pygit2.Oid
    mode: int

    @property
    def kind(self) -> str:
        return _KINDS.get(self.mode, "an unknown kind of entry")


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that two trees disagree on; None where a tree has nothing there."""

    path: str
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class Found:
    """A folder that holds a release file, from where the search began; `problem`: why it cannot be a model's."""

    folder: str
    problem: str | None = None


def entry_at(tree: pygit2.Tree, path: str) -> Entry | None:
    """The entry at `path`, which may be a folder's; None where there is nothing."""
    try:
        found = tree[path]
    except KeyError:
        return None
    return _entry(found)


def tree_with(repository: pygit2.Repository, tree: pygit2.Tree | None, files: Mapping[str, bytes]) -> pygit2.Oid:
    """The id of `tree` with the content of `files` at their paths; new objects are written to `repository`."""
    builder = repository.TreeBuilder() if tree is None else repository.TreeBuilder(tree)
    deeper: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            deeper.setdefault(name, {})[rest] = content
            continue
        old = None if tree is None else entry_at(tree, name)
        mode = old.mode if old is not None and old.mode in REGULAR else FileMode.BLOB
        builder.insert(name, repository.create_blob(content), mode)
    for name, inner in deeper.items():
        below = tree[name] if tree is not None and name in tree else None
        subtree = below if isinstance(below, pygit2.Tree) else None
        builder.insert(name, tree_with(repository, subtree, inner), FileMode.TREE)
    return builder.write()


def differences(
    repository: pygit2.Repository, old: pygit2.Tree | None, new: pygit2.Tree | None, folder: str = ""
) -> Iterator[Difference]:
    """Every path whose id or mode differs. Folders are entered; an empty one that appears or goes is reported.

    Equal subtrees are not entered (libgit2's own difference reads them all), so this costs what changed.
    """
    for name, was, now in _changed(old, new):
        path = f"{folder}{name}"
        was_tree, now_tree = _subtree(repository, was), _subtree(repository, now)
        inside = list(differences(repository, was_tree, now_tree, f"{path}/"))
        yield from inside
        was_file = was if was_tree is None else None
        now_file = now if now_tree is None else None
        if was_file is not None or now_file is not None:
            yield Difference(path, was_file, now_file)
        elif not inside:
            yield Difference(path, was, now)


def new_objects(repository: pygit2.Repository, old: pygit2.Tree | None, new: pygit2.Tree) -> Iterator[pygit2.Oid]:
    """The blobs and trees of `new` that `old` has not got in the same place, each after what it holds."""
    for _, was, now in _changed(old, new):
        if now is None or now.mode == FileMode.COMMIT:
            continue
        now_tree = _subtree(repository, now)
        if now_tree is None:
            yield now.id
        else:
            yield from new_objects(repository, _subtree(repository, was), now_tree)
    yield new.id


class FolderSearch:
    """Finds the folders that hold a release file; remembers every subtree, so that only changed ones are read."""

    def __init__(self) -> None:
        self._known: dict[tuple[pygit2.Oid, int], tuple[Found, ...]] = {}

    def below(self, tree: pygit2.Tree) -> tuple[Found, ...]:
        """What `environments` holds, in order of names."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        return self._search(tree, 0)

    def _search(self, tree: pygit2.Tree, depth: int) -> tuple[Found, ...]:
        key = (tree.id, depth)
        if key not in self._known:
            self._known[key] = tuple(self._visit(tree, depth))
        return self._known[key]

    def _visit(self, tree: pygit2.Tree, depth: int) -> Iterator[Found]:
        release = entry_at(tree, RELEASE_FILE)
        if release is not None:
            yield Found("", None if release.mode in REGULAR else f"its {RELEASE_FILE} is {release.kind}")
        for child in tree:
            name = _name(child)
            if isinstance(child, pygit2.Tree):
                inside = self._search(child, depth + 1) if depth < _DEEPEST else ()
                for found in inside:
                    problem = found.problem if release is None else "it lies inside a model's folder"
                    yield Found(f"{name}/{found.folder}".removesuffix("/"), problem)
            elif release is None and child.filemode in (FileMode.LINK, FileMode.COMMIT):
                yield Found(name, f"it is {_entry(child).kind}, which is never followed")


def _changed(old: pygit2.Tree | None, new: pygit2.Tree | None) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """The names on which two trees disagree, in order, and what each says of them."""
    before, after = _raw_entries(old), _raw_entries(new)
    was = {name: _parsed(mode, oid) for mode, name, oid in before - after}
    now = {name: _parsed(mode, oid) for mode, name, oid in after - before}
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield name.decode(errors="backslashreplace"), was.get(name), now.get(name)


def _raw_entries(tree: pygit2.Tree | None) -> set[tuple[bytes, bytes, bytes]]:
    """Mode, name and id as Git stores them: in wide folders ten times faster than one object for each."""
    return set() if tree is None else set(_RAW_ENTRY.findall(tree.read_raw()))


def _parsed(mode: bytes, oid: bytes) -> Entry:
    number = int(mode, 8)
    if number & _TYPE_BITS == _REGULAR_TYPE:
        # Old versions of Git stored other permissions than these two.
        number = FileMode.BLOB_EXECUTABLE if number & _OWNER_EXECUTES else FileMode.BLOB
    return Entry(pygit2.Oid(raw=oid), int(number))


def _entry(found: pygit2.Object) -> Entry:
    mode = found.filemode
    return Entry(found.id, 0 if mode is None else int(mode))


def _name(found: pygit2.Object) -> str:
    raw = found.raw_name
    return "" if raw is None else raw.decode(errors="backslashreplace")


def _subtree(repository: pygit2.Repository, entry: Entry | None) -> pygit2.Tree | None:
    if entry is None or entry.mode != FileMode.TREE:
        return None
    found = repository[entry.id]
    return found if isinstance(found, pygit2.Tree) else None
