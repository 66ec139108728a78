"""What an action makes of a release."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from promoter.domain.action import Action, Hold, Promote, Reject, Revert, SetWeight, StartCanary, Withdraw, Withhold
from promoter.domain.release import Canary, Promotion, Rejection, Release, Stable
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
            sought = release.sought if release.sought and release.sought.version != action.version else None
            stable = Stable(action.version, action.digest)
            return Release(stable, canary=None, rejected=later, start=sought, paused=release.paused)
        case Reject():
            return _unapproved(_rejecting(release, action.version, action.reason), action.version)
        case Withhold():
            return _withheld(release, action)
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
    for entry in action.left:
        release = _rejecting(release, entry.version, entry.reason)
    promote = Promotion.BACK if action.back else None
    return replace(
        release,
        stable=replace(release.stable, replicas=action.stable_replicas) if release.stable else None,
        canary=Canary(action.version, action.digest, weight=0, replicas=action.replicas, since=now, promote=promote),
        approved=None,
        start=None,
    )


def _withheld(release: Release, action: Withhold) -> Release:
    for version in sorted(action.versions):
        if release.stable is None or version > release.stable.version:
            release = _rejecting(release, version, action.reason)
        release = _unapproved(release, version)
    return release


def _unapproved(release: Release, version: ModelVersion) -> Release:
    """Without what a person agreed to, or asked for, before it was known that `version` is bad."""
    if release.approved is not None and release.approved.version == version:
        release = replace(release, approved=None)
    if release.start is not None and release.start.version == version:
        release = replace(release, start=None)
    return release


def _reverted(release: Release, action: Revert) -> Release:
    """Weight 0 and rejected first; the pods go in a commit of their own, once the route is live."""
    canary = _canary(release)
    if canary.weight > 0 or release.rejection(action.version) is None:
        return _rejecting(
            replace(release, canary=replace(canary, weight=0, promote=None)), action.version, action.reason
        )
    stable = replace(release.stable, replicas=None) if release.stable else None
    # Who wanted to leave stable for this canary stays with it.
    rejected = tuple(entry for entry in release.rejected if stable is None or entry.version != stable.version)
    return Release(stable, canary=None, rejected=rejected, start=release.start, paused=release.paused)


def _rejecting(release: Release, version: ModelVersion, reason: str) -> Release:
    if release.rejection(version) is not None:
        return release
    rejected = sorted((*release.rejected, Rejection(version, reason)), key=lambda entry: entry.version)
    return replace(release, rejected=tuple(rejected))


def _canary(release: Release) -> Canary:
    if release.canary is None:
        raise AssertionError("the action is about a canary, and there is none")
    return release.canary
