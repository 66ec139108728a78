"""What a release.yaml said before, commit by commit."""

from __future__ import annotations

from collections.abc import Iterator

from promoter.documents.release_file import parse_release
from promoter.domain.release import Release
from promoter.domain.repository import Change, Revision
from promoter.errors import InvalidInput
from promoter.ports import Repository


def release_at(repository: Repository, revision: Revision, path: str) -> Release:
    """What the file said at `revision`; an empty release where there was none. Raises InvalidDocument."""
    content = repository.read(revision, path)
    return Release() if content is None else parse_release(content, path)


def readable_release(repository: Repository, revision: Revision, path: str) -> Release | None:
    """The same; None where a person's file does not parse."""
    try:
        return release_at(repository, revision, path)
    except InvalidInput:
        return None


def changes(repository: Repository, revision: Revision, path: str) -> Iterator[tuple[Release | None, Change]]:
    """Each commit that changed the file, newest first, with the release that it made; None where that does not parse.

    Raises InvalidName where there is no such file at `revision`.
    """
    change = repository.last_change(revision, path)
    while True:
        yield readable_release(repository, change.revision, path), change
        if change.before is None:
            return
        change = repository.last_change(change.before, path)


def past_releases(repository: Repository, revision: Revision, path: str) -> Iterator[tuple[Release, Change]]:
    """The same, up to one that does not parse."""
    for release, change in changes(repository, revision, path):
        if release is None:
            return
        yield release, change
