"""What people are told without asking, and who is told what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum

from promoter.domain.names import ServedModel


class Severity(IntEnum):
    """How much it matters. WARNING: a person may have to do something; FAILURE: users were at risk."""

    INFO = 0
    WARNING = 1
    FAILURE = 2


class Happening(StrEnum):
    """What a notice is about.

    HELD: nothing has changed in a rollout for longer than the file of routes says. WAITING: for a person's approval,
    and for nothing else.
    """

    STARTED = "started"
    PROMOTED = "promoted"
    REVERTED = "reverted"
    WITHDRAWN = "withdrawn"
    HELD = "held"
    PREFLIGHT_FAILED = "preflight-failed"
    WAITING = "waiting"

    @property
    def severity(self) -> Severity:
        if self is Happening.REVERTED:
            return Severity.FAILURE
        return Severity.INFO if self in (Happening.STARTED, Happening.PROMOTED) else Severity.WARNING


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. key: the same for the same happening, whichever promoter sees it. title: one line."""

    key: str
    served: ServedModel
    happening: Happening
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where some notices go. url_file: holds the target's address, which is a secret. environments: empty for all."""

    name: str
    url_file: str
    environments: frozenset[str] = frozenset()
    severity: Severity = Severity.INFO

    def takes(self, notice: Notice) -> bool:
        """Whether this notice goes there."""
        wanted = not self.environments or notice.served.environment in self.environments
        return wanted and notice.happening.severity >= self.severity


@dataclass(frozen=True, slots=True)
class Routes:
    """All of them. held_after: how long a rollout stands still before people are told."""

    routes: tuple[Route, ...] = field(default_factory=tuple)
    held_after: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Notified:
    """What the record in Git says. head: up to where commits were looked at. told: keys, the newest last."""

    head: str
    told: tuple[str, ...] = ()
