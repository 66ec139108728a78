"""A decision of the past, decided again. Pure: what Git and Prometheus still know arrives as an observation.

What Argo CD said then, and whether Prometheus answered, is recorded nowhere. So it is supposed: first that everything
was in order, then, where the recorded decision does not follow from that, what else may have been.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from promoter.decisions.fair_weather import OURS, all_well
from promoter.decisions.rollout import decide
from promoter.decisions.transition import released
from promoter.domain.action import ACTION_NAMES, Action, Reject, SetWeight, Withdraw
from promoter.domain.application import Deployment, Health, Pod
from promoter.domain.observation import Observation
from promoter.domain.preflight import Waived
from promoter.domain.release import Release
from promoter.domain.version import Listing


class Silence(StrEnum):
    """A decision that followed from what somebody said, or did not say, at that moment, as a clause for people."""

    ARGO_CD = "it rests on what Argo CD said of the canary's pods at that moment, and that is recorded nowhere"
    PROMETHEUS = "it rests on nobody having seen the canary's pods at that moment, and that is recorded nowhere"
    LIMITS = "its weight was cut to what limits.yaml left, which hung on the other rollouts of that moment"
    PREFLIGHT = "it rests on the version's preflight; `promoter verify` finds again what stands in the commit"


class Gap(StrEnum):
    """Samples that the decision rested on and that Prometheus no longer holds, as a clause for people."""

    EVERYTHING = "Prometheus holds no samples of that time any more"
    BEGINNING = "Prometheus holds no samples of the rollout's beginning any more"

    @property
    def is_partial(self) -> bool:
        """Whether there is something left to decide on."""
        return self is Gap.BEGINNING


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What would be decided today.

    same: the action is the recorded one, and leads to the release in the commit. silence: why it cannot be told,
    where it is another one. gap: what is lacking, None where nothing is.
    """

    action: Action
    same: bool
    silence: Silence | None = None
    gap: Gap | None = None


def look_back(seen: Observation, now: datetime, kind: str, after: Release, *, exposure: int | None = None) -> Hindsight:
    """Decide on `seen` as of `now`, and compare with what the commit says.

    kind: the recorded action as trailers spell it. after: the release in the commit. exposure: the limit of the
    environment then, None for none.
    """
    fair = in_fair_weather(seen, after)
    action = decide(fair, now)
    if kind == ACTION_NAMES[Reject]:
        return Hindsight(action, same=False, silence=Silence.PREFLIGHT)
    if _is_recorded(seen, action, now, kind, after):
        return Hindsight(action, same=True, gap=_gap(seen))
    if exposure is not None and _is_cut(seen, action, now, kind, after):
        return Hindsight(action, same=False, silence=Silence.LIMITS, gap=_gap(seen))
    if kind == ACTION_NAMES[Withdraw]:
        unseen = decide(_unanswered(fair), now)
        if _is_recorded(seen, unseen, now, kind, after):
            return Hindsight(unseen, same=True, gap=_gap(seen))
    return Hindsight(action, same=False, silence=_silence(fair, now, kind, after), gap=_gap(seen))


def in_fair_weather(seen: Observation, after: Release) -> Observation:
    """The same with Argo CD in order, and the version on offer that the commit took up, which needed no preflight.

    How many pods of stable were Ready when a rollout began stands in the commit, as the floor under them.
    """
    before = seen.release
    if before.canary is not None:
        return replace(seen, application=all_well(before, seen.head), lineage=OURS)
    taken = after.canary or after.stable
    listing = seen.listing
    if listing is None:
        listing = Listing((taken.pin,) if taken else ())
    seen = replace(seen, listing=listing, preflight=Waived())
    if taken is not None and seen.upstream is not None:
        # It was asked whether the store held what upstream proved, and it did, or nothing would have started.
        seen = replace(seen, in_store=(taken.pin,))
    if before.stable is None or after.stable is None:
        return seen
    served = replace(before, stable=replace(before.stable, replicas=after.stable.replicas))
    return replace(seen, application=all_well(served, seen.head), lineage=OURS)


def _unanswered(seen: Observation) -> Observation:
    """The same without an answer of Prometheus, which may have scraped for a while after it was last asked."""
    newest = seen.newest_sample - seen.traits.stale_after if seen.newest_sample else None
    return replace(
        seen,
        measurements=None,
        calibration=None,
        newest_sample=newest,
        problems=(*seen.problems, "Prometheus did not answer"),
    )


def _silence(fair: Observation, now: datetime, kind: str, after: Release) -> Silence | None:
    """Whose word the recorded decision rests on, where it can only rest on somebody's word."""
    said = _recorded_reason(fair.release, after)
    for seen in _with_broken_pods(fair):
        action = decide(seen, now)
        if _is_recorded(fair, action, now, kind, after) and said.startswith(action.reason):
            return Silence.ARGO_CD
    canary = fair.release.canary
    if canary is not None and _is_recorded(fair, Withdraw(canary.version, said), now, kind, after):
        return Silence.PROMETHEUS
    return None


def _with_broken_pods(seen: Observation) -> Iterator[Observation]:
    """The same with each thing that Argo CD can say against the canary's pods."""
    application, canary = seen.application, seen.release.canary
    if application is None or canary is None:
        return
    crashed = Pod(str(canary.version), ready=False, reason="CrashLoopBackOff")
    for broken in (
        Deployment(canary.version, Health.DEGRADED, pods=(crashed,)),
        Deployment(canary.version, Health.DEGRADED, pods=()),
        Deployment(canary.version, Health.PROGRESSING, pods=()),
    ):
        others = tuple(entry for entry in application.deployments if entry.version != canary.version)
        yield replace(seen, application=replace(application, deployments=(*others, broken)))


def _is_recorded(seen: Observation, action: Action, now: datetime, kind: str, after: Release) -> bool:
    """Whether `action` is the recorded one and leads where the commit leads."""
    if ACTION_NAMES[type(action)] != kind:
        return False
    return _without_words(released(seen.release, action, now)) == _without_words(after)


def _is_cut(seen: Observation, action: Action, now: datetime, kind: str, after: Release) -> bool:
    """Whether the commit goes a part of the way of `action`, and differs in nothing else."""
    before, reached = seen.release.canary, after.canary
    if not isinstance(action, SetWeight) or before is None or reached is None:
        return False
    shorter = replace(action, weight=reached.weight)
    return before.weight < reached.weight < action.weight and _is_recorded(seen, shorter, now, kind, after)


def _without_words(release: Release) -> Release:
    """The release without its reasons: the same fact may have been put into other words."""
    canary = release.canary
    if canary is not None and canary.withdrawn is not None:
        canary = replace(canary, withdrawn="withdrawn")
    return replace(release, canary=canary, rejected=tuple(replace(entry, reason="") for entry in release.rejected))


def _recorded_reason(before: Release, after: Release) -> str:
    """Why the commit took the weight back, in its own words; empty where it did not."""
    if before.canary is None:
        return ""
    rejection = after.rejection(before.canary.version)
    if rejection is not None:
        return rejection.reason
    return (after.canary.withdrawn if after.canary else None) or ""


def _gap(seen: Observation) -> Gap | None:
    """A rollout begins only while its stable pods can be seen, so there were samples up to then."""
    if seen.measurements is None:
        return None
    sampled = [at for target in seen.measurements.targets for at, _ in target.points]
    if not sampled:
        return Gap.EVERYTHING
    canary = seen.release.canary
    return Gap.BEGINNING if canary is not None and min(sampled) > canary.since.timestamp() else None
