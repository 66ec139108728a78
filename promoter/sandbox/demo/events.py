"""The promoter's log as values, read while it is being written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidName

_ROLLOUT = "rollout."
_HELD = "rollout.hold"
_PUSHED = "commit.pushed"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. at: seconds since the epoch. facts: what the line says besides, by its keys."""

    at: float
    name: str
    facts: Mapping[str, Any]

    @property
    def is_about_rollout(self) -> bool:
        """Whether it says what a pass made of a model."""
        return self.name.startswith(_ROLLOUT)

    @property
    def is_decision(self) -> bool:
        """Whether it says that a pass will change something."""
        return self.is_about_rollout and self.name != _HELD

    @property
    def pushed(self) -> str | None:
        """The revision that was pushed, None where the event is another."""
        return str(self.facts["revision"]) if self.name == _PUSHED and "revision" in self.facts else None

    @property
    def reason(self) -> str:
        return str(self.facts.get("reason", ""))

    @property
    def canary(self) -> ModelVersion | None:
        """The version on trial, None where the event names none."""
        try:
            return ModelVersion(self.facts["canary"])
        except (KeyError, TypeError, InvalidName):
            return None

    def number(self, key: str) -> float | None:
        """The fact of this name, None where it is not there or no number."""
        value = self.facts.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Decided:
    """A pushed commit, and when the pass that made it reached its verdict (seconds since the epoch)."""

    revision: str
    at: float


def parse_event(line: str) -> Event | None:
    """The event of one line; None for whatever else ends up in a log (a warning of Python's, a trace)."""
    try:
        facts = json.loads(line)
        at = datetime.fromisoformat(facts.pop("timestamp")).timestamp()
        return Event(at, str(facts.pop("event")), facts)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def decisions(events: tuple[Event, ...]) -> tuple[Decided, ...]:
    """Every push, with the verdict before it."""
    found = []
    verdict: Event | None = None
    for event in events:
        if event.is_decision:
            verdict = event
        elif event.pushed is not None and verdict is not None:
            found.append(Decided(event.pushed, verdict.at))
            verdict = None
    return tuple(found)


class EventLog:
    """Follows a log file. Half a line at its end is left for the next look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._events: list[Event] = []

    def look(self) -> tuple[Event, ...]:
        """All events so far, in the order of the file."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                whole, _, _ = file.read().rpartition(b"\n")
            if whole:
                self._offset += len(whole) + 1
                lines = whole.decode(errors="replace").split("\n")
                self._events += [event for line in lines if (event := parse_event(line)) is not None]
        return tuple(self._events)
