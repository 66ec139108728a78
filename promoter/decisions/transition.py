"""What an action makes of a release."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from promoter.domain.action import Action, Hold, Promote, Reject, Revert, SetWeight, StartCanary, Withdraw, Withhold
from promoter.domain.release import Canary, Rejection, Release, Stable
from promoter.domain.version import ModelVersion


def released(release: Release, action: Action, now: datetime) -> Release:
    """The release after `action`; the same one for Hold. `now` is the time of the pass."""
    match action:
        case StartCanary():
            return _started(release, action, now)
        case SetWeight():
            canary = _canary(release)
            raised = replace(canary, weight=action.weight, replicas=action.replicas, withdrawn=None)
            return replace(release, canary=raised)
        case Promote():
            later = tuple(entry for entry in release.rejected if entry.version > action.version)
            return Release(stable=Stable(action.version, action.digest), canary=None, rejected=later)
        case Reject():
            return _unapproved(_rejecting(release, action.version, action.reason), action.version)
        case Withhold():
            for version in sorted(action.versions):
                release = _unapproved(_rejecting(release, version, action.reason), version)
            return release
        case Revert():
            return _reverted(release, action)
        case Withdraw():
            canary = _canary(release)
            taken_back = replace(
                canary, weight=0, withdrawn=action.reason, withdrawals=canary.withdrawals + 1, promote=None
            )
            return replace(release, canary=taken_back)
        case Hold():
            return release


def _started(release: Release, action: StartCanary, now: datetime) -> Release:
    if release.stable is None:
        raise AssertionError("a canary needs a stable version to be compared with")
    return replace(
        release,
        stable=replace(release.stable, replicas=action.stable_replicas),
        canary=Canary(action.version, action.digest, weight=0, replicas=action.replicas, since=now),
        approved=None,
    )


def _unapproved(release: Release, version: ModelVersion) -> Release:
    """Without what a person agreed to before it was known that `version` is bad."""
    approved = release.approved
    return replace(release, approved=None) if approved is not None and approved.version == version else release


def _reverted(release: Release, action: Revert) -> Release:
    """Weight 0 and rejected first; the pods go in a commit of their own, once the route is live."""
    canary = _canary(release)
    if canary.weight > 0 or release.rejection(action.version) is None:
        return _rejecting(
            replace(release, canary=replace(canary, weight=0, promote=None)), action.version, action.reason
        )
    stable = replace(release.stable, replicas=None) if release.stable else None
    return Release(stable=stable, canary=None, rejected=release.rejected)


def _rejecting(release: Release, version: ModelVersion, reason: str) -> Release:
    if release.rejection(version) is not None:
        return release
    rejected = sorted((*release.rejected, Rejection(version, reason)), key=lambda entry: entry.version)
    return replace(release, rejected=tuple(rejected))


def _canary(release: Release) -> Canary:
    if release.canary is None:
        raise AssertionError("the action is about a canary, and there is none")
    return release.canary
