"""What people ask of a rollout: where candidates come from, how much proof, how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class CandidateSource:
    """Where candidates come from: the address of a model store, or an upstream environment. Exactly one is set."""

    store: str | None = None
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class EvidencePolicy:
    """How much proof is asked for.

    false_revert: allowed chance of reverting a good version, over one whole rollout (alpha).
    false_promote: allowed chance of promoting a version worse than the margin (beta).
    margin: excess error ratio that is tolerated (eps).
    interval: length of one evidence interval, aligned to the wall clock.
    """

    false_revert: float = 0.01
    false_promote: float = 0.05
    margin: float = 0.005
    interval: timedelta = timedelta(seconds=15)


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


@dataclass(frozen=True, slots=True)
class RolloutPolicy:
    """One model's policy in one environment."""

    candidates: CandidateSource
    evidence: EvidencePolicy = field(default_factory=EvidencePolicy)
    limits: Limits = field(default_factory=Limits)
    ramp: RampPolicy = field(default_factory=RampPolicy)
    soak: timedelta = timedelta(minutes=5)
    guard: timedelta = timedelta(minutes=10)
    max_blind: timedelta = timedelta(seconds=60)
    paused: bool = False
