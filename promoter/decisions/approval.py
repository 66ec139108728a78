"""Steps that wait for a person: the merge of a pull request is a mark in release.yaml, and nothing else counts.

Who merged, and what the forge says of it, is no input: whoever may change the branch may approve.
"""

from __future__ import annotations

from promoter.decisions.trial import Trial
from promoter.domain.action import Asked, Hold
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.policy import Approval
from promoter.domain.preflight import Preflight
from promoter.domain.version import ModelVersion, StoredVersion

# Branches of pull requests begin like this, and no other branch is touched.
BRANCHES = "promoter/"


def branch_of(served: ServedModel) -> str:
    """The branch of the one pull request that a model has in an environment."""
    return f"{BRANCHES}{served}"


def start_unapproved(seen: Observation, offered: StoredVersion, reason: str, replicas: int | None) -> Hold | None:
    """Why `offered` does not start for want of an approval; None where it has one, or needs none."""
    if seen.policy.approval.start is Approval.NONE or seen.release.approved == offered:
        return None
    preflight = seen.preflight if isinstance(seen.preflight, Preflight) else None
    asked = Asked(offered.version, offered.digest, starts=True, reason=reason, preflight=preflight, replicas=replicas)
    return Hold(_waiting(seen.served, f"{offered.version} waits for approval to start"), asked=asked)


def promotion_unapproved(trial: Trial, reason: str) -> Hold | None:
    """Why the canary does not get all requests for want of an approval; None where it has one, or needs none."""
    seen, canary = trial.seen, trial.canary
    if seen.policy.approval.promote is Approval.NONE or canary.approved:
        return None
    asked = Asked(canary.version, canary.digest, starts=False, reason=reason, replicas=trial.full)
    waiting = _waiting(seen.served, f"{canary.version} is proven enough, and waits for approval to be promoted")
    return Hold(waiting, trial.evidence, asked=asked)


def overtaken(seen: Observation, version: ModelVersion, *, starts: bool) -> str | None:
    """Why a pull request that asks for this is of no use any more, as a sentence; None while it may be.

    A pass that cannot see, is paused or frozen, or waits for something else overtakes nothing.
    """
    release = seen.release
    rejection = release.rejection(version)
    if rejection is not None:
        return f"Version {version} was rejected: {rejection.reason}"
    canary = release.canary
    # A canary below stable is one that a person wants back.
    on_trial = not starts and canary is not None and canary.version == version
    if release.stable is not None and release.stable.version >= version and not on_trial:
        served = "is stable" if release.stable.version == version else f"is older than stable, {release.stable.version}"
        return f"Version {version} {served}."
    if starts:
        if canary is not None:
            began = "has started" if canary.version == version else f"waits: the rollout of {canary.version} has begun"
            return f"Version {version} {began}."
        agreed = release.approved is not None and release.approved.version == version
        needless = seen.policy.approval.start is Approval.NONE
        return "It was approved in another way." if agreed else _NO_LONGER_ASKED if needless else None
    if canary is None or canary.version != version:
        return f"Version {version} is not the canary any more."
    if canary.approved:
        return "It was approved in another way."
    return _NO_LONGER_ASKED if seen.policy.approval.promote is Approval.NONE else None


_NO_LONGER_ASKED = "The policy asks for no approval any more."


def _waiting(served: ServedModel, what: str) -> str:
    return f"{what}: merge the pull request from {branch_of(served)}"
