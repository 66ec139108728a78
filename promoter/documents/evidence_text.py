"""Evidence as text: a sentence for people, one line of JSON for programs, and the way back from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from promoter.domain.evidence import ArmCounts, Evidence
from promoter.domain.figures import grouped, odds, odds_text
from promoter.domain.version import ModelVersion


@dataclass(frozen=True, slots=True)
class RecordedEvidence:
    """What a commit says of the evidence behind it, to six significant digits.

    start, end: the window. odds: against the canary, capped to the largest float. upper_bound: of the excess error
    ratio. log_e: natural log of each e-process by name. bounds_us: in the order of `slow`. rate: requests
    per second. A number is None where it was not finite.
    """

    start: datetime
    end: datetime
    intervals: int
    canary: ArmCounts
    stable: ArmCounts
    odds: float | None
    upper_bound: float | None
    log_e: Mapping[str, float | None]
    bounds_us: tuple[float, ...]
    rate: float | None


def evidence_sentence(evidence: Evidence, canary: ModelVersion, stable: ModelVersion | None) -> str:
    """Failed requests of both versions and the odds, for people. `stable` is None where nothing was compared."""
    failed = f"Failed requests: {_of(evidence.canary)} on {canary}"
    if stable is not None:
        failed += f", {_of(evidence.stable)} on {stable}"
    return f"{failed}; the odds against {canary} are {odds_text(evidence.log_odds)}."


def evidence_json(evidence: Evidence) -> str:
    """Everything a decision can be recomputed from, as one line of ASCII with sorted keys."""
    plain = {
        "window": {"from": _rfc3339(evidence.start), "to": _rfc3339(evidence.end)},
        "intervals": evidence.intervals,
        "counts": {"canary": _plain_counts(evidence.canary), "stable": _plain_counts(evidence.stable)},
        "odds": _number(odds(evidence.log_odds)),
        "log_e": {name: _number(value) for name, value in evidence.log_e.items()},
        "upper_bound": _number(evidence.upper_bound),
        "bounds_us": [_number(bound) for bound in evidence.bounds_us],
        "rate": _number(evidence.rate),
    }
    return json.dumps(plain, sort_keys=True, allow_nan=False)


def parse_evidence(text: str) -> RecordedEvidence | None:
    """What `evidence_json` wrote; None for everything else."""
    try:
        plain = json.loads(text)
        window, counts = plain["window"], plain["counts"]
        return RecordedEvidence(
            start=datetime.fromisoformat(window["from"]),
            end=datetime.fromisoformat(window["to"]),
            intervals=int(plain["intervals"]),
            canary=_counts(counts["canary"]),
            stable=_counts(counts["stable"]),
            odds=_recorded(plain["odds"]),
            upper_bound=_recorded(plain["upper_bound"]),
            log_e={str(name): _recorded(value) for name, value in plain["log_e"].items()},
            bounds_us=tuple(float(bound) for bound in plain["bounds_us"]),
            rate=_recorded(plain["rate"]),
        )
    # Anybody can write a trailer; whatever is wrong with it, it is no evidence.
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None


def _of(counts: ArmCounts) -> str:
    return f"{grouped(counts.bad)} of {grouped(counts.requests)}"


def _plain_counts(counts: ArmCounts) -> dict[str, int | list[int]]:
    return {
        "requests": counts.requests,
        "bad": counts.bad,
        "faults": counts.faults,
        "slow": list(counts.slow),
    }


def _counts(plain: Any) -> ArmCounts:
    slow = tuple(int(count) for count in plain["slow"])
    return ArmCounts(int(plain["requests"]), int(plain["bad"]), int(plain["faults"]), slow)


def _number(value: float) -> float | None:
    """Six significant digits; None (JSON's null) for what JSON cannot say."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _recorded(value: Any) -> float | None:
    return None if value is None else float(value)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
