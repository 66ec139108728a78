"""Preflights for tests: their digests are those of `builders`, by the versions' numbers."""

from __future__ import annotations

from builders import digest

from promoter.domain.preflight import Check, CheckName, Outcome, Preflight, VerifiedVersion


def preflight(candidate, stable, *checks):
    return Preflight(
        VerifiedVersion(f"file:///models/ranker/{candidate}", str(digest(candidate))),
        None if stable is None else VerifiedVersion(f"file:///models/ranker/{stable}", str(digest(stable))),
        "2.21.0",
        checks,
    )


def passed(candidate=43, stable=42):
    return preflight(
        candidate,
        stable,
        Check(CheckName.FILES, Outcome.PASS, "its files are those of its manifest"),
        Check(CheckName.LATENCY, Outcome.PASS, "2 ms a request", ("a detail",), {"median_ms": 2.0, "stable_ms": None}),
    )


def failed(candidate=43, stable=42, name=CheckName.SIGNATURES, reason="input x is gone"):
    return preflight(
        candidate,
        stable,
        Check(CheckName.FILES, Outcome.PASS, "its files are those of its manifest"),
        Check(name, Outcome.FAIL, reason),
        Check(CheckName.LATENCY, Outcome.SKIPPED, "it cannot be loaded"),
    )
