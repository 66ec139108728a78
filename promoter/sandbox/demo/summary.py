"""What a play amounts to: one line a version, the figures of the whole, and what was not as it must be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from promoter.control.explain import Explanation
from promoter.domain.action import ACTION_NAMES, Reject
from promoter.domain.figures import grouped
from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import Character, Outcome, faulty_versions
from promoter.sandbox.demo.commits import by_version
from promoter.sandbox.demo.events import decisions
from promoter.sandbox.demo.fixed_schedule import FixedScheduleCost, fixed_schedule_cost
from promoter.sandbox.demo.record import Course, Record
from promoter.sandbox.demo.splits import WeightChange, weight_changes
from promoter.sandbox.traffic_results import TrafficSecond, failures

LEAST_RATE = 50.0
LONGEST_TO_LIVE = 2.0

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """One version's line.

    seconds: from the drop to the end. requests, failed_requests: of all that were sent in this time, whoever
    answered. on_canary, failed_on_canary: of those that this version answered. commits: how many its
    course took. fixed_schedule: what it would have cost under one, None where it answered nothing.
    """

    character: Character
    outcome: Outcome
    reason: str
    seconds: float
    requests: int
    failed_requests: int
    on_canary: int
    failed_on_canary: int
    commits: int
    fixed_schedule: FixedScheduleCost | None

    @property
    def failure_ratio(self) -> float:
        """Share of the requests it answered that failed."""
        return self.failed_on_canary / self.on_canary if self.on_canary else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole play.

    transition_failures: failed requests that no faulty version answered. rate: requests per second that
    were really sent, on average. changes: commits that changed weights, with how soon Envoy followed.
    peak_rss: in bytes. explained: every decision, computed again at the end, but for those that follow from a
    preflight alone.
    """

    versions: tuple[VersionSummary, ...]
    transition_failures: int
    requests: int
    rate: float
    changes: tuple[WeightChange, ...]
    peak_rss: int
    explained: tuple[Explanation, ...]

    @property
    def median_to_live(self) -> float | None:
        """Seconds from a verdict to its weight in Envoy; None where no weight changed."""
        return median(change.seconds for change in self.changes) if self.changes else None

    @property
    def longest_to_live(self) -> float | None:
        return max((change.seconds for change in self.changes), default=None)

    @property
    def not_reproduced(self) -> tuple[Explanation, ...]:
        """The decisions that did not come out the same."""
        return tuple(entry for entry in self.explained if not entry.same)

    @property
    def reproduced(self) -> int:
        """How many decisions came out the same."""
        return len(self.explained) - len(self.not_reproduced)


def summarise(record: Record, explained: Sequence[Explanation]) -> Summary:
    """The figures of a play. explained: its decisions, computed again."""
    rate = sending_rate(record.seconds)
    traffic, commits = record.traffic(), by_version(record.commits)
    versions = tuple(
        _version_summary(
            course, traffic[course.character.version], len(commits.get(course.character.version, ())), rate
        )
        for course in record.courses
    )
    return Summary(
        versions=versions,
        transition_failures=transition_failures(record.seconds, faulty_versions()),
        requests=sum(second.sent for second in record.seconds),
        rate=rate,
        changes=weight_changes(record.commits, decisions(record.events), record.splits),
        peak_rss=record.peak_rss,
        explained=tuple(entry for entry in explained if entry.recorded.action != ACTION_NAMES[Reject]),
    )


def transition_failures(seconds: Iterable[TrafficSecond], faulty: frozenset[ModelVersion]) -> int:
    """Failed requests that a good version answered, or none at all.

    A faulty version's failures are its own; every other one would be the fault of a change of weights,
    routes or pods.
    """
    return sum(
        failures(codes)
        for second in seconds
        for version, codes in second.answered.items()
        if version is None or version not in faulty
    )


def sending_rate(seconds: Sequence[TrafficSecond]) -> float:
    """Requests per second over the whole seconds; the last line of a run is cut short, so it is left out."""
    whole = seconds[:-1]
    return sum(second.sent for second in whole) / len(whole) if whole else 0.0


def shortcomings(summary: Summary) -> tuple[str, ...]:
    """A sentence for each thing that was not as it must be; none where all was."""
    return tuple(_shortcomings(summary))


def as_json(summary: Summary) -> dict[str, Any]:
    """summary.json."""
    return {
        "versions": [
            {
                "version": version.character.version.number,
                "outcome": version.outcome.value,
                "reason": version.reason,
                "seconds": round(version.seconds, 1),
                "requests": version.requests,
                "failed_requests": version.failed_requests,
                "failed_on_canary": version.failed_on_canary,
                "commits": version.commits,
                "fixed_schedule_failed_requests": (
                    version.fixed_schedule.failed_requests if version.fixed_schedule else None
                ),
            }
            for version in summary.versions
        ],
        "transition_failures": summary.transition_failures,
        "promoter_peak_rss_mb": round(summary.peak_rss / _MEGABYTE, 1),
        "requests": summary.requests,
        "requests_per_second": round(summary.rate, 1),
        "verdict_to_live_seconds": {
            "median": _rounded(summary.median_to_live),
            "max": _rounded(summary.longest_to_live),
        },
        "decisions_recomputed": {"same": summary.reproduced, "of": len(summary.explained)},
    }


def _version_summary(course: Course, traffic: Sequence[TrafficSecond], commits: int, rate: float) -> VersionSummary:
    version = course.character.version
    answered = [codes for second in traffic for codes in (second.answered.get(version, {}),)]
    on_canary = sum(sum(codes.values()) for codes in answered)
    failed = sum(failures(codes) for codes in answered)
    return VersionSummary(
        character=course.character,
        outcome=course.outcome,
        reason=course.reason,
        seconds=course.ended_at - course.dropped_at,
        requests=sum(second.sent for second in traffic),
        failed_requests=sum(failures(codes) for second in traffic for codes in second.answered.values()),
        on_canary=on_canary,
        failed_on_canary=failed,
        commits=commits,
        fixed_schedule=fixed_schedule_cost(rate, failed / on_canary) if on_canary else None,
    )


def _shortcomings(summary: Summary) -> Iterator[str]:
    for version in summary.versions:
        if version.outcome is not version.character.must_end:
            yield (
                f"Version {version.character.version} ({version.character.title}) must end "
                f"{version.character.must_end}, and is {version.outcome}: {version.reason}"
            )
    if summary.transition_failures:
        yield (
            f"{grouped(summary.transition_failures)} requests failed that no faulty version answered; "
            "a change of weights may not cost one"
        )
    if summary.rate < LEAST_RATE:
        yield f"Only {summary.rate:.0f} requests a second were sent; at least {LEAST_RATE:.0f} make the figures telling"
    for entry in summary.not_reproduced:
        subject = entry.commit.message.partition("\n")[0]
        yield f"Commit {entry.commit.revision[:7]} ({subject}) was not reproduced. {entry.conclusion}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
