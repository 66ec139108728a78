"""The versions of every model across environments, and how far each is behind the one upstream of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promoter.control.past_releases import past_releases
from promoter.control.reconcile import Survey, Verdict
from promoter.decisions.candidate import candidate
from promoter.decisions.halt import frozen_by
from promoter.decisions.upstreams import soaks_until, way_to_store
from promoter.domain.action import Hold
from promoter.domain.freeze import Freeze
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.policy import CandidateSource
from promoter.domain.release import Canary
from promoter.domain.repository import Revision
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput, InvalidName
from promoter.ports import Repository


class State(StrEnum):
    """What else there is to know of a model in an environment. Several may be true at once."""

    UNREADABLE = "unreadable"  # its files do not parse
    CANARY = "canary"
    WITHDRAWN = "withdrawn"  # the canary's weight was taken back without evidence against it
    REVERTING = "reverting"
    SOAKING = "soaking"  # upstream's version is not offered yet
    WAITING = "waiting"  # a version is offered and has not started
    REJECTED = "rejected"  # one above stable
    FROZEN = "frozen"
    PAUSED = "paused"
    HELD = "held"  # with an alarm: a person has to look


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind `environment`: so many versions became stable there, the first of them at `since`."""

    environment: str
    versions: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """One model in one environment.

    offered: the version that soaks or waits. until: when its soak ends. rejected: above stable, rising.
    upstream, root: None where it is not behind, or has none.
    """

    served: ServedModel
    states: tuple[State, ...]
    reason: str
    stable: ModelVersion | None = None
    canary: Canary | None = None
    offered: ModelVersion | None = None
    until: datetime | None = None
    rejected: tuple[ModelVersion, ...] = ()
    upstream: Lag | None = None
    root: Lag | None = None


@dataclass(frozen=True, slots=True)
class Across:
    """environments: upstream before downstream. models: by `[group/]model`, in order, then by environment."""

    environments: tuple[str, ...]
    models: Mapping[str, Mapping[str, Cell]]


def across(survey: Survey, repository: Repository) -> Iterator[Cell]:
    """A cell for each model that was surveyed; `arranged` makes the matrix. Of those behind, histories are read."""
    sources = _sources(survey)
    for verdict in survey.verdicts:
        yield _cell(verdict, survey, repository, sources)


def arranged(cells: tuple[Cell, ...], survey: Survey) -> Across:
    """The cells as a matrix."""
    sources = _sources(survey)
    depth: dict[str, int] = {}
    models: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        served = cell.served
        depth[served.environment] = max(depth.get(served.environment, 0), len(_way(served, sources)))
        models.setdefault(served.name, {})[served.environment] = cell
    environments = sorted(depth, key=lambda name: (depth[name], name))
    return Across(tuple(environments), dict(sorted(models.items())))


def _sources(survey: Survey) -> dict[ServedModel, CandidateSource]:
    return {verdict.served: verdict.seen.policy.candidates for verdict in survey.verdicts if verdict.seen is not None}


def _way(served: ServedModel, sources: Mapping[ServedModel, CandidateSource]) -> tuple[ServedModel, ...]:
    """The model and all upstream of it, as far as they were surveyed."""

    def source(one: ServedModel) -> CandidateSource:
        # One that this promoter does not see is the last of those it knows.
        return sources.get(one, CandidateSource(store=""))

    try:
        return way_to_store(served, source)[0]
    except InvalidInput:
        return (served,)


def _cell(
    verdict: Verdict, survey: Survey, repository: Repository, sources: Mapping[ServedModel, CandidateSource]
) -> Cell:
    served, action, seen = verdict.served, verdict.action, verdict.seen
    if seen is None:
        return Cell(served, (State.UNREADABLE, State.HELD), action.reason)
    release = seen.release
    stable = release.stable.version if release.stable else None
    next_up = candidate(release, seen.listing, seen.withheld) if seen.listing and release.canary is None else None
    offered = next_up.version if next_up else None
    until = soaks_until(seen) if offered is not None else None
    if until is not None and until <= survey.at:
        until = None
    rejected = sorted(entry.version for entry in release.rejected if stable is None or entry.version > stable)
    way = _way(served, sources)
    behind = [_lag(repository, survey.head, one, stable) for one in dict.fromkeys((way[1], way[-1]))] if way[1:] else []
    return Cell(
        served,
        tuple(_states(seen, offered, until, rejected, survey.at, held=isinstance(action, Hold) and action.alarm)),
        action.reason,
        stable,
        release.canary,
        offered,
        until,
        tuple(rejected),
        behind[0] if behind else None,
        behind[-1] if behind else None,
    )


def _states(
    seen: Observation,
    offered: ModelVersion | None,
    until: datetime | None,
    rejected: list[ModelVersion],
    at: datetime,
    *,
    held: bool,
) -> Iterator[State]:
    canary = seen.release.canary
    if canary is not None:
        if seen.release.rejection(canary.version) is not None:
            yield State.REVERTING
        else:
            yield State.WITHDRAWN if canary.withdrawn is not None and canary.weight == 0 else State.CANARY
    if offered is not None:
        yield State.SOAKING if until is not None else State.WAITING
    if rejected:
        yield State.REJECTED
    if isinstance(frozen_by(seen.served, seen.freezes, at), Freeze):
        yield State.FROZEN
    if seen.paused:
        yield State.PAUSED
    if held:
        yield State.HELD


def _lag(repository: Repository, head: Revision, other: ServedModel, ours: ModelVersion | None) -> Lag | None:
    """How far a stable version is behind what became stable in another environment; None where it is not."""
    passed: set[ModelVersion] = set()
    since: datetime | None = None
    try:
        for release, change in past_releases(repository, head, other.release_path):
            theirs = release.stable.version if release.stable else None
            if theirs is None or (ours is not None and theirs <= ours):
                break
            passed.add(theirs)
            since = change.at
    except InvalidName:
        # There is no such file: its own row, or `check`, says so.
        return None
    return Lag(other.environment, len(passed), since) if since is not None else None
