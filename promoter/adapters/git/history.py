"""Who changed what, and when, along first parents: a merge counts as one change, made by whoever merged.

A merge of a step of the promoter's that neither adds nor loses anything stands for that step, so that a forge
without fast-forwards leaves the same history. Everything is read from trees and signatures. Trailers are never an
input: anybody can write them. What tells a step from a question is read only from commits that are proven to be ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from itertools import islice

import pygit2

from promoter.adapters.git.text import printable, sentence
from promoter.adapters.git.trees import differences, entry_at
from promoter.documents.commit_message import is_step
from promoter.domain.repository import Change, Commit

# How many new commits are walked before an index is begun afresh instead of continued.
_NEWEST = 1000
_INDEXES = 4


class History:
    """The history of one clone. `is_ours` tells the promoter's commits from everybody else's."""

    def __init__(self, repository: pygit2.Repository, is_ours: Callable[[pygit2.Commit], bool]) -> None:
        self._repository = repository
        self._is_ours = is_ours
        self._indexes: dict[pygit2.Oid, _Index] = {}

    def last_change(self, head: pygit2.Commit, path: str) -> Change:
        """The last commit up to `head` that changed `path`, which exists there.

        at: for a step that was merged, when it was merged: before that nobody was served by it.
        """
        merged = self._repository[self._index(head).last_change(path)].peel(pygit2.Commit)
        commit = self.stood_for(merged)
        parent = commit.parents[0] if commit.parent_ids else None
        before = parent if parent is not None and entry_at(parent.tree, path) is not None else None
        return Change(
            revision=str(commit.id),
            at=_time(merged),
            author=_author(commit),
            ours=self._is_ours(commit),
            before=None if before is None else str(before.id),
        )

    def own_commits_since(self, head: pygit2.Commit, moment: datetime) -> int:
        """The promoter's commits after `moment`, among the newest 1 000 commits.

        People's clocks may be wrong, so only a commit of the promoter's own ends the count.
        """
        count = 0
        for found in islice(self._first_parents(head), _NEWEST):
            commit = self.stood_for(found)
            if not self._is_ours(commit):
                continue
            if _time(commit) <= moment:
                break
            count += 1
        return count

    def log(self, head: pygit2.Commit, folder: str | None, limit: int) -> tuple[Commit, ...]:
        """The newest commits, those that changed what is at `folder` where one is given."""
        commits: list[Commit] = []
        for commit in self._first_parents(head):
            if len(commits) >= limit:
                break
            if folder is None or self._changed(commit, folder):
                commits.append(self.commit(commit))
        return tuple(commits)

    def logs(self, head: pygit2.Commit, folders: Collection[str], limit: int) -> dict[str, tuple[Commit, ...]]:
        """As `log` for each folder, in one walk: each commit is compared with its parent once."""
        found: dict[str, list[Commit]] = {folder: [] for folder in folders}
        for commit in self._first_parents(head):
            before = commit.parents[0].tree if commit.parent_ids else None
            changed: set[str] = set()
            for difference in differences(self._repository, before, commit.tree):
                path = difference.path
                while path:
                    if path in found:
                        changed.add(path)
                    path = path.rpartition("/")[0]
            for folder in changed:
                if len(found[folder]) < limit:
                    found[folder].append(self.commit(commit))
        return {folder: tuple(commits) for folder, commits in found.items()}

    def stood_for(self, commit: pygit2.Commit) -> pygit2.Commit:
        """The step of ours that `commit` merges and nothing else; any other commit itself.

        Its first parent is the same commit either way.
        """
        if len(commit.parent_ids) != 2:
            return commit
        first, step = commit.parent_ids[0], commit.parents[1]
        if step.parent_ids != [first] or step.tree_id != commit.tree_id or not self._is_ours(step):
            return commit
        # A question that a person merged is theirs: it is an approval.
        return step if is_step(step.raw_message.decode(errors="replace")) else commit

    def commit(self, commit: pygit2.Commit) -> Commit:
        """One commit as a value, or the step that it stands for."""
        commit = self.stood_for(commit)
        return Commit(
            revision=str(commit.id),
            at=_time(commit),
            author=_author(commit),
            message=printable(commit.raw_message.decode(errors="replace")),
            ours=self._is_ours(commit),
            parent=str(commit.parent_ids[0]) if commit.parent_ids else None,
        )

    def _changed(self, commit: pygit2.Commit, path: str) -> bool:
        parent = commit.parents[0] if commit.parent_ids else None
        return entry_at(commit.tree, path) != (None if parent is None else entry_at(parent.tree, path))

    def _first_parents(self, head: pygit2.Commit) -> Iterator[pygit2.Commit]:
        commit = head
        while commit.parent_ids:
            yield commit
            commit = commit.parents[0]
        yield commit

    def _index(self, head: pygit2.Commit) -> _Index:
        """The index that begins at `head`, continued from an older one where they meet."""
        index = self._indexes.get(head.id)
        if index is None:
            index = _Index(self._repository, head)
            for _ in range(_NEWEST):
                if index.next is None or index.next.id in self._indexes:
                    break
                index.step()
            if index.next is not None and index.next.id in self._indexes:
                index.absorb(self._indexes[index.next.id])
            if len(self._indexes) >= _INDEXES:
                self._indexes.pop(next(iter(self._indexes)))
            self._indexes[head.id] = index
        return index


class _Index:
    """The last change of every path, as far as the first parents of `start` were walked.

    One walk serves all paths: each commit is compared with its parent once, not once for each model.
    """

    def __init__(self, repository: pygit2.Repository, start: pygit2.Commit) -> None:
        self._repository = repository
        self.next: pygit2.Commit | None = start
        self._changes: dict[str, pygit2.Oid] = {}

    def last_change(self, path: str) -> pygit2.Oid:
        """The commit that changed `path` last; walks on until it is found."""
        while path not in self._changes and self.next is not None:
            self.step()
        return self._changes[path]

    def step(self) -> None:
        """Take up the changes of one more commit."""
        commit = self.next
        if commit is None:
            return
        self.next = commit.parents[0] if commit.parent_ids else None
        before = None if self.next is None else self.next.tree
        for difference in differences(self._repository, before, commit.tree):
            path = difference.path
            while path:
                self._changes.setdefault(path, commit.id)
                path = path.rpartition("/")[0]

    def absorb(self, older: _Index) -> None:
        """Go on where `older`, which begins at our next commit, has got to."""
        self._changes = older._changes | self._changes
        self.next = older.next


def _time(commit: pygit2.Commit) -> datetime:
    return datetime.fromtimestamp(commit.commit_time, UTC)


def _author(commit: pygit2.Commit) -> str:
    return sentence(commit.author.raw_name.decode(errors="replace"))
