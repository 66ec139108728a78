"""Steps forward: by evidence, or by a person's word in its place; every obstacle is asked first."""

from __future__ import annotations

import math
from datetime import datetime

from promoter.decisions import ramp
from promoter.decisions.approval import promotion_unapproved
from promoter.decisions.halt import halted
from promoter.decisions.immutability import changed_in_store
from promoter.decisions.readiness import not_live_because
from promoter.decisions.split import is_another_split
from promoter.decisions.trial import Trial
from promoter.decisions.upstreams import held_by_upstream
from promoter.domain.action import Action, Hold, Promote, SetWeight
from promoter.domain.duration import format_duration
from promoter.domain.evidence import Evidence
from promoter.domain.figures import grouped, odds_text, percent
from promoter.domain.release import Promotion

# Odds from which on nothing rises: a sign of harm, not yet a proof.
HOLD_AT_ODDS = 5.0


def obstacle(trial: Trial, now: datetime) -> Hold | None:
    """What stands in the way of any step forward."""
    changed = changed_in_store(trial.seen)
    if changed is not None:
        return trial.hold(changed, alarm=True)
    halt = halted(trial.seen, now)
    if halt is not None:
        return trial.hold(halt.reason, alarm=halt.alarm)
    upstream = held_by_upstream(trial.seen, trial.canary)
    if upstream is not None:
        return trial.hold(upstream.reason, alarm=upstream.alarm)
    sought = trial.seen.release.sought
    if sought is not None and sought.version != trial.canary.version:
        return trial.hold(
            f"a person wants {sought.version} back, and canary {trial.canary.version} is in the way: `promoter revert` "
            "takes it away",
            alarm=True,
        )
    waiting = not_live_because(trial.seen, now)
    if waiting:
        return trial.hold(f"waits until the last commit is live: {waiting}")
    if trial.evidence is not None and trial.evidence.log_odds >= math.log(HOLD_AT_ODDS):
        odds = odds_text(trial.evidence.log_odds)
        return trial.hold(f"a sign of harm, not yet a proof: odds {odds} against {trial.canary.version}")
    split = trial.evidence.split if trial.evidence else None
    if split is not None and is_another_split(split):
        return trial.hold(
            f"{trial.canary.version} should get {percent(split.asked)} of the requests and gets "
            f"{percent(split.measured)}: the route does not do what it was told",
            alarm=True,
        )
    if trial.deployment is None or trial.deployment.ready < trial.canary.replicas:
        ready = trial.deployment.ready if trial.deployment else 0
        return trial.hold(f"{ready} of {trial.canary.replicas} pods of {trial.canary.version} are Ready")
    return None


def progress(trial: Trial, now: datetime) -> Action:
    """The next step, or what is still lacking for it."""
    evidence = trial.evidence
    if evidence is None:
        return trial.hold("nothing was measured")
    if trial.canary.weight == 100:
        return _end_of_guard(trial, now)
    if trial.canary.promote is Promotion.FULL:
        return _everything(trial, evidence, f"A person's word in place of evidence; skips: {skipped(trial, now)}")
    if trial.canary.weight == 0:
        return _first_weight(trial, evidence, now)
    if evidence.upper_bound <= trial.seen.policy.evidence.margin and trial.soaked_for(now) >= trial.seen.policy.soak:
        return _everything(trial, evidence, f"{_no_harm(evidence)}. Proven enough for 100 %")
    return _next_weight(trial, evidence, now)


def _first_weight(trial: Trial, evidence: Evidence, now: datetime) -> Action:
    canary, traits = trial.canary, trial.seen.traits
    if canary.withdrawn:
        pause = traits.restart_pause * (1 << min(max(canary.withdrawals, 1) - 1, 10))
        left = trial.seen.changed.at + pause - now
        if left.total_seconds() > 0:
            return trial.hold(f"withdrawn ({canary.withdrawn}); may start again in {format_duration(left)}")
    weight = ramp.first_weight(trial.seen.policy.ramp, evidence.rate, traits.reaction_time)
    return _step(trial, evidence, weight, f"{canary.version} gets its first {weight} % of requests")


