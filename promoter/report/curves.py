"""What the pictures of a rollout show, in numbers. Pure. Times are seconds since its first commit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from promoter.documents.evidence_text import RecordedEvidence
from promoter.documents.story import record_of
from promoter.domain.evidence import ArmCounts
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import Ended, PastRollout, Step
from promoter.domain.version import ModelVersion
from promoter.pictures.in_page import Mark
from promoter.report.gather import Gathered

# In how many pieces the failed requests are shown at most: single intervals hold too few of a canary's.
_MOST_PIECES = 48

# How much longer than the rollout a picture is, so that its end can be seen.
_EPILOGUE = 1.06
_SHORTEST = 10.0

# Beyond these odds nobody asks for digits.
_LEAST_ODDS, _MOST_ODDS = 1e-3, 1e6

# Seconds, and what was measured there; None where nothing was.
Points = tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """What is drawn.

    weights: percent from a time on. odds: against the canary, to 1. reverts_at: the odds that revert, None where the
    policy cannot be read. failed: percent of each version's requests. whole: whether they are Prometheus's, rather
    than what commits tell.
    """

    canary: ModelVersion
    stable: ModelVersion | None
    weights: tuple[tuple[float, float], ...]
    odds: Points
    reverts_at: float | None
    canary_failed: Points
    stable_failed: Points
    marks: tuple[Mark, ...]
    length: float
    whole: bool


def curves(known: Gathered) -> Curves:
    """The numbers behind the pictures of this rollout."""
    rollout, begin = known.rollout, known.rollout.began_at.timestamp()
    length = max(_SHORTEST, (known.until.timestamp() - begin) * _EPILOGUE)
    weights = tuple((at.timestamp() - begin, float(weight)) for at, weight in rollout.weights)
    if rollout.ended is Ended.PROMOTED and rollout.ended_at is not None:
        # As stable it has all of them, whatever its last weight was.
        weights = (*weights, (rollout.ended_at.timestamp() - begin, 100.0))
    if known.intervals:
        odds: Points = tuple(
            (interval.end - begin, _shown(math.exp(min(interval.evidence.log_odds, 20.0))))
            for interval in known.intervals
        )
        canary, stable = _pieces(known, begin, length)
    else:
        told = tuple(_told(rollout, known.served))
        odds = tuple((at - begin, None if said.odds is None else _shown(said.odds)) for at, said in told)
        canary = tuple(_between([(at - begin, said.canary) for at, said in told]))
        stable = tuple(_between([(at - begin, said.stable) for at, said in told]))
    return Curves(
        canary=rollout.version,
        stable=rollout.stable,
        weights=weights,
        odds=odds,
        reverts_at=1 / known.policy.evidence.false_revert if known.policy else None,
        canary_failed=canary,
        stable_failed=stable,
        marks=tuple(_marks(rollout, begin)),
        length=length,
        whole=bool(known.intervals),
    )


def _shown(odds: float) -> float:
    return min(_MOST_ODDS, max(_LEAST_ODDS, odds))


def _pieces(known: Gathered, begin: float, length: float) -> tuple[Points, Points]:
    """Percent that failed, in pieces of equal length, each placed at its middle."""
    piece = length / _MOST_PIECES
    sums: dict[int, tuple[ArmCounts, ArmCounts]] = {}
    for interval in known.intervals:
        number = int((interval.end - begin) // piece)
        canary, stable = sums.get(number, (ArmCounts(), ArmCounts()))
        sums[number] = (_added(canary, interval.counts.canary), _added(stable, interval.counts.stable))
    placed = [((number + 0.5) * piece, both) for number, both in sorted(sums.items())]
    return tuple((at, _failed(both[0])) for at, both in placed), tuple((at, _failed(both[1])) for at, both in placed)


def _added(one: ArmCounts, other: ArmCounts) -> ArmCounts:
    return ArmCounts(one.requests + other.requests, one.bad + other.bad, one.faults + other.faults)


def _failed(counts: ArmCounts) -> float | None:
    return 100 * counts.bad / counts.requests if counts.requests else None


def _told(rollout: PastRollout, served: ServedModel) -> Iterator[tuple[float, RecordedEvidence]]:
    """The evidence in the commits, with their times."""
    for step in rollout.steps:
        record = record_of(step, served)
        if record is not None and record.evidence is not None:
            yield step.commit.at.timestamp(), record.evidence


def _between(totals: list[tuple[float, ArmCounts]]) -> Iterator[tuple[float, float | None]]:
    """Percent that failed since the commit before, from totals since the beginning."""
    for (_, before), (at, after) in pairwise([(0.0, ArmCounts()), *totals]):
        requests, bad = after.requests - before.requests, after.bad - before.bad
        yield at, (100 * bad / requests if requests > 0 and bad >= 0 else None)


def _marks(rollout: PastRollout, begin: float) -> Iterator[Mark]:
    """What each commit did, in a word or two; nothing for one that changed nothing that is seen here."""
    for step in rollout.steps:
        if word := _word(rollout, step):
            yield Mark(step.commit.at.timestamp() - begin, word)


def _word(rollout: PastRollout, step: Step) -> str:
    before, after = step.before.canary, step.after.canary
    by = "" if step.commit.ours else f" by {step.commit.author}"
    if step is rollout.deciding:
        words = {Ended.PROMOTED: "stable", Ended.REVERTED: "reverted", Ended.TAKEN_AWAY: "taken away"}
        return words.get(rollout.ended, rollout.ended.value) + by
    if after is None:
        return "pods gone"
    if before is None or before.version != after.version:
        return f"{after.weight} %{by}"
    if after.withdrawn and not before.withdrawn:
        return f"withdrawn{by}"
    if before.weight != after.weight:
        return f"{after.weight} %{by}"
    if before.replicas != after.replicas:
        return f"{after.replicas} {'pod' if after.replicas == 1 else 'pods'}{by}"
    return "" if step.commit.ours else step.commit.author
