"""The ways back: harm, broken pods, blindness. None of them waits for a healthy Argo CD or a live commit."""

from __future__ import annotations

import math
from datetime import datetime

from promoter.decisions.evidence import excess, gap
from promoter.decisions.readiness import degraded, not_live_because, route_is_away, waits_for_capacity
from promoter.decisions.trial import Trial
from promoter.domain.action import Action, Revert, Withdraw
from promoter.domain.application import Deployment, Pod
from promoter.domain.duration import format_duration
from promoter.domain.evidence import ArmCounts, Evidence
from promoter.domain.figures import percent

# A revert also needs this much excess of the bad ratio in the plain counts.
MIN_EXCESS = 0.0005

# kubectl's words for a container that has ended and was not started anew yet.
_DEAD = frozenset({"OOMKilled", "Error", "ContainerCannotRun", "CrashLoopBackOff"})

# The scores that failed requests feed; a slow one may feed the ceilings, too.
_ABOUT_FAILURES = ("errors", "proxy", "slo", "hard_ceiling")

# A canary that should have had this many requests and had none gets none at all.
_BLACK_HOLE_REQUESTS = 20


def end_of_revert(trial: Trial, now: datetime) -> Action | None:
    """A rejected canary gets no traffic, and is taken away once that is live."""
    canary = trial.canary
    rejection = trial.seen.release.rejection(canary.version)
    if rejection is None:
        return None
    if canary.weight == 0:
        waiting = not_live_because(trial.seen, now)
        # Its pods may stay broken for ever; it is the route that has to be live.
        if waiting and not route_is_away(trial.seen, canary.version):
            return trial.hold(f"{canary.version} is rejected; its pods go once weight 0 is live: {waiting}")
    return Revert(canary.version, rejection.reason, trial.evidence)


def harm(trial: Trial) -> Action | None:
    """Evidence against the version, unless stable fails just as badly."""
    evidence = trial.evidence
    if evidence is None:
        return None
    proof = -math.log(trial.seen.policy.evidence.false_revert)
    if evidence.log_odds < proof or not _shows_in_plain_counts(evidence):
        return _black_hole(trial, evidence)
    if evidence.stable_breaks_ceiling and not _worse_than_stable(evidence, proof):
        return trial.hold("the canary breaks a ceiling, and so does stable: the fault is elsewhere", alarm=True)
    return Revert(trial.canary.version, _verdict(evidence), evidence)


def broken_pods(trial: Trial, now: datetime) -> Action | None:
    """Pods that do not come up, or went away."""
    deployment, application, canary = trial.deployment, trial.seen.application, trial.canary
    if deployment is None or application is None or canary.withdrawn:
        return None
    bad = degraded(application)
    if deployment in bad:
        if any(entry.version == trial.stable.version for entry in bad):
            return trial.hold("stable's pods are Degraded too: the fault is elsewhere", alarm=True)
        detail = f": {deployment.message}" if deployment.message else ""
        if waits_for_capacity(deployment):
            return Withdraw(canary.version, f"the cluster has no room for its pods{detail}", trial.evidence)
        return Revert(canary.version, f"its pods do not come up{detail}", trial.evidence)
    if deployment.ready:
        return None
    if canary.weight > 0:
        if canary.withdrawals and _keep_dying(deployment):
            return Revert(canary.version, f"its pods die when requests come{_word_of(deployment)}", trial.evidence)
        return Withdraw(canary.version, "none of its pods is Ready", trial.evidence)
    deadline = trial.seen.traits.ready_deadline
    if now - trial.seen.changed.at > deadline:
        reason = f"none of its pods became Ready within {format_duration(deadline)}"
        return Withdraw(canary.version, reason, trial.evidence)
    return None


def _keep_dying(deployment: Deployment) -> bool:
    """Each of its pods was started anew more than once: once may be a node that was."""
    return bool(deployment.pods) and all(_deaths(pod) > 1 for pod in deployment.pods)


def _deaths(pod: Pod) -> int:
    return pod.restarts + (pod.reason in _DEAD or pod.reason.startswith(("ExitCode:", "Signal:")))


def _word_of(deployment: Deployment) -> str:
    """Kubernetes' word for it, where it still shows one."""
    words = sorted({pod.reason for pod in deployment.pods} - {"Running", ""})
    return f": {', '.join(words)}" if words else ""