def _next_weight(trial: Trial, evidence: Evidence, now: datetime) -> Action:
    canary, policy = trial.canary, trial.seen.policy
    weight = ramp.next_weight(
        policy.ramp, canary.weight, evidence.rate, trial.seen.traits.reaction_time, evidence.upper_bound
    )
    weight = min(weight, max(canary.weight, ramp.weight_within(canary.replicas, trial.full)))
    # Nothing but evidence raises a weight: fewer requests a second would make room for more as well.
    if weight > canary.weight and trial.measured_at_this_weight:
        return _step(trial, evidence, weight, _no_harm(evidence))
    if evidence.upper_bound <= policy.evidence.margin:
        left = policy.soak - trial.soaked_for(now)
        return trial.hold(f"proven enough; the soak has {format_duration(left)} to go")
    return trial.hold(_lacking(trial, evidence, now))


def skipped(trial: Trial, now: datetime) -> str:
    """What a person's word takes the place of, as things stand: the steps, the soak and the proof that are left."""
    canary, policy = trial.canary, trial.seen.policy
    rest = [f"the steps from {canary.weight} % to 100 %"]
    left = policy.soak - trial.soaked_for(now)
    if left.total_seconds() > 0:
        rest.append(f"{format_duration(left)} of the soak")
    bound = trial.evidence.upper_bound if trial.evidence else None
    if bound is None or bound > policy.evidence.margin:
        known = "nothing is proven yet" if bound is None else f"proven is only an excess below {percent(bound)}"
        rest.append(f"the proof of the margin of {percent(policy.evidence.margin)} ({known})")
    return ", ".join(rest)


def _everything(trial: Trial, evidence: Evidence, reason: str) -> Action:
    """All requests: first the pods, in a commit of their own, then the weight."""
    canary = trial.canary
    unapproved = promotion_unapproved(trial, f"{_no_harm(evidence)}. Proven enough for 100 %")
    if unapproved is not None:
        return unapproved
    if canary.replicas < trial.full:
        return SetWeight(canary.version, canary.weight, trial.full, f"{reason}: first the pods", evidence)
    return SetWeight(canary.version, 100, canary.replicas, reason, evidence)


def _end_of_guard(trial: Trial, now: datetime) -> Action:
    left = trial.seen.weight_since + trial.seen.policy.guard - now
    if left.total_seconds() > 0:
        return trial.hold(f"all requests go to {trial.canary.version}; the guard has {format_duration(left)} to go")
    reason = f"{trial.canary.version} has carried all requests for {format_duration(trial.seen.policy.guard)}"
    return Promote(trial.canary.version, trial.canary.digest, reason, trial.evidence)


def _step(trial: Trial, evidence: Evidence, weight: int, reason: str) -> SetWeight:
    """`weight` now, and pods for whatever weight may come after it."""
    following = ramp.replicas_for(ramp.largest_next_weight(trial.seen.policy.ramp, weight), trial.full)
    return SetWeight(trial.canary.version, weight, max(trial.canary.replicas, following), reason, evidence)


def _no_harm(evidence: Evidence) -> str:
    return f"No sign of harm; the excess error ratio is below {percent(evidence.upper_bound)}"


def _lacking(trial: Trial, evidence: Evidence, now: datetime) -> str:
    """What the next step waits for, with the number of requests where it can be told."""
    margin, beta = trial.seen.policy.evidence.margin, trial.seen.policy.evidence.false_promote
    known = f"the excess error ratio is below {percent(evidence.upper_bound)}, and the margin is {percent(margin)}"
    requests = evidence.canary.requests + evidence.stable.requests
    if trial.bound is None or not requests:
        return f"no requests yet: {known}"
    ratio = (evidence.canary.bad + evidence.stable.bad) / requests
    more = trial.bound.requests_until(margin, beta / 2, ratio=ratio, share=trial.canary.weight / 100)
    if more is None:
        return f"not enough evidence, and none to be had at this error ratio: {known}"
    lacking = f"not enough evidence: {known}; about {grouped(more)} more requests to {trial.canary.version} would do"
    spent = now - trial.seen.weight_since
    if spent > trial.seen.policy.max_step:
        lacking += f". That has taken {format_duration(spent)} at this weight: widen the margin or raise max_weight"
    return lacking
