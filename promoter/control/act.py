"""Actions to one commit: file texts, the message, the push; and the same on a newer head."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promoter.decisions.start import outlook
from promoter.decisions.transition import released
from promoter.documents.commit_message import Decision, write_message
from promoter.documents.release_file import write_release
from promoter.domain.action import Action, StartCanary
from promoter.domain.names import FREEZE_PATH
from promoter.domain.observation import Observation
from promoter.domain.repository import Revision
from promoter.ports import Repository


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit that is not pushed yet. `files`: new content by path.

    decisions: of a pass, one for each file; none behind a person's word.
    """

    parent: Revision
    files: dict[str, bytes]
    message: str
    at: datetime
    decisions: tuple[Decision, ...] = ()

    def only(self, paths: Collection[str]) -> Draft | None:
        """The part that changes `paths`, None for nothing. What has no decisions behind it has no parts."""
        kept = {path: content for path, content in self.files.items() if path in paths}
        if len(kept) == len(self.files):
            return self
        decisions = tuple(decision for decision in self.decisions if decision.served.release_path in paths)
        return replace(self, files=kept, message=write_message(decisions), decisions=decisions) if decisions else None


def draft(
    repository: Repository, decided: Sequence[tuple[Observation, Action]], head: Revision, now: datetime
) -> Draft | None:
    """One commit for all that is due, in the order of the models; None where nothing changes a file.

    Its dates are those of the pass, so the same pass builds the same commit.
    """
    files: dict[str, bytes] = {}
    decisions = []
    for seen, action in sorted(decided, key=lambda pair: pair[0].served.folder):
        after = released(seen.release, action, now)
        if after == seen.release:
            continue
        path = seen.served.release_path
        before = repository.read(head, path) or b""
        files[path] = write_release(before.decode(), after, path).encode()
        told = outlook(seen, action.stable_replicas) if isinstance(action, StartCanary) and not action.back else ""
        decisions.append(Decision(seen.served, action, seen.release, after, seen.changed.revision, told))
    if not files:
        return None
    return Draft(head, files, write_message(decisions), now, tuple(decisions))


@dataclass(frozen=True, slots=True)
class Pushed:
    """A commit that is on the remote. `draft`: what it was made of, which may be less than its pass decided."""

    revision: Revision
    draft: Draft


def publish(repository: Repository, commit: Draft) -> Pushed:
    """Push by compare-and-swap. Raises what Repository.publish raises."""
    return Pushed(repository.publish(commit.parent, commit.files, commit.message, commit.at), commit)


def renewed(
    repository: Repository, decided: Sequence[tuple[Observation, Action]], head: Revision, now: datetime
) -> Draft | None:
    """The commit for `decided` on the remote's newer head; None where nothing of it can be taken there.

    A decision made at `head` is, as long as the files that it rests on are what they were. Raises
    RepositoryUnavailable.
    """
    newer = repository.fetch()
    # After a rewind, the commits that the message names may be gone.
    if not repository.contains(newer, head):
        return None
    kept = [
        (seen, action)
        for seen, action in decided
        if all(
            repository.object_id(newer, path) == repository.object_id(head, path)
            for path in (seen.served.folder, FREEZE_PATH)
        )
    ]
    return draft(repository, kept, newer, now)
