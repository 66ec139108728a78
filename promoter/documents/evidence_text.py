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

    start, end: the window. proxy_canary, proxy_stable: what the proxy counted, None where it does not count. odds:
    against the canary, capped to the largest float. upper_bound: of the excess error ratio. log_e: natural log of each
    e-process by name. bounds_us: in the order of `slow`. rate: requests per second. A number is None where it was not
    finite.
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
    proxy_canary: ArmCounts | None = None
    proxy_stable: ArmCounts | None = None

    @property
    def proven(self) -> float | None:
        """Below what the excess error ratio was proven to be, None for nothing: as at weight 100, beside no stable."""
        return self.upper_bound if self.upper_bound is not None and self.upper_bound < 1 else None


# A figure of the evidence as it is compared: a count, a number, several of either, or a time as text; None for a number
# that was not finite.
Figure = int | float | str | tuple[int, ...] | tuple[float, ...] | None


def evidence_sentence(evidence: Evidence, canary: ModelVersion, stable: ModelVersion | None) -> str:
    """Failed requests of both versions and the odds, for people. `stable` is None where nothing was compared."""
    failed = f"Failed requests: {_of(evidence.canary)} on {canary}"
    if stable is not None:
        failed += f", {_of(evidence.stable)} on {stable}"
    return f"{failed}; the odds against {canary} are {odds_text(evidence.log_odds)}."


def evidence_json(evidence: Evidence) -> str:
    """The figures behind a decision, as one line of ASCII with sorted keys."""
    counts: dict[str, Any] = {"canary": _plain_counts(evidence.canary), "stable": _plain_counts(evidence.stable)}
    if evidence.proxy_canary is not None and evidence.proxy_stable is not None:
        counts["proxy"] = {
            "canary": _plain_requests(evidence.proxy_canary),
            "stable": _plain_requests(evidence.proxy_stable),
        }
    plain = {
        "window": {"from": _rfc3339(evidence.start), "to": _rfc3339(evidence.end)},
        "intervals": evidence.intervals,
        "counts": counts,
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
        proxy = counts.get("proxy")
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
            proxy_canary=None if proxy is None else _counts(proxy["canary"]),
            proxy_stable=None if proxy is None else _counts(proxy["stable"]),
        )
    # Anybody can write a trailer; whatever is wrong with it, it is no evidence.
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None


def as_recorded(evidence: Evidence) -> RecordedEvidence:
    """`evidence` as a commit would say it, so that the two can be compared digit by digit."""
    recorded = parse_evidence(evidence_json(evidence))
    if recorded is None:
        raise AssertionError("what is written can be read back")
    return recorded


def figures(evidence: RecordedEvidence) -> dict[str, Figure]:
    """Every figure by a name of its own, in the order in which people read them."""
    arms = {"canary": evidence.canary, "stable": evidence.stable}
    if evidence.proxy_canary is not None and evidence.proxy_stable is not None:
        arms |= {"proxy.canary": evidence.proxy_canary, "proxy.stable": evidence.proxy_stable}
    named: dict[str, Figure] = {
        "window.from": evidence.start.isoformat(),
        "window.to": evidence.end.isoformat(),
        "intervals": evidence.intervals,
    }
    for name, counts in arms.items():
        named |= {f"{name}.{what}": count for what, count in _named_counts(counts).items()}
    named |= {"odds": evidence.odds, "upper_bound": evidence.upper_bound}
    named |= {f"log_e.{name}": value for name, value in sorted(evidence.log_e.items())}
    return named | {"bounds_us": evidence.bounds_us, "rate": evidence.rate}


def _named_counts(counts: ArmCounts) -> dict[str, Figure]:
    named: dict[str, Figure] = {"requests": counts.requests, "bad": counts.bad, "faults": counts.faults}
    return named | ({"slow": counts.slow} if counts.slow else {})


def _of(counts: ArmCounts) -> str:
    return f"{grouped(counts.bad)} of {grouped(counts.requests)}"


def _plain_counts(counts: ArmCounts) -> dict[str, int | list[int]]:
    return {**_plain_requests(counts), "slow": list(counts.slow)}


def _plain_requests(counts: ArmCounts) -> dict[str, int]:
    """All that a proxy counts: how long requests take is read from the servers alone."""
    return {"requests": counts.requests, "bad": counts.bad, "faults": counts.faults}


def _counts(plain: Any) -> ArmCounts:
    slow = tuple(int(count) for count in plain.get("slow", ()))
    return ArmCounts(int(plain["requests"]), int(plain["bad"]), int(plain["faults"]), slow)


def _number(value: float) -> float | None:
    """Six significant digits; None (JSON's null) for what JSON cannot say."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _recorded(value: Any) -> float | None:
    return None if value is None else float(value)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
