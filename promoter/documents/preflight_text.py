"""A preflight in a commit: a sentence for people, one line of JSON for programs, and the way back from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promoter.documents.one_line import one_line
from promoter.domain.preflight import Check, CheckName, Outcome, Preflight
from promoter.domain.version import Digest
from promoter.errors import InvalidName


@dataclass(frozen=True, slots=True)
class RecordedPreflight:
    """What a commit says of the preflight before it.

    digest, stable: of the files that were verified and of those they were compared with, None for no comparison.
    tensorflow: the version that loaded them. checks: the outcome of each.
    """

    passed: bool
    digest: Digest
    stable: Digest | None
    tensorflow: str | None
    checks: Mapping[CheckName, Outcome]


def preflight_sentence(preflight: Preflight) -> str:
    """How many checks passed, and what a person should know of those that did not."""
    made = [check for check in preflight.checks if check.outcome is not Outcome.SKIPPED]
    warned = [check for check in made if check.outcome is Outcome.WARN]
    passed = sum(check.outcome is Outcome.PASS for check in made)
    said = f"Its preflight passed {passed} checks"
    skipped = [check.name for check in preflight.checks if check.outcome is Outcome.SKIPPED]
    if skipped:
        said += f", and could not make {' and '.join(skipped) if len(skipped) < 3 else len(skipped)}"
    if warned:
        said += f". It warns: {'; '.join(map(_shown, warned))}"
    return one_line(said.removesuffix("."), _LONGEST) + "."


_LONGEST = 600


def _shown(check: Check) -> str:
    return f"{check.name}: {check.reason.removesuffix('.')}"


def preflight_trailer(preflight: Preflight) -> str:
    """The verdict and what it is bound to, as one line of ASCII with sorted keys."""
    plain = {
        "verdict": "pass" if preflight.passed else "fail",
        "digest": preflight.candidate.digest,
        "stable": preflight.stable.digest if preflight.stable else None,
        "tensorflow": None if preflight.tensorflow is None else one_line(preflight.tensorflow, 40),
        "checks": {check.name.value: check.outcome.value for check in preflight.checks},
    }
    return json.dumps(plain, sort_keys=True)


def parse_preflight_trailer(text: str) -> RecordedPreflight | None:
    """What `preflight_trailer` wrote; None for everything else."""
    try:
        plain = json.loads(text)
        return RecordedPreflight(
            passed={"pass": True, "fail": False}[plain["verdict"]],
            digest=Digest(plain["digest"]),
            stable=None if plain["stable"] is None else Digest(plain["stable"]),
            tensorflow=_text(plain["tensorflow"]),
            checks={CheckName(name): Outcome(outcome) for name, outcome in plain["checks"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidName):
        return None


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError
    return value
