"""What the latest changes of a release.yaml tell: since when the weight is what it is, and what people took away.

A pause says nothing of versions, whoever wrote it down: no clock begins anew by it, and no edit of people's is hidden.
"""

from __future__ import annotations

from dataclasses import replace

from promoter.control.past_releases import readable_release
from promoter.decisions.candidate import withheld_by
from promoter.documents.verb_message import is_a_persons_word
from promoter.domain.names import ServedModel
from promoter.domain.observation import Withheld
from promoter.domain.release import Release
from promoter.domain.repository import Change, Revision
from promoter.domain.version import ModelVersion
from promoter.ports import Repository

# People's edits in a row that are read back, at most.
_MOST_EDITS = 20

# A file without this word states no pause, and need not be parsed to know it.
_WORD = b"paused"


def last_change(repository: Repository, revision: Revision, served: ServedModel) -> Change:
    """The last commit that changed more in release.yaml than a pause. Raises InvalidName where there is none."""
    path = served.release_path
    changed = repository.last_change(revision, path)
    while changed.before is not None and _only_paused(repository, changed.before, changed.revision, path):
        changed = repository.last_change(changed.before, path)
    return changed


def change_of_weight(repository: Repository, served: ServedModel, release: Release, changed: Change) -> Change:
    """The commit that made the canary's weight what it is: those that changed only pods are passed over.

    changed: the commit that made `release`.
    """
    path = served.release_path
    while changed.before is not None:
        before = readable_release(repository, changed.before, path)
        if before is None or _weights(before) != _weights(release):
            break
        changed = repository.last_change(changed.before, path)
    return changed


def taken_out_of_service(
    repository: Repository, served: ServedModel, release: Release, changed: Change
) -> Withheld | None:
    """What people's edits since the promoter's last decision took out of service, and did not offer again.

    What it did in somebody's name is no decision: the edit before it has had no answer yet. A file that did not parse
    in between says nothing. changed: the commit that made `release`.
    """
    offered_again: set[ModelVersion] = set()
    versions: frozenset[ModelVersion] = frozenset()
    taken: Change | None = None
    for _ in range(_MOST_EDITS):
        if changed.before is None or _is_a_decision(repository, changed):
            break
        before = readable_release(repository, changed.before, served.release_path)
        if before is not None:
            found = withheld_by(before, release) - offered_again - versions
            if found:
                versions, taken = versions | found, taken or changed
            # Who takes a rejection away wants the version offered, whatever was done to it before.
            offered_again |= {entry.version for entry in before.rejected if release.rejection(entry.version) is None}
        changed = last_change(repository, changed.before, served)
    return Withheld(versions, taken) if taken else None


def _is_a_decision(repository: Repository, changed: Change) -> bool:
    if not changed.ours:
        return False
    [commit] = repository.log(changed.revision, None, 1)
    return not is_a_persons_word(commit.message)


def _only_paused(repository: Repository, before: Revision, after: Revision, path: str) -> bool:
    """Whether a commit states another pause, or none any more, and the same of everything else."""
    if not any(_WORD in (repository.read(revision, path) or b"") for revision in (before, after)):
        return False
    then, now = readable_release(repository, before, path), readable_release(repository, after, path)
    if then is None or now is None or then.paused == now.paused:
        return False
    return replace(then, paused=None) == replace(now, paused=None)


def _weights(release: Release) -> tuple[ModelVersion, int] | None:
    return (release.canary.version, release.canary.weight) if release.canary else None
