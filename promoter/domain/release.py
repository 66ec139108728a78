"""What an environment serves: stable, canary, rejected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.errors import InvalidName


@dataclass(frozen=True, slots=True)
class Stable:
    """The version that keeps the rest of the traffic.

    `replicas` is the autoscaler's floor while a rollout is under way, None otherwise.
    """

    version: ModelVersion
    digest: Digest
    replicas: int | None = None

    @property
    def pin(self) -> StoredVersion:
        """The version, and the digest of its files."""
        return StoredVersion(self.version, self.digest)


class Promotion(StrEnum):
    """A person's word on how the canary is promoted.

    FULL: it takes the place of the evidence that is still lacking. BACK: the canary was stable lately, and stable is
    what the person leaves; the promoter writes it where a person asked for that.
    """

    FULL = "full"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Canary:
    """The version on trial, and the percentage of requests it receives.

    `replicas` is a floor, sized for the next weight. `since` is when the rollout began (UTC): its
    evidence counts from there. `withdrawn` is the reason why the weight was taken back without
    evidence against the version, None while it was not; `withdrawals` counts how often that
    happened in this rollout, because the pause before the next try doubles each time. `approved`: a person agrees
    that it gets all requests, once there is evidence enough. `promote` is a person's
    word that the rest be skipped, None without one.
    """

    version: ModelVersion
    digest: Digest
    weight: int
    replicas: int
    since: datetime
    withdrawn: str | None = None
    withdrawals: int = 0
    approved: bool = False
    promote: Promotion | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise InvalidName(f"{self.weight} is not a weight: use a whole number from 0 to 100")

    @property
    def pin(self) -> StoredVersion:
        """The version, and the digest of its files."""
        return StoredVersion(self.version, self.digest)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A version that was reverted, or failed its preflight, and is not offered again."""

    version: ModelVersion
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word that nothing starts and nothing rises, where the promoter may write it down.

    by: who said it. at: when (UTC). said: the address at which it was said, None for none. `paused: true` in
    policy.yaml is the same word in a file of people's.
    """

    by: str
    reason: str
    at: datetime
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """What one environment serves of one model. `stable` is None before the first version.

    `approved` is the version that a person agreed to start, None for none. `start` is one that a person wants back,
    with the digest by which it was stable: the only way in which a version below stable becomes a canary. `paused`
    stays through all that becomes of the versions, until a person lifts it.
    """

    stable: Stable | None = None
    canary: Canary | None = None
    rejected: tuple[Rejection, ...] = ()
    approved: StoredVersion | None = None
    start: StoredVersion | None = None
    paused: Pause | None = None

    def rejection(self, version: ModelVersion) -> Rejection | None:
        """The rejection of `version`, or None where it was not rejected."""
        return next((entry for entry in self.rejected if entry.version == version), None)

    @property
    def sought(self) -> StoredVersion | None:
        """The version that a person wants back, None for none and where it is stable."""
        if self.start is None or self.stable is None or self.start.version == self.stable.version:
            return None
        return self.start

    @property
    def pinned(self) -> tuple[StoredVersion, ...]:
        """The versions that are served now, stable first."""
        live = (self.stable, self.canary)
        return tuple(entry.pin for entry in live if entry is not None)
