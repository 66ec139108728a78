"""Freezes: where nothing starts and nothing rises, because a person said so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from promoter.domain.names import ServedModel, checked_name
from promoter.errors import InvalidName

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze. scope: `all`, an environment, or a model as `environment/[group/]model`.

    by: who said so, None where that is not told. until: when it ends by itself, None for never. Raises InvalidName for
    a scope of another form.
    """

    scope: str
    reason: str
    by: str | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        parts = self.scope.split("/")
        if len(parts) > 3:
            raise InvalidName(f"{self.scope!r} is no scope: write all, an environment, or environment/model")
        for name, what in zip(parts, ("environment", "group", "model")[: len(parts)], strict=True):
            checked_name(name, what)

    def covers(self, served: ServedModel) -> bool:
        """Whether it is about this model."""
        return self.scope in (EVERYTHING, served.environment, str(served))

    def holds(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that bars steps forward does not parse, so nobody knows what it bars. fault: with file and remedy."""

    fault: str
