"""Which version is next, if any."""

from __future__ import annotations

from promoter.domain.observation import Withheld
from promoter.domain.release import Release
from promoter.domain.version import Listing, ModelVersion, StoredVersion


def candidate(release: Release, listing: Listing, withheld: Withheld | None) -> StoredVersion | None:
    """The newest complete version above stable that was neither rejected nor taken out of service by a person."""
    floor = release.stable.version if release.stable else None
    for stored in reversed(listing.complete):
        if floor is not None and stored.version <= floor:
            return None
        if release.rejection(stored.version) is None and not (withheld and stored.version in withheld.versions):
            return stored
    return None


def withheld_by(before: Release, after: Release) -> frozenset[ModelVersion]:
    """The versions that an edit from `before` to `after` took out of service."""
    return frozenset({pin.version for pin in before.pinned} - {pin.version for pin in after.pinned})
