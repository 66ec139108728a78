"""policy.yaml: what people ask of a rollout, as text. The promoter only reads it.

docs/reference/files.md describes every key. What a policy means for a rollout is left to the decisions.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from promoter.documents.manifest import MANIFEST_FILE
from promoter.documents.policy_preflight import read_preflight
from promoter.documents.yaml_schema import (
    Read,
    Table,
    boolean,
    converted,
    duration,
    items,
    number,
    refuse,
    text,
    whole_number,
)
from promoter.documents.yaml_text import Items, Value, parse
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet, Completeness
from promoter.domain.names import ENVIRONMENTS, checked_name
from promoter.domain.policy import (
    Approval,
    ApprovalPolicy,
    Bet,
    CandidateSource,
    EvidencePolicy,
    Limits,
    RampPolicy,
    RolloutPolicy,
    Source,
    Traffic,
)
from promoter.domain.store_address import StoreAddress
from promoter.domain.window import LONGEST_WINDOW, Window
from promoter.errors import InvalidInput

_Kind = TypeVar("_Kind", bound=StrEnum)

_MARKER = re.compile(r"[A-Za-z0-9._-]{1,80}", re.ASCII)
_CALENDAR = re.compile(rf"{ENVIRONMENTS}/([a-z0-9][a-z0-9._-]*/){{0,3}}[A-Za-z0-9][A-Za-z0-9._-]*\.ics", re.ASCII)
_SCHEMES = ("file", "gs", "s3")


def parse_policy(content: bytes | str, where: str) -> RolloutPolicy:
    """The policy that a policy.yaml states. `where` names the file in errors; raises InvalidDocument."""
    table = Table(
        parse(content, where),
        (
            "candidates",
            "evidence",
            "limits",
            "ramp",
            "soak",
            "guard",
            "max_blind",
            "max_step",
            "traffic",
            "rollback_window",
            "approval",
            "windows",
            "holidays",
            "paused",
            "preflight",
        ),
    )
    candidates = table.required("candidates", _read_candidates)
    absent = RolloutPolicy(candidates)
    windows = table.optional("windows", items(_read_window), absent.windows)
    return RolloutPolicy(
        candidates=candidates,
        evidence=table.optional("evidence", _read_evidence, absent.evidence),
        limits=table.optional("limits", _read_limits, absent.limits),
        ramp=table.optional("ramp", _read_ramp, absent.ramp),
        soak=table.optional("soak", duration(), absent.soak),
        guard=table.optional("guard", duration(), absent.guard),
        max_blind=table.optional("max_blind", duration(timedelta(seconds=10)), absent.max_blind),
        max_step=table.optional("max_step", duration(timedelta(minutes=1)), absent.max_step),
        traffic=table.optional("traffic", converted(text, lambda word: _choice(Traffic, word)), absent.traffic),
        rollback_window=table.optional(
            "rollback_window", duration(timedelta(0), timedelta(days=90)), absent.rollback_window
        ),
        windows=windows,
        holidays=table.optional("holidays", _read_holidays(given=bool(windows)), absent.holidays),
        approval=table.optional("approval", _read_approval, absent.approval),
        paused=table.optional("paused", boolean, absent.paused),
        preflight=table.optional("preflight", read_preflight, absent.preflight),
    )


def _read_candidates(value: Value) -> CandidateSource:
    table = Table(value, ("store", "upstream", "complete", "upstream_soak"))
    store = table.optional("store", converted(text, _checked_store), None)
    upstream = table.optional("upstream", converted(text, lambda name: checked_name(name, "environment")), None)
    if (store is None) == (upstream is None):
        problem = "names neither a store nor an upstream" if store is None else "names both a store and an upstream"
        refuse(value, problem, "Name one: `store: gs://bucket/model`, or `upstream: staging`")
    complete = table.optional("complete", _read_complete, None)
    if upstream is not None and complete is not None:
        refuse(value, "says when a version of an upstream is complete", "Remove `complete`: it always is")
    soak = table.optional("upstream_soak", duration(), None)
    if upstream is None and soak is not None:
        refuse(value, "says how long a version soaks upstream, and names no upstream", "Remove `upstream_soak`")
    return CandidateSource(store, upstream, complete or ByManifest(), soak or timedelta(0))


def _read_complete(value: Value) -> Completeness:
    table = Table(value, ("marker", "quiet"))
    marker = table.optional("marker", converted(text, _checked_marker), None)
    quiet = table.optional("quiet", duration(timedelta(minutes=1), timedelta(days=7)), None)
    if marker is not None and quiet is None:
        return ByMarker(marker)
    if quiet is not None and marker is None:
        return ByQuiet(quiet)
    return refuse(
        value,
        "has to name either a marker or a time of quiet",
        "Write `{marker: _SUCCESS}` or `{quiet: 10m}`; without `complete` it is manifest.json that counts",
    )


def _checked_marker(name: str) -> str:
    if not _MARKER.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} is not the name of a marker: use letters, digits, `.`, `_` and `-`")
    if name == MANIFEST_FILE:
        raise InvalidInput(f"{MANIFEST_FILE} is no marker: leave `complete` away, and what it says is checked as well")
    return name


def _checked_store(address: str) -> str:
    scheme = StoreAddress.from_text(address).scheme
    if scheme not in _SCHEMES:
        raise InvalidInput(f"{scheme}:// is not a kind of store: use {'://, '.join(_SCHEMES)}://")
    return address


def _read_evidence(value: Value) -> EvidencePolicy:
    table = Table(value, ("false_revert", "false_promote", "margin", "interval", "bet", "kappa", "source"))
    absent = EvidencePolicy()
    return EvidencePolicy(
        false_revert=table.optional("false_revert", number(above=0, at_most=0.5), absent.false_revert),
        false_promote=table.optional("false_promote", number(above=0, at_most=0.5), absent.false_promote),
        margin=table.optional("margin", number(above=0, below=1), absent.margin),
        interval=table.optional("interval", duration(timedelta(seconds=1), timedelta(minutes=5)), absent.interval),
        bet=table.optional("bet", converted(text, lambda word: _choice(Bet, word)), absent.bet),
        kappa=table.optional("kappa", converted(number(above=0, at_most=10), _checked_kappa), absent.kappa),
        source=table.optional("source", converted(text, lambda word: _choice(Source, word)), absent.source),
    )


def _checked_kappa(kappa: float) -> float:
    if kappa < 1:
        raise InvalidInput(
            f"a kappa of {kappa:g} would call a canary harmful that is better than stable; use 1 or more"
        )
    return kappa


def _choice(kind: type[_Kind], word: str) -> _Kind:
    try:
        return kind(word)
    except ValueError as error:
        words = [member.value for member in kind]
        raise InvalidInput(f"{word[:40]!r} is none of {', '.join(words)}") from error


def _read_limits(value: Value) -> Limits:
    table = Table(value, ("error_ratio", "latency_p99_ms"))
    return Limits(
        error_ratio=table.optional("error_ratio", number(above=0, below=1), None),
        latency_p99_ms=table.optional("latency_p99_ms", number(above=0), None),
    )


def _read_ramp(value: Value) -> RampPolicy:
    table = Table(value, ("budget", "max_weight", "steps"))
    absent = RampPolicy()
    return RampPolicy(
        budget=table.optional("budget", number(above=0), absent.budget),
        max_weight=table.optional("max_weight", whole_number(1, 99), absent.max_weight),
        steps=table.optional("steps", _read_steps, absent.steps),
    )


def _read_steps(value: Value) -> tuple[int, ...]:
    steps = items(whole_number(1, 99))(value)
    written = value.values if isinstance(value, Items) else ()
    for item, before, step in zip(written[1:], steps, steps[1:], strict=False):
        if step <= before:
            refuse(item, f"is {step}, not above {before} before it", "Write the steps in rising order, each once")
    return steps


def _read_approval(value: Value) -> ApprovalPolicy:
    table = Table(value, ("start", "promote"))
    asked = converted(text, lambda word: _choice(Approval, word))
    absent = ApprovalPolicy()
    return ApprovalPolicy(
        start=table.optional("start", asked, absent.start),
        promote=table.optional("promote", asked, absent.promote),
    )


def _read_window(value: Value) -> Window:
    table = Table(value, ("cron", "duration", "timezone"))
    cron = table.required("cron", text)
    length = table.required("duration", duration(timedelta(minutes=1), LONGEST_WINDOW))
    timezone = table.required("timezone", text)
    try:
        return Window(cron, length, timezone)
    except InvalidInput as error:
        refuse(value, f"is no window: {error}", "docs/windows.md shows some")


def _read_holidays(*, given: bool) -> Read[str]:
    def read(value: Value) -> str:
        path = converted(text, _checked_calendar)(value)
        if not given:
            remedy = (
                'Name windows; one that is always open is {cron: "0 0 * * *", duration: 1d, timezone: Europe/Berlin}'
            )
            refuse(value, "closes windows, and there are none", remedy)
        return path

    return read


def _checked_calendar(path: str) -> str:
    if not _CALENDAR.fullmatch(path):
        raise InvalidInput(
            f"{path[:80]!r} is not the path of a calendar here: write it from the root of the repository, under "
            f"{ENVIRONMENTS}/, like {ENVIRONMENTS}/holidays.ics"
        )
    return path
