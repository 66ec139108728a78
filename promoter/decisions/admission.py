"""Whether a version may serve at all: by its preflight, and by nothing that a policy says."""

from __future__ import annotations

from promoter.domain.action import Action, Hold, Reject
from promoter.domain.observation import Observation
from promoter.domain.preflight import CheckName, Pending, Preflight, Waived
from promoter.domain.version import StoredVersion


def not_admitted(seen: Observation, offered: StoredVersion) -> Action | None:
    """What is done instead of a start, None where `offered` passed its preflight or needs none."""
    match seen.preflight:
        case Waived():
            return None
        case Pending(reason, alarm):
            return Hold(f"{offered.version} waits for its preflight: {reason}", alarm=alarm)
        case Preflight() as found:
            return _failed(found, seen, offered)


def _failed(found: Preflight, seen: Observation, offered: StoredVersion) -> Action | None:
    stable = seen.release.stable
    compared = found.stable.digest if found.stable else None
    if found.candidate.digest != str(offered.digest) or compared != (str(stable.digest) if stable else None):
        return Hold(f"the preflight of {offered.version} is about other files than those that are pinned", alarm=True)
    failure = found.first_failure
    if failure is None:
        return None
    reason = f"{failure.name}: {failure.reason}"
    if failure.name is CheckName.STABLE:
        # It says nothing of the candidate.
        return Hold(f"{offered.version} cannot be compared with what is served: {reason}", alarm=True)
    return Reject(offered.version, f"its preflight failed: {reason}", found)


def passed(seen: Observation) -> Preflight | None:
    """The preflight of the version that is offered, where it is not `not_admitted`; None where it needs none."""
    return seen.preflight if isinstance(seen.preflight, Preflight) else None
