"""What is found out about a version before it serves anybody: checks, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from promoter.domain.completeness import Completeness
from promoter.domain.version import Digest


class Outcome(StrEnum):
    """What a check came to. SKIPPED: it could not be made, and its reason says why; that is no pass."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class CheckName(StrEnum):
    """The checks, in the order in which they are made. SIGNED is made only where a key is asked for."""

    FILES = "files"
    SIGNED = "signed"
    OPERATIONS = "operations"
    STABLE = "stable"
    LOAD = "load"
    SIGNATURES = "signatures"
    GOLDEN = "golden"
    DRIFT = "drift"
    BATCH = "batch"
    MEMORY = "memory"
    LATENCY = "latency"
    WARMUP = "warmup"


# What fails here is not run, or cannot be served at all: no policy makes a warning of it.
ALWAYS_FATAL = frozenset({CheckName.FILES, CheckName.SIGNED, CheckName.OPERATIONS, CheckName.STABLE, CheckName.LOAD})

# A figure of a check: a number, or None where it could not be measured.
Figures = Mapping[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. reason: a sentence. details: lines for a person. figures: by name, with the unit in the name."""

    name: CheckName
    outcome: Outcome
    reason: str
    details: tuple[str, ...] = ()
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerifiedVersion:
    """A version that took part. address: as it was given. digest: `sha256:…`, None where its files cannot be read."""

    address: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Preflight:
    """All that was found. stable: None where there was nothing to compare with. tensorflow: the version that loaded."""

    candidate: VerifiedVersion
    stable: VerifiedVersion | None
    tensorflow: str | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.first_failure is None

    @property
    def first_failure(self) -> Check | None:
        """The first check that failed."""
        return next((check for check in self.checks if check.outcome is Outcome.FAIL), None)


@dataclass(frozen=True, slots=True)
class Pending:
    """There is no result yet, or none can be had. reason: what it waits for. alarm: a person should look."""

    reason: str
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Waived:
    """The promoter's settings say that versions start without one."""


# Where a candidate's preflight stands.
PreflightState = Preflight | Pending | Waived


class PreflightPlace(StrEnum):
    """Where preflights run. PROCESS: beside the promoter, which needs TensorFlow there. WORKFLOW: in the cluster."""

    PROCESS = "process"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an answer may be from stable's: at most `absolute` + `relative` × the size of stable's."""

    absolute: float = 0.0
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class PreflightPolicy:
    """What people ask of a version before it serves.

    warn: checks that only warn. tolerance: None reports drift as a figure and fails nothing for it.
    agreement: least share of golden rows with the same best class, 0 to 1; None asks for none.
    latency_ratio, memory_ratio: how many times stable's are still allowed.
    max_batch_size: rows of the largest batch that the server makes; 1 means no batching, and None the same where nobody
    else says.
    operations: further operations that graphs may use, by name.
    run: where it runs; None leaves it to the promoter's settings.
    """

    warn: frozenset[CheckName] = frozenset()
    tolerance: Tolerance | None = None
    agreement: float | None = None
    latency_ratio: float = 1.5
    memory_ratio: float = 2.0
    max_batch_size: int | None = None
    operations: frozenset[str] = frozenset()
    run: PreflightPlace | None = None

    @property
    def largest_batch(self) -> int:
        """Rows of the largest batch."""
        return self.max_batch_size or 1


@dataclass(frozen=True, slots=True)
class PreflightRequest:
    """What is to be verified. Addresses are those of one version each; the digests are those that releases pin.

    stable, stable_digest: None where nothing is served yet. complete: which files the digests are about.
    """

    candidate: str
    digest: Digest
    stable: str | None
    stable_digest: Digest | None
    complete: Completeness
    policy: PreflightPolicy
