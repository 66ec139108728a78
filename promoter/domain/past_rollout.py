"""What became of each version, as the commits of a model's folder tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promoter.domain.release import Release
from promoter.domain.repository import Commit
from promoter.domain.version import ModelVersion


class Ended(StrEnum):
    """How a rollout ended. TAKEN_AWAY: no longer the canary, and neither stable nor rejected. PLACED: by a person."""

    UNDER_WAY = "under way"
    PROMOTED = "promoted"
    REVERTED = "reverted"
    REFUSED = "refused by its preflight"
    TAKEN_AWAY = "taken away"
    PLACED = "made stable by a person"


@dataclass(frozen=True, slots=True)
class Step:
    """One commit in a model's folder, with the release before and after it.

    problem: why the release after it could not be read, None where it could; `after` is then the one before. withheld:
    it is the promoter's, and rejects what a person took out of service.
    """

    commit: Commit
    before: Release
    after: Release
    problem: str | None = None
    withheld: bool = False

    @property
    def weight(self) -> int | None:
        """The canary's weight from this commit on, None where there is no canary."""
        return self.after.canary.weight if self.after.canary else None

    @property
    def of_people(self) -> bool:
        """Whether people committed it, or said by a command what it states: nobody else pauses anything."""
        return not self.commit.ours or self.before.paused != self.after.paused


@dataclass(frozen=True, slots=True)
class PastRollout:
    """One version's course, from the commit that named it to the one that ended it and those that cleared up.

    steps: at least one, the oldest first; people's commits in the folder meanwhile are among them. stable: the version
    it was compared with, None for a model's first. deciding: the step that ended it, None while it is under way.
    """

    version: ModelVersion
    stable: ModelVersion | None
    steps: tuple[Step, ...]
    ended: Ended
    deciding: Step | None

    @property
    def began_at(self) -> datetime:
        return self.steps[0].commit.at

    @property
    def ended_at(self) -> datetime | None:
        """When it was decided, by the commit's time; None while it is under way."""
        return self.deciding.commit.at if self.deciding else None

    @property
    def weights(self) -> tuple[tuple[datetime, int], ...]:
        """Each weight that it had, with the time of the commit that gave it, from the first (0 %) on."""
        found: list[tuple[datetime, int]] = []
        for step in self.steps:
            canary = step.after.canary
            weight = canary.weight if canary is not None and canary.version == self.version else None
            if weight is not None and (not found or found[-1][1] != weight):
                found.append((step.commit.at, weight))
        return tuple(found)

    @property
    def exposed_at(self) -> datetime | None:
        """When it first got requests, by the commit's time: at a first weight, or as stable; None for never."""
        first = next((at for at, weight in self.weights if weight), None)
        return first or (self.ended_at if self.ended in (Ended.PROMOTED, Ended.PLACED) else None)

    @property
    def goes_back(self) -> bool:
        """Whether an older version took the place of a newer stable one."""
        became_stable = self.ended in (Ended.PROMOTED, Ended.PLACED)
        return became_stable and self.stable is not None and self.version < self.stable

    @property
    def of_people(self) -> tuple[Step, ...]:
        """What people committed meanwhile, or paused."""
        return tuple(step for step in self.steps if step.of_people)


# A model's history: rollouts, and people's commits between them.
Chapter = PastRollout | Step
