"""What the history of the environment upstream says of the versions that matter downstream."""

from __future__ import annotations

from datetime import datetime

from promoter.control.past_releases import past_releases
from promoter.domain.names import ServedModel
from promoter.domain.policy import CandidateSource
from promoter.domain.release import Release
from promoter.domain.repository import Change, Revision
from promoter.domain.upstream import Upstream
from promoter.domain.version import StoredVersion
from promoter.ports import Repository


def upstream_of(
    repository: Repository, head: Revision, there: ServedModel, theirs: Release, *, root: CandidateSource, ours: Release
) -> Upstream:
    """What `there` serves by `theirs`, for whoever serves `ours` downstream. root: where all upstreams lead."""
    if root.store is None:
        raise AssertionError("every way ends at a store")
    canary, offered = ours.canary, theirs.stable
    made_stable = taken_back = None
    if canary is not None:
        taken_back = _taken_back(repository, head, there.release_path, canary.pin, canary.since)
    elif offered is not None and (ours.stable is None or offered.version > ours.stable.version):
        made_stable = _made_stable(repository, head, there.release_path, offered.pin)
    return Upstream(there, theirs, root.store, root.complete, made_stable, taken_back)


def _made_stable(repository: Repository, head: Revision, path: str, pin: StoredVersion) -> Change | None:
    """The commit since which `pin` is stable there."""
    found: Change | None = None
    for before, change in past_releases(repository, head, path):
        if _stable(before) != pin:
            break
        found = change
    return found


def _taken_back(
    repository: Repository, head: Revision, path: str, pin: StoredVersion, since: datetime
) -> Change | None:
    """The commit that ended the stable time of `pin` there, if it was stable at `since` or later."""
    after: Change | None = None
    for before, change in past_releases(repository, head, path):
        if _stable(before) == pin:
            # Rejected though it is stable still: by that very commit, as far as anybody cares.
            return after or (change if before.rejection(pin.version) else None)
        if change.at <= since:
            return None
        after = change
    return None


def _stable(release: Release) -> StoredVersion | None:
    return release.stable.pin if release.stable else None
