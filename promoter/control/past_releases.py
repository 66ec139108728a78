"""What a release.yaml said before, commit by commit."""

from __future__ import annotations

from collections.abc import Iterator

from promoter.documents.release_file import parse_release
from promoter.domain.release import Release
from promoter.domain.repository import Change, Revision
from promoter.errors import InvalidInput
from promoter.ports import Repository


def past_releases(repository: Repository, revision: Revision, path: str) -> Iterator[tuple[Release, Change]]:
    """Each release with the commit that made it so, newest first, up to one that does not parse.

    Raises InvalidName where there is no such file at `revision`.
    """
    change = repository.last_change(revision, path)
    while True:
        try:
            yield parse_release(repository.read(change.revision, path) or b"", path), change
        except InvalidInput:
            return
        if change.before is None:
            return
        change = repository.last_change(change.before, path)
