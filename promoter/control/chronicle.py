"""A model's history, read from Git alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from promoter.control.past_releases import release_at
from promoter.decisions.past_rollouts import chapters
from promoter.documents.story import withholds
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import Chapter, Step
from promoter.domain.release import Release
from promoter.domain.repository import Commit, Revision
from promoter.errors import InvalidDocument
from promoter.ports import Repository

# More commits than this in one model's folder are not read: a rollout takes some ten.
MOST_COMMITS = 10_000


def chronicle(repository: Repository, head: Revision, served: ServedModel) -> tuple[Chapter, ...]:
    """What became of each version, and what people changed between rollouts, the oldest first.

    Of a folder with more than 10 000 commits only the newest are told.
    """
    return chapters(_steps(repository, served, repository.log(head, served.folder, MOST_COMMITS)))


def chronicles(
    repository: Repository, head: Revision, models: Iterable[ServedModel]
) -> Iterator[tuple[ServedModel, tuple[Chapter, ...]]]:
    """The same of many models, with one walk through the history."""
    by_folder = {served.folder: served for served in models}
    for folder, log in repository.logs(head, by_folder.keys(), MOST_COMMITS).items():
        yield by_folder[folder], chapters(_steps(repository, by_folder[folder], log))


def _steps(repository: Repository, served: ServedModel, newest_first: Sequence[Commit]) -> Iterator[Step]:
    log = newest_first[::-1]
    parent = log[0].parent if log else None
    before = Release() if parent is None else _release(repository, parent, served, Release())[0]
    for commit in log:
        after, problem = _release(repository, commit.revision, served, before)
        # Most commits reject nothing, and their messages need not be read for this.
        withheld = after.rejected != before.rejected and withholds(commit, served)
        yield Step(commit, before, after, problem, withheld)
        before = after


def _release(
    repository: Repository, revision: Revision, served: ServedModel, otherwise: Release
) -> tuple[Release, str | None]:
    """The release of that revision; `otherwise`, and why, where a person's file does not parse."""
    try:
        return release_at(repository, revision, served.release_path), None
    except InvalidDocument as error:
        return otherwise, str(error)
