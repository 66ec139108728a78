"""policy.yaml's `preflight`: what people ask of a version before it serves."""

from __future__ import annotations

import json
import re
from typing import Any

from promoter.documents.values_file import MOST_ROWS
from promoter.documents.yaml_schema import Table, converted, items, number, text, whole_number
from promoter.documents.yaml_text import Value
from promoter.domain.completeness import ByMarker, ByQuiet, Completeness
from promoter.domain.duration import format_duration
from promoter.domain.operations import dangerous
from promoter.domain.preflight import ALWAYS_FATAL, CheckName, PreflightPlace, PreflightPolicy, Tolerance
from promoter.errors import InvalidInput

# TensorFlow's form of an operation's name, `TFText>WhitespaceTokenize` included (core/framework/node_def_util.cc).
_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]{0,199}", re.ASCII)


def read_preflight(value: Value) -> PreflightPolicy:
    """The table's policy; raises InvalidDocument."""
    table = Table(
        value,
        ("warn", "tolerance", "agreement", "latency_ratio", "memory_ratio", "max_batch_size", "operations", "run"),
    )
    absent = PreflightPolicy()
    ratio = number(above=1, at_most=1000)
    return PreflightPolicy(
        warn=frozenset(table.optional("warn", items(converted(text, _check)), ())),
        tolerance=table.optional("tolerance", _read_tolerance, None),
        agreement=table.optional("agreement", number(above=0, at_most=1), None),
        latency_ratio=table.optional("latency_ratio", ratio, absent.latency_ratio),
        memory_ratio=table.optional("memory_ratio", ratio, absent.memory_ratio),
        max_batch_size=table.optional("max_batch_size", whole_number(1, MOST_ROWS), absent.max_batch_size),
        operations=frozenset(table.optional("operations", items(converted(text, _operation)), ())),
        run=table.optional("run", converted(text, _place), None),
    )


def preflight_policy_text(policy: PreflightPolicy, complete: Completeness) -> str:
    """A policy.yaml for `promoter verify`, on one line, that says the same; where it runs is left out."""
    wanted: dict[str, Any] = {
        "warn": sorted(policy.warn),
        "latency_ratio": policy.latency_ratio,
        "memory_ratio": policy.memory_ratio,
        "operations": sorted(policy.operations),
    }
    if policy.tolerance is not None:
        parts = {"absolute": policy.tolerance.absolute, "relative": policy.tolerance.relative}
        wanted["tolerance"] = {name: value for name, value in parts.items() if value}
    if policy.max_batch_size is not None:
        wanted["max_batch_size"] = policy.max_batch_size
    if policy.agreement is not None:
        wanted["agreement"] = policy.agreement
    # A policy has to name a source of candidates; `verify` does not ask it.
    candidates: dict[str, Any] = {"store": "file:///none"}
    match complete:
        case ByMarker(file):
            candidates["complete"] = {"marker": file}
        case ByQuiet(quiet):
            candidates["complete"] = {"quiet": format_duration(quiet)}
    return json.dumps({"candidates": candidates, "preflight": wanted}) + "\n"


def _read_tolerance(value: Value) -> Tolerance:
    table = Table(value, ("absolute", "relative"))
    return Tolerance(
        absolute=table.optional("absolute", number(above=0), 0.0),
        relative=table.optional("relative", number(above=0), 0.0),
    )


def _place(word: str) -> PreflightPlace:
    if word not in list(PreflightPlace):
        raise InvalidInput(f"{word[:40]!r} is no place for a preflight; those are {', '.join(PreflightPlace)}")
    return PreflightPlace(word)


def _check(word: str) -> CheckName:
    switchable = [name.value for name in CheckName if name not in ALWAYS_FATAL]
    if word not in switchable:
        raise InvalidInput(f"{word[:40]!r} is no check that can only warn; those are {', '.join(switchable)}")
    return CheckName(word)


def _operation(name: str) -> str:
    if not _OPERATION.fullmatch(name):
        raise InvalidInput(f"{name[:40]!r} is not an operation's name")
    if (what := dangerous(name)) is not None:
        raise InvalidInput(f"{name} {what}: it is never allowed")
    return name
