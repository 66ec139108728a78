"""What the history of release.yaml tells of a version that was stable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

from promoter.control.past_releases import changes
from promoter.domain.names import ServedModel
from promoter.domain.observation import Sought
from promoter.domain.release import Rejection, Release
from promoter.domain.repository import Change, Revision
from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.ports import Repository

# Changes of the file that are read back, at most.
MOST_CHANGES = 1000


@dataclass(frozen=True, slots=True)
class WasStable:
    """The last time a version was stable: by which files, and the commit that ended it."""

    digest: Digest
    ended: Change


@dataclass(slots=True)
class _Passed:
    """Versions that were rejected or served since, as `Sought` has them, and the pods that they needed."""

    entries: dict[ModelVersion, Rejection] = field(default_factory=dict)
    pods: int = 0

    def note(self, release: Release) -> None:
        for entry in release.rejected:
            known = self.entries.get(entry.version)
            if known is None or not known.reason:
                self.entries[entry.version] = entry
        for pin in release.pinned:
            self.entries.setdefault(pin.version, Rejection(pin.version, ""))
        if release.stable is not None:
            self.pods = max(self.pods, release.stable.replicas or 0)


def last_stable(repository: Repository, served: ServedModel, head: Revision, version: ModelVersion) -> WasStable | None:
    """When `version` was stable last, before now; None where it was not, in the last `MOST_CHANGES` changes."""
    for change, before in _backwards(repository, served, head):
        if before is not None and before.stable is not None and before.stable.version == version:
            return WasStable(before.stable.digest, change)
    return None


def lately_stable(repository: Repository, served: ServedModel, head: Revision, most: int) -> tuple[ModelVersion, ...]:
    """The versions that were stable, the newest time first, `most` at most."""
    found: dict[ModelVersion, None] = {}
    for _, before in _backwards(repository, served, head):
        if before is not None and before.stable is not None:
            found[before.stable.version] = None
        if len(found) >= most:
            break
    return tuple(found)


def looked_for(
    repository: Repository, served: ServedModel, head: Revision, release: Release, sought: StoredVersion
) -> Sought:
    """What is known of `sought`, which `release`, that of `head`, says a person wants back."""
    said: Change | None = None
    passed = _Passed()
    passed.note(release)
    for change, before in _backwards(repository, served, head):
        if said is None and (before is None or before.start != sought):
            said = change
        if before is None:
            continue
        # What it was stable beside counts as well: a promotion takes those rejections away, and the floor.
        passed.note(before)
        stable = before.stable
        if stable is not None and (stable.version, stable.digest) == (sought.version, sought.digest) and said:
            return Sought(said, change.at, tuple(passed.entries.values()), passed.pods)
    said = said or repository.last_change(head, served.release_path)
    return Sought(said, None, tuple(passed.entries.values()), passed.pods)


def _backwards(repository: Repository, served: ServedModel, head: Revision) -> Iterator[tuple[Change, Release | None]]:
    """Each change of release.yaml, newest first, with the release before it; None where that did not parse."""
    known = islice(changes(repository, head, served.release_path), MOST_CHANGES + 1)
    for (_, change), (before, _) in pairwise(known):
        yield change, before
