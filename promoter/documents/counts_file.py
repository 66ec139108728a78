"""Recorded counts as CSV: `time,version,role,pod,requests,bad`, and `le_<microseconds>` for each latency bound.

docs/reference/files.md describes every column. What the counts amount to is left to the decisions.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from promoter.domain.recording import PodCount, Recording, Track
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument, InvalidName

LARGEST_FILE = 64 * 2**20

_COLUMNS = ("time", "version", "role", "pod", "requests", "bad")
_BOUND = re.compile(r"le_(\d+(?:\.\d+)?)", re.ASCII)
_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
_NEGATIVE = re.compile(r"-\d+", re.ASCII)
_REMEDY = "The columns are time,version,role,pod,requests,bad and, for latency, le_<microseconds>"


def parse_counts(content: bytes, where: str) -> Recording:
    """The recording that a file holds. `where` names it in errors; raises InvalidDocument.

    Counts that are not finite make their time unknown; more bad requests than requests, as a scrape between two
    counters leaves them, are cut to as many. Both are noted.
    """
    reader = csv.reader(io.StringIO(_decoded(content, where), newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise InvalidDocument(where, None, "the file is empty", _REMEDY)
        rows = _Rows(where, _columns(header, where))
        for cells in reader:
            if cells:
                rows.add(cells, reader.line_num)
    except csv.Error as error:
        raise InvalidDocument(where, reader.line_num, f"this is no CSV: {error}", _REMEDY) from error
    return rows.recording()


def _decoded(content: bytes, where: str) -> str:
    if len(content) > LARGEST_FILE:
        raise InvalidDocument(where, None, f"has {len(content)} bytes", f"{LARGEST_FILE} are the most that are read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(where, line, "this is not UTF-8", "Save the file as UTF-8") from error


def _columns(header: list[str], where: str) -> dict[str, int]:
    """The position of each column, by its name."""
    names = [name.strip() for name in header]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise InvalidDocument(where, 1, f"lacks the column {missing[0]!r}", _REMEDY)
    for name in names:
        if name not in _COLUMNS and not (_BOUND.fullmatch(name) and float(name[3:]) > 0):
            raise InvalidDocument(where, 1, f"{name[:80]!r} is no column that is known", _REMEDY)
        if names.count(name) > 1:
            raise InvalidDocument(where, 1, f"has the column {name!r} twice", "Keep one of them")
    return {name: position for position, name in enumerate(names)}


@dataclass(slots=True)
class _Rows:
    """Takes line after line, each checked against those before it."""

    where: str
    columns: Mapping[str, int]
    counts: list[PodCount] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: set[float] = field(default_factory=set)
    _last: float = -math.inf
    _pods: dict[str, tuple[Track, ModelVersion]] = field(default_factory=dict)
    _versions: dict[Track, ModelVersion] = field(default_factory=dict)
    _at_last: set[str] = field(default_factory=set)
    _bounds: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._bounds = sorted((float(name[3:]), name) for name in self.columns if name not in _COLUMNS)

    def add(self, cells: list[str], line: int) -> None:
        """Take one line; raises InvalidDocument."""
        if len(cells) != len(self.columns):
            raise self._fault(line, f"has {len(cells)} values for {len(self.columns)} columns", "Mend the line")
        row = {name: cells[position].strip() for name, position in self.columns.items()}
        end = self._time(row["time"], line)
        track, pod = self._track(row["role"], line), row["pod"]
        self._check_pod(pod, track, self._version(row["version"], line), line)
        counts = [self._count(row, name, line) for name in ("requests", "bad", *(name for _, name in self._bounds))]
        if None in counts:
            self.unknown.add(end)
            self.notes.append(f"{self.where}:{line}: a count is not finite, so what ended at {row['time']} is left out")
            return
        requests, bad, *fast = (count for count in counts if count is not None)
        if bad > requests:
            self.notes.append(f"{self.where}:{line}: {bad} bad requests of {requests} are taken as {requests}")
        if fast != sorted(fast):
            raise self._fault(line, "counts fewer requests under a larger bound than under a smaller one", "Mend it")
        self.counts.append(PodCount(end, track, pod, requests, min(bad, requests), tuple(fast)))

    def recording(self) -> Recording:
        """Everything that was taken; raises InvalidDocument where there is nothing to judge."""
        if not self.counts:
            raise InvalidDocument(self.where, None, "has no counts below its header", _REMEDY)
        canary = self._versions.get(Track.CANARY)
        if canary is None:
            raise InvalidDocument(
                self.where, None, "has no line whose role is canary, so there is nothing to judge", "Add its counts"
            )
        bounds = tuple(bound for bound, _ in self._bounds)
        stable = self._versions.get(Track.STABLE)
        return Recording(tuple(self.counts), stable, canary, bounds, frozenset(self.unknown), tuple(self.notes))

    def _time(self, text: str, line: int) -> float:
        try:
            end = float(text)
        except ValueError:
            end = math.nan
        if not math.isfinite(end) or end < 0:
            raise self._fault(line, f"{text[:40]!r} is no time", "Write seconds, as in 1790000015: the interval's end")
        if end < self._last:
            raise self._fault(
                line, f"time goes backwards, from {self._last:.15g} to {text[:40]}", "Sort the lines by time"
            )
        if end > self._last:
            self._at_last = set()
        self._last = end
        return end

    def _track(self, text: str, line: int) -> Track:
        try:
            return Track(text)
        except ValueError as error:
            raise self._fault(line, f"{text[:40]!r} is no role", "Write stable or canary") from error

    def _version(self, text: str, line: int) -> ModelVersion:
        try:
            return ModelVersion.from_name(text)
        except InvalidName as error:
            raise self._fault(line, str(error), "") from error

    def _check_pod(self, pod: str, track: Track, version: ModelVersion, line: int) -> None:
        shown = repr(pod[:80])
        if not pod:
            raise self._fault(line, "names no pod", "Write the pod's name, or any name where there is one pod only")
        known_track, known_version = self._pods.setdefault(pod, (track, version))
        if known_track is not track:
            raise self._fault(
                line, f"pod {shown} is {track} here and {known_track} before", "A pod has one role in a rollout"
            )
        if known_version != version:
            raise self._fault(
                line, f"pod {shown} serves {version} here and {known_version} before", "A pod serves one version"
            )
        if self._versions.setdefault(track, version) != version:
            raise self._fault(
                line, f"{track} is {version} here and {self._versions[track]} before", "One file holds one rollout"
            )
        if pod in self._at_last:
            raise self._fault(line, f"pod {shown} has a line for this time already", "Keep one of them")
        self._at_last.add(pod)

    def _count(self, row: Mapping[str, str], name: str, line: int) -> int | None:
        """A count; None for one that is not finite."""
        text = row[name]
        if _WHOLE.fullmatch(text):
            return int(text)
        if _NEGATIVE.fullmatch(text):
            raise self._fault(line, f"{name} is {text[:40]}, and a count is not negative", "Write how many they were")
        if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            return None
        raise self._fault(line, f"{name} is {text[:40]!r}, which is no whole number", "Write how many they were")

    def _fault(self, line: int, problem: str, remedy: str) -> InvalidDocument:
        return InvalidDocument(self.where, line, problem, remedy)
