"""What a person's edit of release.yaml makes the promoter do: write it down, so that it lasts."""

from __future__ import annotations

from promoter.domain.action import Withhold
from promoter.domain.observation import Observation


def withheld(seen: Observation) -> Withhold | None:
    """Reject what a person took out of service and what could be offered again; None where there is nothing of it.

    Versions at or below stable cannot be offered, so they need no entry: all but one that is marked to come back, as
    after a `git revert` of the commit that started it. The mark goes.
    """
    found, stable = seen.withheld, seen.release.stable
    if found is None:
        return None
    sought = seen.release.sought
    versions = frozenset(
        version
        for version in found.versions
        if seen.release.rejection(version) is None
        and (stable is None or version > stable.version or (sought is not None and version == sought.version))
    )
    if not versions:
        return None
    change = found.change
    reason = f"{change.author} took it out of service in commit {change.revision[:12]}"
    return Withhold(max(versions), versions, reason)
