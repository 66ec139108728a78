"""What the pictures show: weight, failures and latency over the time of one course, and its decisions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from promoter.domain.release import Release
from promoter.domain.version import ModelVersion
from promoter.pictures.in_page import Mark
from promoter.sandbox.demo.commits import RecordedCommit, by_version
from promoter.sandbox.demo.events import decisions
from promoter.sandbox.demo.record import Course, Record, during
from promoter.sandbox.traffic_results import Latency, TrafficSecond, failures

# As long as an interval of the demo's evidence: shorter ones hold too few requests of a canary.
BIN_SECONDS = 5.0

# How long a picture goes on after the end, so that the end can be seen.
_EPILOGUE_SECONDS = 4.0

# Seconds since the drop, and what was measured there; None where nothing was.
Points = tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """One version's requests. errors: percent that failed. p50, p99: latency in milliseconds."""

    version: ModelVersion
    errors: Points
    p50: Points
    p99: Points


@dataclass(frozen=True, slots=True)
class Story:
    """One course.

    weights: percent of requests to the canary, by Envoy, from a time on. marks: decisions, at the time of their
    verdicts. Times are seconds since the drop, and so is the length.
    """

    course: Course
    canary: Arm
    stable: Arm
    weights: tuple[tuple[float, float], ...]
    marks: tuple[Mark, ...]
    length: float


def stories(record: Record) -> Mapping[ModelVersion, Story]:
    """The courses in which something happened."""
    courses = by_version(record.commits)
    return {
        course.character.version: _story(record, course, courses[course.character.version])
        for course in record.courses
        if course.character.version in courses
    }


def _story(record: Record, course: Course, commits: Sequence[RecordedCommit]) -> Story:
    begin, version = course.dropped_at, course.character.version
    length = course.ended_at - begin + _EPILOGUE_SECONDS
    seconds = during(record.seconds, begin, begin + length)
    before = record.commits[record.commits.index(commits[0]) - 1]
    stable = before.release.stable.version if before.release.stable else version
    # A commit's own time is that of its pass, in whole seconds.
    verdicts = {entry.revision: entry.at for entry in decisions(record.events)}
    live = [(entry.at - begin, float(entry.split.get(version, 0))) for entry in record.splits]
    return Story(
        course=course,
        canary=_arm(version, seconds, begin),
        stable=_arm(stable, seconds, begin),
        weights=((0.0, 0.0), *((at, weight) for at, weight in live if 0 <= at <= length)),
        marks=tuple(
            Mark(max(0.0, verdicts.get(commit.revision, commit.at) - begin), _label(earlier.release, commit))
            for earlier, commit in pairwise((before, *commits))
        ),
        length=length,
    )


def _arm(version: ModelVersion, seconds: Sequence[TrafficSecond], begin: float) -> Arm:
    return Arm(
        version,
        errors=_binned(seconds, begin, lambda bunch: _failed_percent(bunch, version)),
        p50=_binned(seconds, begin, lambda bunch: _typical(bunch, version, lambda latency: latency.p50)),
        p99=_binned(seconds, begin, lambda bunch: _typical(bunch, version, lambda latency: latency.p99)),
    )


def _binned(
    seconds: Iterable[TrafficSecond], begin: float, measure: Callable[[Sequence[TrafficSecond]], float | None]
) -> Points:
    """`measure` of each bin, placed at its middle."""
    bins: dict[int, list[TrafficSecond]] = {}
    for second in seconds:
        bins.setdefault(int((second.time - 0.5 - begin) // BIN_SECONDS), []).append(second)
    return tuple(((number + 0.5) * BIN_SECONDS, measure(bunch)) for number, bunch in sorted(bins.items()))


def _failed_percent(bunch: Sequence[TrafficSecond], version: ModelVersion) -> float | None:
    answered = [second.answered.get(version, {}) for second in bunch]
    total = sum(sum(codes.values()) for codes in answered)
    return 100 * sum(failures(codes) for codes in answered) / total if total else None


def _typical(
    bunch: Sequence[TrafficSecond], version: ModelVersion, quantile: Callable[[Latency], float]
) -> float | None:
    """The median over the bin of a quantile that was taken each second."""
    values = [quantile(second.latency_ms[version]) for second in bunch if version in second.latency_ms]
    return median(values) if values else None


def _label(before: Release, commit: RecordedCommit) -> str:
    """What a commit did, in a word or two."""
    canary = commit.release.canary
    match commit.action:
        case "promote":
            return "stable"
        case "revert" | "withdraw" if canary is None:
            return "removed"
        case "reject":
            return "refused"
        case "revert":
            return "reverted"
        case "withdraw":
            return "withdrawn"
    if canary is None:
        return commit.what
    if before.canary is not None and before.canary.weight == canary.weight:
        return f"{canary.replicas} pods"
    return f"{canary.weight} %"
