"""What a pass decided. Every action carries its reason as a sentence for a person."""

from __future__ import annotations

from dataclasses import dataclass

from promoter.domain.evidence import Evidence
from promoter.domain.preflight import Preflight
from promoter.domain.release import Rejection
from promoter.domain.version import Digest, ModelVersion


@dataclass(frozen=True, slots=True)
class StartCanary:
    """Begin a rollout: the canary's pods, at weight 0, and a floor under stable's.

    preflight: the one it passed. back: it was stable lately, and a person wants it back. left: what is rejected with
    it, because a person leaves it.
    """

    version: ModelVersion
    digest: Digest
    replicas: int
    stable_replicas: int
    reason: str
    evidence: Evidence | None = None
    preflight: Preflight | None = None
    back: bool = False
    left: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the canary `weight` percent of the requests, and pods for the weight after it. back: as in StartCanary."""

    version: ModelVersion
    weight: int
    replicas: int
    reason: str
    evidence: Evidence | None = None
    back: bool = False


@dataclass(frozen=True, slots=True)
class Promote:
    """The canary (or a model's first version, by its preflight alone) becomes stable."""

    version: ModelVersion
    digest: Digest
    reason: str
    evidence: Evidence | None = None
    preflight: Preflight | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """The version failed its preflight and is not offered again; it has never had a pod."""

    version: ModelVersion
    reason: str
    preflight: Preflight
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Withhold:
    """A person took `versions` out of service: they are rejected, by a reason that cites the person's commit.

    version: the newest of them.
    """

    version: ModelVersion
    versions: frozenset[ModelVersion]
    reason: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Revert:
    """There is evidence against the version: weight 0 and rejected; once that is live, no canary."""

    version: ModelVersion
    reason: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Nobody can see or control the canary: weight 0, not rejected; it may start again."""

    version: ModelVersion
    reason: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The step for which a person's approval is asked.

    starts: it is the version's start, and otherwise its promotion. reason: of the step, a sentence. preflight: the one
    it passed. replicas: the pods that carry all requests, None where none are served yet.
    """

    version: ModelVersion
    digest: Digest
    starts: bool
    reason: str
    preflight: Preflight | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """This pass changes nothing. `alarm`: a person should look. `asked`: what waits for nothing but an approval."""

    reason: str
    evidence: Evidence | None = None
    alarm: bool = False
    asked: Asked | None = None


Action = StartCanary | SetWeight | Promote | Reject | Withhold | Revert | Withdraw | Hold


def is_way_back(action: Action) -> bool:
    """Whether it takes traffic from a version that should not have it: no freeze, window or limit makes that wait."""
    return isinstance(action, Revert | Withdraw) or (isinstance(action, StartCanary | SetWeight) and action.back)


# How trailers, logs and JSON spell them.
ACTION_NAMES: dict[type[Action], str] = {
    StartCanary: "start-canary",
    SetWeight: "set-weight",
    Promote: "promote",
    Reject: "reject",
    Withhold: "withhold",
    Revert: "revert",
    Withdraw: "withdraw",
    Hold: "hold",
}
