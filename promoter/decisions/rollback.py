"""Back to a version that a person wants: as a way back where it was stable lately, else as a canary like any other.

A way back asks neither evidence nor preflight, for both were had, and not for the health of what is left. Pods come
before requests all the same, and the last step, which takes the other version's pods away, waits like every last step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from promoter.decisions.halt import halted
from promoter.decisions.progress import HOLD_AT_ODDS
from promoter.decisions.readiness import not_moved_because
from promoter.decisions.safety import broken_pods, end_of_revert, harm
from promoter.decisions.start import as_canary, nothing_starts
from promoter.decisions.trial import Trial
from promoter.domain.action import Action, Hold, Promote, Revert, SetWeight, StartCanary, Withdraw
from promoter.domain.duration import format_duration
from promoter.domain.figures import odds_text
from promoter.domain.observation import Observation
from promoter.domain.release import Rejection, Stable
from promoter.domain.version import IncompleteVersion, StoredVersion


def was_stable_lately(seen: Observation, now: datetime) -> bool:
    """Whether the version that a person wants back comes back without analysis: by history and the policy's window."""
    until = seen.sought.until if seen.sought else None
    return until is not None and now - until <= seen.policy.rollback_window


def back_to(seen: Observation, stable: Stable, sought: StoredVersion, now: datetime) -> Action:
    """`sought` at weight 0, with pods for all requests where it was stable lately."""
    rejection = seen.release.rejection(sought.version)
    if rejection is not None:
        reason = f"{sought.version} is to come back and is rejected: `promoter retry` forgets that"
        return Hold(f"{reason} ({rejection.reason})", alarm=True)
    changed = _changed(seen, sought)
    if changed is not None:
        return Hold(changed, alarm=True)
    if seen.sought is None:
        raise AssertionError("what a person wants back was looked for in the history")
    said, until = seen.sought.said, seen.sought.until
    wanted = f"{said.author} wants {sought.version} back (commit {said.revision[:12]})"
    if not was_stable_lately(seen, now):
        barred = nothing_starts(seen, now)
        if barred is not None:
            return barred
        since = f"it was stable until {until:%Y-%m-%d %H:%M} UTC" if until else "nobody knows when it was stable"
        started = as_canary(seen, stable, sought, now, f"{wanted}; {since}, so it is tried like a new one")
        return replace(started, left=_left(seen, stable, sought)) if isinstance(started, StartCanary) else started
    waiting = not_moved_because(seen)
    if waiting:
        return Hold(f"{wanted} and waits until the last commit is live: {waiting}")
    full = _pods_for_all(seen, stable)
    if full is None:
        return Hold(f"{wanted}, and nobody can tell how many pods carry all requests: Argo CD shows none", alarm=True)
    return StartCanary(
        sought.version,
        sought.digest,
        replicas=full,
        stable_replicas=full,
        reason=f"{wanted}. It was stable until {until:%Y-%m-%d %H:%M} UTC, so neither preflight nor analysis is asked",
        back=True,
        left=_left(seen, stable, sought),
    )


def carried_back(trial: Trial, now: datetime) -> Action:
    """The next step of a way back, or what it waits for."""
    return end_of_revert(trial, now) or _bad_as_well(trial, now) or _obstacle(trial) or _step(trial, now)


def _changed(seen: Observation, sought: StoredVersion) -> str | None:
    """Why the files in the store are not those that were stable; None where they are, as far as is known."""
    for entry in seen.in_store:
        if isinstance(entry, StoredVersion) and entry.version == sought.version and entry.digest != sought.digest:
            return f"{sought.version} cannot come back: the store holds other files than the {sought.digest} of then"
        if isinstance(entry, IncompleteVersion) and entry.name == str(sought.version):
            return f"{sought.version} cannot come back: it is not whole in the store ({entry.reason})"
    return None


