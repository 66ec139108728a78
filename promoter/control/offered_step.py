"""A commit that was offered in a pull request, as the clone knows it, beside what is due now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from promoter.control.act import Draft
from promoter.control.past_releases import release_at
from promoter.decisions.steps import Step
from promoter.documents.release_file import parse_release
from promoter.documents.step_text import key_of
from promoter.domain.repository import Revision
from promoter.ports import Repository

# Guard, deadlines and evidence count from the commit's time, so an older one would take too much of them away.
OLD = timedelta(minutes=10)


def steps_of(repository: Repository, commit: Draft) -> dict[str, Step]:
    """What `commit` makes of each release, by its path. Raises InvalidDocument."""
    return {
        path: Step(release_at(repository, commit.parent, path), parse_release(content, path))
        for path, content in commit.files.items()
    }


def keys_of(repository: Repository, parent: Revision, steps: Mapping[str, Step]) -> dict[str, str]:
    """The names of steps on `parent`, by their paths."""
    return {path: key_of(path, repository.object_id(parent, path), step.deed) for path, step in steps.items()}


@dataclass(frozen=True, slots=True)
class OfferedStep:
    """A commit of ours that is not on the branch."""

    revision: Revision
    draft: Draft

    @classmethod
    def offered(cls, revision: Revision, draft: Draft) -> OfferedStep:
        """The one that was just made of `draft`, without the decisions behind it: another pass may merge it."""
        return cls(revision, replace(draft, decisions=()))

    @classmethod
    def found(cls, repository: Repository, revision: Revision | None) -> OfferedStep | None:
        """The one that `revision` is; None where the clone has no such commit of ours: then others made it."""
        if revision is None or not repository.contains(revision, revision):
            return None
        [made] = repository.log(revision, None, 1)
        if not made.ours or made.parent is None:
            return None
        parent = made.parent
        paths = [served.release_path for served in repository.inventory(revision).models]
        changed = [path for path in paths if repository.object_id(revision, path) != repository.object_id(parent, path)]
        files = {path: repository.read(revision, path) or b"" for path in changed}
        return cls(revision, Draft(parent, files, made.message, made.at))

    def stands(self, repository: Repository, wanted: Draft) -> bool:
        """Whether it may be merged, for all that is `wanted` now: it does part of that, and nothing else.

        All of it that takes requests back: what is due later does not wait behind what is open.
        """
        if self.draft.parent != wanted.parent or self.is_old(wanted.at) or not self.draft.files:
            return False
        ours, due = steps_of(repository, self.draft), steps_of(repository, wanted)
        left_out = (step for path, step in due.items() if path not in ours)
        if any(step.takes_back for step in left_out):
            return False
        return all(path in due and step.stands_for(due[path]) for path, step in ours.items())

    def is_old(self, now: datetime) -> bool:
        """Whether it has to be made anew, whatever it waits for."""
        return now - self.draft.at > OLD
