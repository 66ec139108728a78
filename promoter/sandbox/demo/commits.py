"""The remote's commits as values: what each said about the release, and about which version it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pygit2

from promoter.documents.commit_message import read_trailers
from promoter.documents.release_file import parse_release
from promoter.domain.release import Release
from promoter.domain.version import ModelVersion
from promoter.sandbox.layout import BRANCH, SERVED

# Percentage of requests by version, without those that get none.
Split = Mapping[ModelVersion, int]


@dataclass(frozen=True, slots=True)
class RecordedCommit:
    """One commit. at: seconds since the epoch. action: its trailer, empty for a commit of a person."""

    revision: str
    at: float
    subject: str
    action: str
    release: Release

    @property
    def what(self) -> str:
        """The subject without the model's name, which is the same for all."""
        return self.subject.removeprefix(f"{SERVED.model}: {SERVED.environment}: ")


def split(release: Release) -> Split:
    """How a release divides the requests."""
    if release.stable is None:
        return {}
    weight = release.canary.weight if release.canary else 0
    shares = {release.stable.version: 100 - weight}
    if release.canary is not None:
        shares[release.canary.version] = weight
    return {version: share for version, share in shares.items() if share}


def by_version(commits: tuple[RecordedCommit, ...]) -> Mapping[ModelVersion, tuple[RecordedCommit, ...]]:
    """The commits of each version's course: those in which it is the canary, and the one in which it ceases to be.

    The course of one that fails its preflight is the one commit that says so. commits: the oldest first.
    """
    found: dict[ModelVersion, list[RecordedCommit]] = {}
    for before, commit in pairwise((None, *commits)):
        if commit is not None and (version := _subject(before, commit)) is not None:
            found.setdefault(version, []).append(commit)
    return {version: tuple(course) for version, course in found.items()}


def _subject(before: RecordedCommit | None, commit: RecordedCommit) -> ModelVersion | None:
    """The version that a commit is about."""
    earlier = before.release if before else Release()
    refused = [entry.version for entry in commit.release.rejected if earlier.rejection(entry.version) is None]
    if refused and earlier.canary is None:
        return refused[0]
    for release in (commit.release, earlier):
        if release.canary is not None:
            return release.canary.version
    stable = commit.release.stable
    return None if stable is None else stable.version


class CommitLog:
    """Looks at the branch of a bare repository, again and again."""

    def __init__(self, remote: Path) -> None:
        self._remote = remote
        self._head: pygit2.Oid | str | None = None
        self._commits: tuple[RecordedCommit, ...] = ()

    def look(self) -> tuple[RecordedCommit, ...]:
        """All commits so far, the oldest first. Raises InvalidDocument where somebody broke release.yaml."""
        # Opened anew each time: an open one does not see what others have packed since.
        repository = pygit2.Repository(self._remote)
        head = repository.references[f"refs/heads/{BRANCH}"].target
        if head != self._head:
            newest_first = repository.walk(head, pygit2.enums.SortMode.TOPOLOGICAL)
            self._commits = tuple(_recorded(commit) for commit in newest_first)[::-1]
            self._head = head
        return self._commits


def _recorded(commit: pygit2.Commit) -> RecordedCommit:
    content = commit.tree[SERVED.release_path].peel(pygit2.Blob).data
    records = read_trailers(commit.message)
    return RecordedCommit(
        revision=str(commit.id),
        at=float(commit.commit_time),
        subject=commit.message.partition("\n")[0],
        action=records[0].action if records else "",
        release=parse_release(content, SERVED.release_path),
    )
