"""What the traffic source saw: one line of JSON a second, written by it, read by reports.

A line is `{"time": 1763841600.0, "sent": 80, "answered": {"42": {"OK": 79, "INVALID_ARGUMENT": 1}, "none": {…}},
"latency_ms": {"42": {"p50": 5.1, "p99": 9.8, "count": 79}}}`. An answer counts in the second in which it
came, a request in the one in which it was sent. The last line of a run is `{"totals": {…}}`.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument, InvalidName

OK = "OK"
# The code of a request that was due but not sent, because too many were still without an answer.
NOT_SENT = "NOT_SENT"

_NONE = "none"

# The version that answered; None where no model server did.
Answerer = ModelVersion | None
# Answers by version and by the name of their status code.
Answers = Mapping[Answerer, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Latency:
    """Quantiles over the OK answers of one version in one second, in milliseconds."""

    p50: float
    p99: float
    count: int


@dataclass(frozen=True, slots=True)
class TrafficSecond:
    """One second. time: its end, in seconds since the epoch."""

    time: float
    sent: int
    answered: Answers
    latency_ms: Mapping[Answerer, Latency]


@dataclass(frozen=True, slots=True)
class TrafficResults:
    """All seconds of a results file, in order."""

    seconds: tuple[TrafficSecond, ...]

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(second.sent for second in self.seconds)

    def answered(self) -> Answers:
        """Answers over all seconds."""
        total: dict[Answerer, Counter[str]] = {}
        for second in self.seconds:
            for version, codes in second.answered.items():
                total.setdefault(version, Counter()).update(codes)
        return total

    def failed(self) -> Mapping[Answerer, int]:
        """Requests that did not end OK, by the version that answered them."""
        return {version: failures(codes) for version, codes in self.answered().items()}


def failures(codes: Mapping[str, int]) -> int:
    """How many of `codes` are not OK."""
    return sum(count for code, count in codes.items() if code != OK)


class Tally:
    """Counts until the second is over. Its memory is bounded by the requests of one second."""

    def __init__(self) -> None:
        self._sent = 0
        self._answered: dict[Answerer, Counter[str]] = {}
        self._latencies: dict[Answerer, list[float]] = {}

    def count_sent(self) -> None:
        """A request went out."""
        self._sent += 1

    def count_answer(self, version: Answerer, code: str, latency_ms: float | None = None) -> None:
        """A request ended; `latency_ms` matters where it ended OK."""
        self._answered.setdefault(version, Counter())[code] += 1
        if code == OK and latency_ms is not None:
            self._latencies.setdefault(version, []).append(latency_ms)

    def take(self, time: float) -> TrafficSecond:
        """The second that ended at `time`; counting starts again."""
        latency = {version: _latency(values) for version, values in self._latencies.items()}
        second = TrafficSecond(time, self._sent, self._answered, latency)
        self._sent, self._answered, self._latencies = 0, {}, {}
        return second


class ResultsFile:
    """Appends to a results file; each line is one write, so a reader never sees lines mixed."""

    def __init__(self, path: Path) -> None:
        """Open `path`, make it if need be; an unfinished last line of an earlier run is closed first."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._sent = 0
        self._answered: dict[Answerer, Counter[str]] = {}
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def write(self, second: TrafficSecond) -> None:
        """Append one second."""
        self._sent += second.sent
        for version, codes in second.answered.items():
            self._answered.setdefault(version, Counter()).update(codes)
        self._append(
            {
                "time": second.time,
                "sent": second.sent,
                "answered": _spelled(second.answered),
                "latency_ms": {
                    _name(version): {"p50": latency.p50, "p99": latency.p99, "count": latency.count}
                    for version, latency in second.latency_ms.items()
                },
            }
        )

    def close(self) -> None:
        """Append the totals of this run and close."""
        self._append({"totals": {"sent": self._sent, "answered": _spelled(self._answered)}})
        os.close(self._file)

    def _append(self, line: Mapping[str, Any]) -> None:
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def read_results(path: Path) -> TrafficResults:
    """The seconds in `path`, also while it is being written and after a kill in mid-line. Raises InvalidDocument."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InvalidDocument(str(path), None, f"cannot be read ({error.strerror})") from error
    return TrafficResults(tuple(_seconds(path, lines)))


def _seconds(path: Path, lines: list[bytes]) -> Iterable[TrafficSecond]:
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
        except ValueError:
            # Empty lines end the file, and half a line is where a run was killed.
            continue
        try:
            if "totals" not in fields:
                yield _second(fields)
        except (AttributeError, KeyError, TypeError, ValueError, InvalidName) as error:
            raise InvalidDocument(str(path), number, f"is not a second of traffic ({error!r})") from error


def _second(fields: Mapping[str, Any]) -> TrafficSecond:
    return TrafficSecond(
        time=float(fields["time"]),
        sent=int(fields["sent"]),
        answered={_version(name): dict(codes) for name, codes in fields["answered"].items()},
        latency_ms={
            _version(name): Latency(float(entry["p50"]), float(entry["p99"]), int(entry["count"]))
            for name, entry in fields["latency_ms"].items()
        },
    )


def _latency(values: list[float]) -> Latency:
    """Quantiles by nearest rank: each is a latency that really occurred."""
    ordered = sorted(values)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return Latency(round(p50, 3), round(p99, 3), len(ordered))


def _spelled(answers: Answers) -> dict[str, dict[str, int]]:
    return {_name(version): dict(codes) for version, codes in answers.items()}


def _name(version: Answerer) -> str:
    return _NONE if version is None else str(version)


def _version(name: str) -> Answerer:
    return None if name == _NONE else ModelVersion.from_name(name)
