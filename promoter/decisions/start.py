"""No canary yet: the first version, the next candidate, or why nothing starts."""

from __future__ import annotations

from datetime import datetime

from promoter.decisions import ramp
from promoter.decisions.admission import not_admitted, passed
from promoter.decisions.approval import start_unapproved
from promoter.decisions.candidate import candidate
from promoter.decisions.counting import request_rate
from promoter.decisions.feasibility import cannot_end
from promoter.decisions.forecast import in_short
from promoter.decisions.halt import halted
from promoter.decisions.immutability import changed_in_store
from promoter.decisions.readiness import not_live_because
from promoter.decisions.upstreams import not_offered_yet, untold
from promoter.domain.action import Action, Hold, Promote, StartCanary
from promoter.domain.application import Application
from promoter.domain.figures import per_second
from promoter.domain.observation import Observation
from promoter.domain.policy import Traffic
from promoter.domain.release import Stable
from promoter.domain.version import StoredVersion


def first_version(seen: Observation, now: datetime) -> Action:
    """A model's first version has nothing to be compared with and becomes stable at once."""
    if seen.release.canary is not None:
        return Hold("release.yaml names a canary but no stable version to compare it with", alarm=True)
    halt = halted(seen, now)
    if halt is not None:
        return halt
    offered = _offered(seen, now)
    if isinstance(offered, Hold):
        return offered
    barred = not_admitted(seen, offered)
    if barred is not None:
        return barred
    reason = f"{offered.version} is the first version; there is nothing to compare it with"
    unapproved = start_unapproved(seen, offered, reason, replicas=None)
    if unapproved is not None:
        return unapproved
    return Promote(offered.version, offered.digest, reason, preflight=passed(seen))


def next_candidate(seen: Observation, stable: Stable, now: datetime) -> Action:
    """A canary at weight 0, once what is served now is live and can be seen."""
    barred = nothing_starts(seen, now)
    if barred is not None:
        return barred
    offered = _offered(seen, now)
    if isinstance(offered, Hold):
        return offered
    chosen = f"{offered.version} is the newest complete version above {stable.version}"
    started = as_canary(seen, stable, offered, now, chosen)
    if not isinstance(started, StartCanary):
        return started
    return start_unapproved(seen, offered, started.reason, started.stable_replicas) or started


def nothing_starts(seen: Observation, now: datetime) -> Hold | None:
    """Why nothing at all may start; None where something may."""
    changed = changed_in_store(seen)
    return Hold(changed, alarm=True) if changed is not None else halted(seen, now)


def as_canary(seen: Observation, stable: Stable, offered: StoredVersion, now: datetime, chosen: str) -> Action:
    """`offered` at weight 0, or what it waits for. chosen: why it is this one, as a clause."""
    barred = not_admitted(seen, offered)
    if barred is not None:
        return barred
    waiting = not_live_because(seen, now) or _stable_unseen(seen, now)
    if waiting or seen.application is None or seen.measurements is None or seen.calibration is None:
        return Hold(f"{offered.version} waits to start: {waiting}")
    full = pods_for_all(stable, seen.application)
    rate = request_rate(seen.measurements, seen.traits.scrape_interval)
    weight = ramp.first_weight(seen.policy.ramp, rate, seen.traits.reaction_time)
    golden = "golden " if seen.policy.traffic is Traffic.GOLDEN else ""
    reason = (
        f"{chosen}. At {per_second(rate)} {golden}requests a second its first weight will be about {weight} %. "
        f"Evidence: {seen.calibration.reason}"
    )
    return StartCanary(
        offered.version,
        offered.digest,
        replicas=ramp.replicas_for(weight, full),
        stable_replicas=full,
        reason=reason,
        preflight=passed(seen),
    )


def pods_for_all(stable: Stable, application: Application | None) -> int:
    """How many pods carry all requests; without Argo CD's word, as far as Git knows."""
    deployment = application.deployment(stable.version) if application else None
    return max(deployment.ready if deployment else 0, stable.replicas or 0, 1)


def outlook(seen: Observation, full: int) -> str:
    """What people should know before it begins: whether it can end at all, or how it is expected to go.

    full: the pods that carry all requests. It walks whole rollouts, so it is for a start that is committed or asked
    for, not for every one that is thought of.
    """
    measured, calibration = seen.measurements, seen.calibration
    if measured is None or calibration is None:
        raise AssertionError("nothing starts unseen")
    rate = request_rate(measured, seen.traits.scrape_interval)
    barred = cannot_end(seen.policy, phi=calibration.phi, base=calibration.base or 0.0, rate=rate)
    if barred is not None:
        return f"As things stand {barred}"
    return in_short(seen.policy, calibration, seen.traits, rate=rate, full=full)


def _offered(seen: Observation, now: datetime) -> StoredVersion | Hold:
    """The candidate, or why there is none."""
    barred = untold(seen)
    if barred is not None:
        return barred
    if seen.listing is None:
        return Hold("; ".join(seen.problems) or "the source of candidates does not answer")
    offered = candidate(seen.release, seen.listing, seen.withheld)
    if offered is not None:
        return not_offered_yet(seen, offered, now) or offered
    stable = seen.release.stable
    return Hold(f"no complete version above {stable.version}" if stable else "no complete version to begin with")


def _stable_unseen(seen: Observation, now: datetime) -> str | None:
    """A rollout does not start blind."""
    if seen.measurements is None:
        return "; ".join(seen.problems) or "Prometheus does not answer"
    if seen.application is not None and not _stable_pods(seen, seen.application):
        return (
            "Argo CD shows no ready pod of the stable version. If there are some, it hides them: "
            "the AppProject has to permit Pod and ReplicaSet"
        )
    if seen.newest_sample is None or now - seen.newest_sample > seen.traits.stale_after:
        return "Prometheus has no fresh samples of the stable pods"
    return None


def _stable_pods(seen: Observation, application: Application) -> bool:
    stable = seen.release.stable
    deployment = application.deployment(stable.version) if stable else None
    return deployment is not None and any(pod.ready for pod in deployment.pods)