def blindness(trial: Trial, now: datetime) -> Action | None:
    """Users are not exposed unseen: hold at once, withdraw after `max_blind`."""
    blind = trial.seen.blind_for(now)
    fresh = trial.seen.measurements is not None and blind <= trial.seen.traits.stale_after
    if fresh:
        return None
    cause = "; ".join(trial.seen.problems) or "Prometheus has no fresh samples of all its pods"
    reason = f"blind for {format_duration(blind)}: {cause}"
    if trial.canary.weight > 0 and blind > trial.seen.policy.max_blind:
        return Withdraw(trial.canary.version, reason, trial.evidence)
    return trial.hold(reason)


def _shows_in_plain_counts(evidence: Evidence) -> bool:
    """The excess of a ratio, or means that are higher more often than not where it is latency that speaks."""
    if excess(evidence) >= MIN_EXCESS:
        return True
    return _loudest(evidence) == "latency" and 2 * evidence.slower_intervals > evidence.compared_intervals


def _loudest(evidence: Evidence) -> str:
    return max(evidence.log_e, key=lambda name: evidence.log_e[name])


def _worse_than_stable(evidence: Evidence, proof: float) -> bool:
    """Whether the comparisons with stable alone, without the ceilings, prove harm."""
    return max(evidence.log_e.get(name, 0.0) for name in ("errors", "proxy", "latency")) >= proof


def _verdict(evidence: Evidence) -> str:
    """What was seen, in percent of requests: failures, and slowness where that is more than failures explain."""
    if _only_the_proxy_tells(evidence) and evidence.proxy_canary and evidence.proxy_stable:
        return f"{_failures(evidence.proxy_canary, evidence.proxy_stable)}, as the proxy sees it"
    recent = _signs(evidence, evidence.last_canary, evidence.last_stable)
    return (
        _signs(evidence, evidence.canary, evidence.stable)
        or (f"in the last five minutes {recent}" if recent else "")
        or "its requests take longer on average than stable's, interval after interval"
    )


def _only_the_proxy_tells(evidence: Evidence) -> bool:
    """Whether callers see failures of which the canary's own counters show not even half."""
    if _loudest(evidence) != "proxy" or not (evidence.proxy_canary and evidence.proxy_stable):
        return False
    seen = gap(evidence.proxy_canary.bad, evidence.proxy_canary, evidence.proxy_stable.bad, evidence.proxy_stable)
    return 2 * gap(evidence.canary.bad, evidence.canary, evidence.stable.bad, evidence.stable) < seen


def _signs(evidence: Evidence, canary: ArmCounts, stable: ArmCounts) -> str:
    """The plain counts that show harm, as a sentence; empty where none does."""
    failed = gap(canary.bad, canary, stable.bad, stable)
    gaps = [gap(ours, canary, theirs, stable) for ours, theirs in zip(canary.slow, stable.slow, strict=False)]
    widest = max(gaps, default=0.0)
    signs = []
    if failed >= MIN_EXCESS and any(evidence.log_e.get(name, 0.0) > 0 for name in _ABOUT_FAILURES):
        signs.append(_failures(canary, stable))
    # A failed request counts as slow as well.
    if widest >= max(MIN_EXCESS, 2 * failed):
        index = gaps.index(widest)
        signs.append(
            f"{percent(canary.slow[index], canary.requests)} of requests took longer than "
            f"{evidence.bounds_us[index] / 1000:.3g} ms "
            f"against {percent(stable.slow[index], stable.requests)} on stable"
        )
    return ", and ".join(signs)


def _failures(canary: ArmCounts, stable: ArmCounts) -> str:
    return (
        f"{percent(canary.bad, canary.requests)} of requests failed "
        f"against {percent(stable.bad, stable.requests)} on stable"
    )


def _black_hole(trial: Trial, evidence: Evidence) -> Action | None:
    """Weight that is live, traffic that is there, and not one request: callers get no answers."""
    application, deployment, canary = trial.seen.application, trial.deployment, trial.canary
    if canary.weight == 0 or application is None or application.route is None:
        return None
    if deployment is not None and not deployment.ready:
        # No wonder, and not yet the version's fault: `broken_pods` tells that, and takes its requests back as well.
        return None
    if application.route.get(canary.version) != canary.weight:
        return None
    last = trial.last_intervals(2, trial.seen.weight_since + trial.seen.traits.reaction_time)
    if len(last) < 2 or any(counts.canary.requests for counts in last):
        return None
    expected = sum(counts.stable.requests for counts in last) * canary.weight / max(1, 100 - canary.weight)
    if expected < _BLACK_HOLE_REQUESTS:
        return None
    dying = f", and its pods die{_word_of(deployment)}" if deployment is not None and _keep_dying(deployment) else ""
    return Revert(canary.version, f"not one of about {expected:.0f} requests reached it{dying}", evidence)
