"""What people ask of a rollout: where candidates come from, how much proof, how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.preflight import PreflightPolicy
from promoter.domain.window import Window


class Bet(StrEnum):
    """What the error counts of one interval are bet on.

    SHARE: the canary's share of the bad requests; holds under bursts and retries. REQUEST: each request on
    its own; up to five times faster, and valid only where requests fail independently. AUTO: what stable's
    own past allows.
    """

    AUTO = "auto"
    SHARE = "share"
    REQUEST = "request"


class Source(StrEnum):
    """Whose counters speak: the servers' own, those of the proxy before them, or both where both exist."""

    BOTH = "both"
    PROXY = "proxy"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class CandidateSource:
    """Where candidates come from: the address of a model store, or an upstream environment. Exactly one is set.

    complete: by which sign a version in the store is complete. upstream_soak: how long a version has been stable
    upstream before it is offered.
    """

    store: str | None = None
    upstream: str | None = None
    complete: Completeness = field(default_factory=ByManifest)
    upstream_soak: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class EvidencePolicy:
    """How much proof is asked for.

    false_revert: allowed chance of reverting a good version, over one whole rollout (alpha).
    false_promote: allowed chance of promoting a version worse than the margin (beta).
    margin: excess error ratio that is tolerated (eps).
    interval: length of one evidence interval, aligned to the wall clock; None means 15 s for the share bet
    and one scrape for the request bet.
    bet, kappa: how it is bet, and how many times worse than stable is no harm; kappa None means from history.
    source: whose counters speak.
    """

    false_revert: float = 0.01
    false_promote: float = 0.05
    margin: float = 0.005
    interval: timedelta | None = None
    bet: Bet = Bet.AUTO
    kappa: float | None = None
    source: Source = Source.BOTH


@dataclass(frozen=True, slots=True)
class Limits:
    """Absolute ceilings; None means relative only.

    error_ratio: share of requests that may fail for the server's fault, 0 to 1.
    latency_p99_ms: 99 % of requests must be answered within it.
    """

    error_ratio: float | None = None
    latency_p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class RampPolicy:
    """How fast the weight may rise.

    budget: failed requests one is ready to lose in one reaction time. max_weight: the largest
    weight below 100. steps: rising weights, each a cap that is not jumped over; may be empty.
    """

    budget: float = 50.0
    max_weight: int = 30
    steps: tuple[int, ...] = ()


class Approval(StrEnum):
    """Who has to agree to a step. PULL_REQUEST: a person, by merging the promoter's pull request."""

    NONE = "none"
    PULL_REQUEST = "pull-request"


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """start: before a canary has any pod. promote: before it gets all requests. No way back asks for either."""

    start: Approval = Approval.NONE
    promote: Approval = Approval.NONE


class Traffic(StrEnum):
    """Whose requests are the evidence: people's, or the golden ones that are sent in their place."""

    PEOPLE = "people"
    GOLDEN = "golden"


@dataclass(frozen=True, slots=True)
class RolloutPolicy:
    """One model's policy in one environment.

    max_step: how long one weight may take to prove enough for the next; longer is said, and never succeeds by itself.
    rollback_window: how long after it stopped being stable a version comes back without analysis.
    windows: when rollouts start and rise; none: always. holidays: path of an iCalendar file with days on which no
    window is open.
    preflight: what `promoter verify` asks of a version before it serves.
    """

    candidates: CandidateSource
    evidence: EvidencePolicy = field(default_factory=EvidencePolicy)
    limits: Limits = field(default_factory=Limits)
    ramp: RampPolicy = field(default_factory=RampPolicy)
    soak: timedelta = timedelta(minutes=5)
    guard: timedelta = timedelta(minutes=10)
    max_blind: timedelta = timedelta(seconds=60)
    max_step: timedelta = timedelta(hours=1)
    traffic: Traffic = Traffic.PEOPLE
    rollback_window: timedelta = timedelta(hours=24)
    windows: tuple[Window, ...] = ()
    holidays: str | None = None
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    paused: bool = False
    preflight: PreflightPolicy = field(default_factory=PreflightPolicy)
