"""Environments in a row: what upstream offers and when, and what it took back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from promoter.domain.action import Hold, Withdraw
from promoter.domain.duration import format_duration
from promoter.domain.evidence import Evidence
from promoter.domain.freeze import Unreadable
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.policy import CandidateSource
from promoter.domain.release import Canary
from promoter.domain.upstream import Upstream
from promoter.domain.version import IncompleteVersion, StoredVersion
from promoter.errors import InvalidDocument


class UpstreamCircle(InvalidDocument):
    """Upstreams that lead to no store."""


def way_to_store(
    served: ServedModel, source_of: Callable[[ServedModel], CandidateSource]
) -> tuple[tuple[ServedModel, ...], CandidateSource]:
    """The model in its environment and all upstream of it, and the source of the last one, which names a store.

    source_of: what a policy.yaml says of candidates. Raises UpstreamCircle for upstreams in a circle, and what
    `source_of` raises.
    """
    way = [served]
    source = source_of(served)
    while source.store is None:
        if source.upstream is None or any(source.upstream == passed.environment for passed in way):
            named = ", ".join(passed.environment for passed in way)
            raise UpstreamCircle(
                served.policy_path,
                None,
                f"the upstreams {named} lead to no store: they go in a circle",
                f"Name a store in the first of them: whoever maintains {served.model}'s policy.yaml files can",
            )
        way.append(replace(served, environment=source.upstream))
        source = source_of(way[-1])
    return tuple(way), source


def untold(seen: Observation) -> Hold | None:
    """Where nobody can tell what upstream offers: nothing starts and nothing rises. None where it can be told."""
    if not isinstance(seen.upstream, Unreadable):
        return None
    reason = f"nobody can tell what is stable upstream, so nothing starts and nothing rises: {seen.upstream.fault}"
    return Hold(f"{reason}. Whoever maintains that file, or {seen.served.policy_path}, can mend it", alarm=True)


def not_offered_yet(seen: Observation, offered: StoredVersion, now: datetime) -> Hold | None:
    """Why upstream's stable version does not start: it soaks there, was rejected there, or is no longer what it was."""
    upstream = seen.upstream
    if not isinstance(upstream, Upstream):
        return None
    where = upstream.served.environment
    rejection = upstream.release.rejection(offered.version)
    if rejection is not None:
        return Hold(f"{offered.version} is rejected in {where}: {rejection.reason}")
    return _soaking(seen, upstream, offered, now) or _other_files(seen, offered)


def soaks_until(seen: Observation) -> datetime | None:
    """When upstream's stable version has been stable there for long enough; None where it offers nothing new."""
    upstream = seen.upstream
    if not isinstance(upstream, Upstream) or upstream.made_stable is None:
        return None
    return upstream.made_stable.at + seen.policy.candidates.upstream_soak


def upstream_took_back(seen: Observation, canary: Canary) -> str | None:
    """That upstream gave up the version on trial since the rollout began, and by which commit; None where it did not.

    A version that a person started here without upstream was never upstream's to take back. A newer stable version
    there takes nothing back.
    """
    upstream = seen.upstream
    if not isinstance(upstream, Upstream) or upstream.taken_back is None:
        return None
    stable = upstream.release.stable
    rejected = upstream.release.rejection(canary.version) is not None
    if not rejected and stable is not None and stable.version > canary.version:
        return None
    change, where = upstream.taken_back, upstream.served.environment
    if stable is None:
        now_there = f"{where} has no stable version"
    elif stable.version == canary.version:
        now_there = f"{where} {'rejects it' if rejected else 'serves other files under that number'}"
    else:
        now_there = f"{where} serves {stable.version}"
    return (
        f"{canary.version} was taken back upstream: {now_there} since commit {change.revision[:12]} by {change.author}"
    )


def withdrawn_with_upstream(seen: Observation, canary: Canary, evidence: Evidence | None) -> Withdraw | None:
    """Nobody vouches any more for a version that users here already get: no weight, and no judgement of it."""
    reason = upstream_took_back(seen, canary)
    return Withdraw(canary.version, reason, evidence) if reason is not None and canary.weight > 0 else None


def held_by_upstream(seen: Observation, canary: Canary) -> Hold | None:
    """Why no weight rises, as far as upstream is concerned."""
    reason = upstream_took_back(seen, canary)
    if reason is not None:
        return Hold(f"{reason}; it rises again once it is stable there, and `promoter revert` ends the rollout")
    return untold(seen)


def _soaking(seen: Observation, upstream: Upstream, offered: StoredVersion, now: datetime) -> Hold | None:
    until, made = soaks_until(seen), upstream.made_stable
    if until is None or made is None or now >= until:
        return None
    return Hold(
        f"{offered.version} soaks in {upstream.served.environment}, stable there since commit {made.revision[:12]} by "
        f"{made.author}: it is offered here from {until:%Y-%m-%d %H:%M:%S} UTC, in {format_duration(until - now)}"
    )


def _other_files(seen: Observation, offered: StoredVersion) -> Hold | None:
    """What the store holds now has to be what upstream proved, byte for byte."""
    name = str(offered.version)
    for entry in seen.in_store:
        if isinstance(entry, StoredVersion) and entry.version == offered.version:
            if entry.digest == offered.digest:
                return None
            what = f"the store holds other bytes under {name} than were proved upstream"
            return Hold(_alarm(what, offered), alarm=True)
        if isinstance(entry, IncompleteVersion) and entry.name == name:
            what = f"{name} is no longer whole in the store ({entry.reason})"
            return Hold(_alarm(what, offered), alarm=entry.settled)
    said = "; ".join(seen.problems) or "the store did not say"
    return Hold(f"{name} waits until it is known that the store still holds what was proved upstream: {said}")


def _alarm(what: str, offered: StoredVersion) -> str:
    return (
        f"{what}, so it does not start: whoever keeps the store puts the files of {offered.digest} back, or publishes "
        "them as a new version"
    )
