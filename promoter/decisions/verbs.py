"""What a person's word makes of a release. It needs no evidence, and goes by the same transitions as the promoter's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from promoter.decisions.transition import released
from promoter.domain.action import Revert, Withdraw
from promoter.domain.policy import Approval
from promoter.domain.release import Canary, Pause, Promotion, Release
from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.errors import InvalidInput


def reverted(release: Release, reason: str, now: datetime) -> Release:
    """Weight 0 and rejected. Raises InvalidInput where there is no canary, or it is rejected already."""
    canary = _canary(release)
    if release.rejection(canary.version) is not None and canary.weight == 0:
        raise InvalidInput(f"canary {canary.version} is reverted already; its pods go once weight 0 is live")
    return released(release, Revert(canary.version, reason), now)


def withdrawn(release: Release, reason: str, now: datetime) -> Release:
    """Weight 0, and it may start again. Raises InvalidInput where there is nothing to take back."""
    canary = _canary(release)
    if canary.weight == 0:
        already = "is withdrawn already" if canary.withdrawn else "gets no requests yet"
        raise InvalidInput(
            f"canary {canary.version} {already}: `promoter freeze` or `promoter pause` keeps it from starting"
        )
    return released(release, Withdraw(canary.version, reason), now)


def retried(release: Release, version: ModelVersion) -> Release:
    """Without the rejection of `version`. Raises InvalidInput where that is none, or would come too early."""
    if release.rejection(version) is None:
        others = ", ".join(str(entry.version) for entry in release.rejected)
        raise InvalidInput(f"{version} is not rejected{f'; {others} is' if others else ', and no other version is'}")
    if release.canary is not None and release.canary.version == version:
        # Its evidence still counts as long as its rollout has not ended, and would revert it again at once.
        raise InvalidInput(f"canary {version} is being taken away: say it again once its pods are gone")
    return replace(release, rejected=tuple(entry for entry in release.rejected if entry.version != version))


def rolled_back(release: Release, to: StoredVersion) -> Release:
    """With the mark that `to` is to come back. Raises InvalidInput where that is not possible, or is so already."""
    canary, version = release.canary, to.version
    if release.stable is None:
        raise InvalidInput("nothing is served yet, so there is nothing to leave")
    if release.stable.version == version:
        raise InvalidInput(f"{version} is stable")
    if canary is not None and canary.version == version:
        raise InvalidInput(f"{version} is the canary at {canary.weight} %: `promoter status` says what it waits for")
    if canary is not None:
        raise InvalidInput(
            f"canary {canary.version} is in the way: `promoter revert` takes it away, then say it again. Where "
            f"{version} is what it is to replace, that is all it takes"
        )
    rejection = release.rejection(version)
    if rejection is not None:
        raise InvalidInput(f"{version} is rejected ({rejection.reason}): `promoter retry` offers it again")
    if release.start == to:
        raise InvalidInput(f"{version} is on its way back already: `promoter status` says what it waits for")
    return replace(release, start=to)


def promoted_in_full(release: Release) -> Release:
    """With a person's word in place of the proof that is lacking. Raises InvalidInput where it would change nothing."""
    canary = _canary(release)
    if release.rejection(canary.version) is not None:
        raise InvalidInput(f"canary {canary.version} is rejected and on its way out: its pods go once weight 0 is live")
    if canary.withdrawn:
        # What was withdrawn comes back by its own pause, so that nobody promotes what nobody can see.
        raise InvalidInput(
            f"canary {canary.version} is withdrawn ({canary.withdrawn}): say it again once it has requests"
        )
    if canary.weight == 100:
        raise InvalidInput(
            f"all requests go to {canary.version} already: it is stable once the guard is over, which nothing skips"
        )
    if canary.promote is Promotion.BACK:
        raise InvalidInput(
            f"canary {canary.version} was stable lately and gets all requests as soon as its pods are Ready"
        )
    if canary.promote is Promotion.FULL:
        raise InvalidInput(
            f"canary {canary.version} is to be promoted in full already: `promoter status` says its step"
        )
    return replace(release, canary=replace(canary, promote=Promotion.FULL))


def promotion_approved(release: Release, asked: Approval) -> Release:
    """With a person's approval beside the evidence, which is asked for all the same. asked: by the policy.

    Raises InvalidInput where it would change nothing.
    """
    canary = _canary(release)
    if release.rejection(canary.version) is not None:
        raise InvalidInput(f"canary {canary.version} is rejected and on its way out: its pods go once weight 0 is live")
    if asked is Approval.NONE:
        raise InvalidInput(
            f"canary {canary.version} is promoted by its evidence, and approval.promote in policy.yaml asks for "
            "nobody's approval: say --full to skip what is left of the steps, the soak and the proof"
        )
    if canary.weight == 100:
        raise InvalidInput(f"all requests go to {canary.version} already, which is what an approval is asked for")
    if canary.approved:
        raise InvalidInput(f"canary {canary.version} is approved already: `promoter status` says what it waits for")
    return replace(release, canary=replace(canary, approved=True))


def start_approved(release: Release, version: ModelVersion, digest: Digest | None, asked: Approval) -> Release:
    """With a person's approval that `version` starts. asked: by the policy. digest: of the files that are agreed to.

    Raises InvalidInput where it would change nothing, and without a digest.
    """
    if release.canary is not None or asked is Approval.NONE:
        return started_again(release, version)
    rejection = release.rejection(version)
    if rejection is not None:
        raise InvalidInput(f"{version} is rejected ({rejection.reason}): `promoter retry` comes first")
    if release.stable is not None and version <= release.stable.version:
        raise InvalidInput(
            f"{version} is not above {release.stable.version}, which is stable: `promoter rollback` goes back to an "
            "older one"
        )
    if digest is None:
        raise InvalidInput(
            f"an approval is of exactly the files of {version}: give their --digest sha256:…, which stands in the "
            "promoter's pull request and in what `promoter versions STORE --json` says"
        )
    approved = StoredVersion(version, digest)
    if release.approved == approved:
        raise InvalidInput(f"{version} is approved already: `promoter status` says what it waits for")
    return replace(release, approved=approved)


def started_again(release: Release, version: ModelVersion) -> Release:
    """Without the pause after a withdrawal. Raises InvalidInput where `version` is not a withdrawn canary."""
    canary = release.canary
    if canary is None or canary.version != version:
        others = f"the canary is {canary.version}, whose end is waited for" if canary else "there is no canary"
        raise InvalidInput(
            f"{version} is no withdrawn canary ({others}); the newest complete version that is not rejected starts by "
            "itself. `promoter retry` offers a rejected one again; to pass a newer one over, add it to `rejected`"
        )
    if not canary.withdrawn:
        raise InvalidInput(f"canary {version} is not withdrawn: its rollout goes on by itself, see `promoter status`")
    return replace(release, canary=replace(canary, withdrawn=None))


def paused(release: Release, pause: Pause, *, by_policy: bool) -> Release:
    """With a person's word that nothing rises. by_policy: policy.yaml says so. Raises InvalidInput where it is said."""
    if release.paused is not None:
        said = release.paused
        raise InvalidInput(f"it is paused already, by {said.by} since {said.at:%Y-%m-%d %H:%M} UTC: {said.reason}")
    if by_policy:
        raise InvalidInput("it is paused already: policy.yaml says so")
    return replace(release, paused=pause)


def _canary(release: Release) -> Canary:
    if release.canary is None:
        served = f"all requests go to {release.stable.version}" if release.stable else "nothing is served yet"
        raise InvalidInput(f"there is no canary: {served}")
    return release.canary
