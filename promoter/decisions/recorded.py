"""Recorded counts to what a rollout is judged by: its calibration from stable's past, and its intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from promoter.decisions.calibration import BLOCKS, chosen
from promoter.decisions.dispersion import bad_ratio, dispersion
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.latency_buckets import bucket_at_or_above
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import RolloutPolicy, Source
from promoter.domain.recording import PodCount, Recording, Track
from promoter.errors import InvalidInput

_PAST_SECONDS = 3600.0

# Where there is one time only, nothing says how long its interval was.
_USUAL_SPACING = 15.0

_MOST_INTERVALS = 1_000_000

# An end that misses a round number by less is on it.
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Case:
    """A rollout of the past, ready to be judged.

    policy: the one that was asked for, less what the counts cannot tell. ends: the time of the last count of
    each interval, which may be before the interval's own end. notes: what was left out or mended, a sentence each.
    """

    policy: RolloutPolicy
    calibration: Calibration
    intervals: tuple[IntervalCounts, ...]
    ends: tuple[float, ...]
    stable: int
    canary: int
    notes: tuple[str, ...] = ()


def prepared(recording: Recording, policy: RolloutPolicy) -> Case:
    """The case that a recording makes. Raises InvalidInput where it spans more intervals than anybody looks at."""
    policy, notes = _answerable(recording, policy)
    times = [count.end for count in recording.counts if count.track is Track.CANARY]
    calibration = _calibration(recording, policy, times[0])
    intervals, ends = _intervals(recording, calibration, times[0], times[-1])
    canary = recording.canary.number
    stable = recording.stable.number if recording.stable else canary - 1
    return Case(policy, calibration, intervals, ends, stable, canary, (*recording.notes, *notes))


def _answerable(recording: Recording, policy: RolloutPolicy) -> tuple[RolloutPolicy, list[str]]:
    """The policy without what the file's counts do not speak of."""
    notes = []
    limit = policy.limits.latency_p99_ms
    if limit is not None and (bucket := bucket_at_or_above(limit * 1000)) not in recording.bounds_us:
        notes.append(f"limits.latency_p99_ms is not judged: the counts have no column le_{bucket:.6g}")
        policy = replace(policy, limits=replace(policy.limits, latency_p99_ms=None))
    if policy.evidence.source is Source.PROXY:
        notes.append("the counts are taken to be the proxy's, whom the policy asks for")
    if policy.paused:
        notes.append("the policy says paused, which would hold everything; it is left out")
    evidence = replace(policy.evidence, source=Source.SERVER)
    return replace(policy, evidence=evidence, paused=False), notes


def _spacing(counts: Sequence[PodCount]) -> float:
    """The shortest time between two counts, in seconds."""
    times = sorted({count.end for count in counts})
    return min((later - sooner for sooner, later in pairwise(times)), default=_USUAL_SPACING)


def _calibration(recording: Recording, policy: RolloutPolicy, begins: float) -> Calibration:
    spacing = _spacing(recording.counts)
    past = [
        count
        for count in recording.counts
        if count.track is Track.STABLE
        and begins - _PAST_SECONDS < count.end < begins
        and count.end not in recording.unknown
    ]
    # Stable's own counts choose the bounds, and say nothing of the canary: where it has no past, the present will do.
    telling = past or [count for count in recording.counts if count.track is Track.STABLE]
    blocks = {seconds: _blocks(past, seconds) for seconds in BLOCKS}
    calibration = chosen(
        {seconds: dispersion(found) for seconds, found in blocks.items()} if past else {},
        _profile(telling, recording.bounds_us),
        policy,
        timedelta(seconds=spacing),
        base=bad_ratio(blocks[BLOCKS[0]]),
    )
    if policy.evidence.interval is None and calibration.interval.total_seconds() < spacing:
        return replace(calibration, interval=timedelta(seconds=spacing))
    return calibration


def _blocks(counts: Iterable[PodCount], seconds: int) -> list[list[tuple[int, int]]]:
    """(bad, requests) of each pod, for each block of the clock."""
    blocks: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
    for count in counts:
        bad, requests = blocks[_number(count.end, seconds)].get(count.pod, (0, 0))
        blocks[_number(count.end, seconds)][count.pod] = (bad + count.bad, requests + count.requests)
    return [list(blocks[number].values()) for number in sorted(blocks)]


def _profile(counts: Sequence[PodCount], bounds_us: tuple[float, ...]) -> LatencyProfile:
    requests = sum(count.requests for count in counts)
    if not requests:
        return LatencyProfile()
    fast = [sum(count.fast[index] for count in counts) for index in range(len(bounds_us))]
    return LatencyProfile(
        tuple((bound, max(0.0, 1 - within / requests)) for bound, within in zip(bounds_us, fast, strict=True))
    )


def _intervals(
    recording: Recording, calibration: Calibration, begins: float, ends_at: float
) -> tuple[tuple[IntervalCounts, ...], tuple[float, ...]]:
    """Each interval of the clock from the canary's first count to its last, and the time of the last count in it.

    One without any count has no requests, as after a scrape that was missed; one of which not all is known is left out.
    """
    length = calibration.interval.total_seconds()
    first, last = _number(begins, length), _number(ends_at, length)
    if last - first >= _MOST_INTERVALS:
        raise InvalidInput(
            f"the counts span {last - first + 1} intervals of {length:g} s, and {_MOST_INTERVALS} are the most: "
            "is a time wrong?"
        )
    found: dict[int, list[PodCount]] = defaultdict(list)
    for count in recording.counts:
        found[_number(count.end, length)].append(count)
    unknown = {_number(end, length) for end in recording.unknown}
    positions = [recording.bounds_us.index(bound) for bound in calibration.bounds_us]
    intervals, ends = [], []
    for number in range(first, last + 1):
        if number in unknown:
            continue
        canary = [count for count in found[number] if count.track is Track.CANARY]
        stable = [count for count in found[number] if count.track is Track.STABLE]
        intervals.append(IntervalCounts(number * length, _arm(canary, positions), _arm(stable, positions)))
        ends.append(max((count.end for count in found[number]), default=number * length))
    return tuple(intervals), tuple(ends)


def _arm(counts: Sequence[PodCount], positions: Sequence[int]) -> ArmCounts:
    """Pods together. Who is to blame for a bad request is not recorded: the ceilings take all of them."""
    requests, bad = sum(count.requests for count in counts), sum(count.bad for count in counts)
    slow = tuple(
        min(requests, max(0, requests - sum(count.fast[position] for count in counts))) for position in positions
    )
    return ArmCounts(requests, bad, bad, slow)


def _number(end: float, seconds: float) -> int:
    return math.ceil(end / seconds - _HAIR)
