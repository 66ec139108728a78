"""The JSON of a preflight, read back: what `promoter verify --json` printed, here or in a container far away."""

from __future__ import annotations

import json
import math
from typing import Any

from promoter.documents.one_line import one_line
from promoter.domain.preflight import Check, CheckName, Figures, Outcome, Preflight, PreflightRequest, VerifiedVersion
from promoter.domain.version import Digest
from promoter.errors import InvalidDocument, InvalidName, PreflightUnavailable

LARGEST_BYTES = 1024 * 1024

_LONGEST = 600
_MOST_LINES = 100


def parse_preflight(content: bytes | str, where: str) -> Preflight:
    """The preflight in `content`. `where` names it in errors. Raises InvalidDocument.

    A verdict that its own checks do not bear out, and a check that is there twice, are refused.
    """
    if len(content) > LARGEST_BYTES:
        raise InvalidDocument(where, None, f"the result is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        plain = json.loads(content)
        found = _preflight(plain)
        verdict = plain["verdict"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidName) as error:
        said = f"{type(error).__name__}: {one_line(str(error), 80)}"
        raise InvalidDocument(where, None, f"this is not the result of a preflight ({said})") from error
    names = [check.name for check in found.checks]
    if not names or len(set(names)) != len(names):
        raise InvalidDocument(where, None, "the result has no checks, or has one twice")
    if verdict != ("pass" if found.passed else "fail"):
        raise InvalidDocument(where, None, "the verdict is not the one that its checks come to")
    return found


def preflight_about(wanted: PreflightRequest, answer: bytes | str, where: str) -> Preflight:
    """The result in `answer`. Raises PreflightUnavailable where it is none, or is about other files."""
    try:
        found = parse_preflight(answer, where)
    except InvalidDocument as error:
        raise PreflightUnavailable(str(error)) from error
    compared = None if found.stable is None else found.stable.digest
    pairs = ((found.candidate.digest, wanted.digest), (compared, wanted.stable_digest))
    for (seen, pinned), name in zip(pairs, (wanted.candidate, wanted.stable), strict=True):
        if seen != (None if pinned is None else str(pinned)):
            why = "" if found.first_failure is None else f" ({found.first_failure.reason})"
            raise PreflightUnavailable(f"the files of {name} were not those that are pinned{why}")
    return found


def _preflight(plain: Any) -> Preflight:
    stable = plain["stable"]
    return Preflight(
        candidate=_version(plain["candidate"]),
        stable=None if stable is None else _version(stable),
        tensorflow=None if plain["tensorflow"] is None else _line(plain["tensorflow"]),
        checks=tuple(_check(entry) for entry in plain["checks"]),
    )


def _version(plain: Any) -> VerifiedVersion:
    found = plain["digest"]
    return VerifiedVersion(_line(plain["address"]), None if found is None else str(Digest(found)))


def _check(plain: Any) -> Check:
    return Check(
        CheckName(plain["name"]),
        Outcome(plain["outcome"]),
        _line(plain["reason"]),
        tuple(_line(detail) for detail in plain.get("details", ())[:_MOST_LINES]),
        _figures(plain.get("figures", {})),
    )


def _figures(plain: Any) -> Figures:
    return {_line(name): _figure(value) for name, value in plain.items()}


def _figure(value: Any) -> float | int | None:
    if value is None or (type(value) in (int, float) and math.isfinite(value)):
        found: float | int | None = value
        return found
    raise TypeError("a figure is a number")


def _line(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return one_line(value, _LONGEST)