def _left(seen: Observation, stable: Stable, sought: StoredVersion) -> tuple[Rejection, ...]:
    """What would be offered again once `sought` is stable, and must not be."""
    if seen.sought is None:
        return ()
    said = seen.sought.said
    reason = f"{said.author} went back to {sought.version} in commit {said.revision[:12]}"
    known = {entry.version: entry.reason for entry in seen.sought.passed} | {stable.version: ""}
    # Above stable what people had forgotten stays forgotten.
    between = sorted(version for version in known if sought.version < version <= stable.version)
    return tuple(Rejection(version, known[version] or reason) for version in between)


def _pods_for_all(seen: Observation, stable: Stable) -> int | None:
    """Pods that exist count, Ready or not: those that crash were enough while they did not. None for nobody knows."""
    deployment = seen.application.deployment(stable.version) if seen.application else None
    shown = len(deployment.pods) if deployment else 0
    return max(shown, stable.replicas or 0, seen.sought.pods if seen.sought else 0) or None


def _bad_as_well(trial: Trial, now: datetime) -> Action | None:
    """Harm and broken pods send requests back only to where somebody answers them."""
    found = harm(trial) or broken_pods(trial, now)
    if not isinstance(found, Revert | Withdraw):
        return found
    application = trial.seen.application
    left = application.deployment(trial.stable.version) if application else None
    nobody = left is not None and not left.ready
    if nobody or (isinstance(found, Withdraw) and trial.canary.weight == 0):
        what = f"and none of {trial.stable.version} is Ready" if nobody else "which the way back waits for"
        return trial.hold(f"{trial.canary.version}: {found.reason}, {what}", alarm=True)
    return found


def _obstacle(trial: Trial) -> Hold | None:
    canary = trial.canary
    changed = _changed(trial.seen, canary.pin)
    if changed is not None:
        return trial.hold(changed, alarm=True)
    waiting = not_moved_because(trial.seen)
    if waiting:
        return trial.hold(f"waits until the last commit is live: {waiting}")
    ready = trial.deployment.ready if trial.deployment else 0
    if ready < canary.replicas:
        return trial.hold(f"{ready} of {canary.replicas} pods of {canary.version} are Ready")
    return None


def _step(trial: Trial, now: datetime) -> Action:
    canary = trial.canary
    reason = f"{canary.version} was stable lately, and a person wants it back: no analysis is asked"
    if canary.weight < 100:
        if canary.replicas < trial.full:
            weight, replicas, reason = canary.weight, trial.full, f"{reason}; first the pods"
        else:
            weight, replicas, reason = 100, canary.replicas, f"{reason}; its pods are Ready"
        return SetWeight(canary.version, weight, replicas, reason, trial.evidence, back=True)
    return _last_step(trial, now)


def _last_step(trial: Trial, now: datetime) -> Action:
    """Stable, once the guard is over: the one step of a way back that nothing is lost by waiting for."""
    canary, seen = trial.canary, trial.seen
    halt = halted(seen, now)
    if halt is not None:
        return trial.hold(halt.reason, alarm=halt.alarm)
    left = seen.weight_since + seen.policy.guard - now
    if left.total_seconds() > 0:
        return trial.hold(f"all requests go back to {canary.version}; the guard has {format_duration(left)} to go")
    if seen.measurements is None or seen.blind_for(now) > seen.traits.stale_after:
        cause = "; ".join(seen.problems) or "Prometheus has no fresh samples of all its pods"
        return trial.hold(f"{trial.stable.version} keeps its pods while nobody sees how {canary.version} does: {cause}")
    if trial.evidence is not None and trial.evidence.log_odds >= math.log(HOLD_AT_ODDS):
        return trial.hold(f"a sign of harm: odds {odds_text(trial.evidence.log_odds)} against {canary.version}")
    reason = f"{canary.version} has carried all requests again for {format_duration(seen.policy.guard)}"
    return Promote(canary.version, canary.digest, reason, trial.evidence)
