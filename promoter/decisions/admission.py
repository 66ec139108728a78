"""Whether a version may serve at all: by its preflight, and by nothing that a policy says."""

from __future__ import annotations

from promoter.domain.action import Action, Hold, Reject
from promoter.domain.observation import Observation
from promoter.domain.preflight import CheckName, Pending, Preflight, Waived
from promoter.domain.version import StoredVersion


def admitted(seen: Observation, offered: StoredVersion) -> Preflight | Action | None:
    """The preflight that `offered` passed, None where none is asked for, or what is done instead of a start."""
    match seen.preflight:
        case Waived():
            return None
        case Pending(reason, alarm):
            return Hold(f"{offered.version} waits for its preflight: {reason}", alarm=alarm)
        case Preflight() as found:
            return _judged(found, seen, offered)


def _judged(found: Preflight, seen: Observation, offered: StoredVersion) -> Preflight | Action:
    stable = seen.release.stable
    compared = found.stable.digest if found.stable else None
    if found.candidate.digest != str(offered.digest) or compared != (str(stable.digest) if stable else None):
        return Hold(f"the preflight of {offered.version} is about other files than those that are pinned", alarm=True)
    failure = found.first_failure
    if failure is None:
        return found
    reason = f"{failure.name}: {failure.reason}"
    if failure.name is CheckName.STABLE:
        # It says nothing of the candidate.
        return Hold(f"{offered.version} cannot be compared with what is served: {reason}", alarm=True)
    return Reject(offered.version, f"its preflight failed: {reason}", found)
