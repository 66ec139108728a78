"""The checks of a version that is loaded: its answers, batches, memory, latency and warm-up."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from promoter.domain.preflight import Check, CheckName, Outcome, PreflightPolicy
from promoter.preflight.answers import Drift, Outputs, faults, latency_ratio
from promoter.preflight.golden import Request, batch_of
from promoter.preflight.running import NotAnswered, Running
from promoter.saved_model.warmup import WARMUP_FILE

# Differences below these are the allocator's and the scheduler's, however large their ratio.
_LEAST_MEMORY = 32 * 2**20
_LEAST_SECONDS = 0.0002

# Turns of each version, and how long all of them may take. A turn lasts long enough for the clock and the caches.
_MOST_TURNS = 20
_TURN_SECONDS = 0.05
_MEASURING_SECONDS = 8.0
_WARMUP_RECORDS = 100
_MOST_LINES = 10
_MEBIBYTE = 2**20


def golden(candidate: Running, requests: Sequence[Request]) -> tuple[Check, list[Outputs]]:
    """Whether every answer is finite and has the shape that it should; and the answers.

    A request that fails has an empty answer. Raises NotAnswered where the process dies.
    """
    answers: list[Outputs] = []
    wrong: list[str] = []
    for number, request in enumerate(requests, start=1):
        try:
            answers.append(candidate.predict(request))
        except NotAnswered as error:
            if error.code is None:
                raise
            wrong.append(f"request {number}: {error}")
            answers.append({})
            continue
        signature = candidate.signatures[request.signature]
        rows = _rows(request) if batch_of(request, signature, 1) is not None else None
        wrong.extend(f"request {number}: {fault}" for fault in faults(answers[-1], signature, rows))
    if wrong:
        reason = f"golden {_requests(len(requests))}: {wrong[0]}"
        return Check(CheckName.GOLDEN, Outcome.FAIL, reason, _cut(wrong)), answers
    reason = f"{_requests(len(requests))} answered, every value finite and of the shape it should have"
    return Check(CheckName.GOLDEN, Outcome.PASS, reason), answers


def drift(stable: Running, requests: Sequence[Request], answers: Sequence[Outputs], policy: PreflightPolicy) -> Check:
    """How far the candidate's `answers` to `requests` are from stable's; whether that is too far, the policy says.

    Raises NotAnswered where stable's process dies.
    """
    found = Drift(policy.tolerance)
    refused = []
    for number, (request, answer) in enumerate(zip(requests, answers, strict=True), start=1):
        try:
            found.add(stable.predict(request), answer)
        except NotAnswered as error:
            if error.code is None:
                raise
            refused.append(f"request {number}: stable did not answer: {error}")
    figures = {
        "values_compared": found.compared,
        "largest_difference": found.largest if found.compared else None,
        "top1_agreement": found.agreement,
        "divergence_nats": found.divergence,
    }
    if not found.compared:
        reason = refused[0] if refused else "stable's answers have no output in common with the candidate's"
        return Check(CheckName.DRIFT, Outcome.SKIPPED, reason, _cut(refused))
    agreement, least = found.agreement, policy.agreement
    if policy.tolerance is not None and found.beyond:
        reason = f"{found.beyond} of {found.compared} values are outside the tolerance, up to {found.largest:.4g} away"
        lines = [f"output {name}: {count} values" for name, count in sorted(found.beyond_in.items())]
        return Check(CheckName.DRIFT, Outcome.FAIL, reason, _cut(lines + refused), figures)
    if least is not None and agreement is not None and agreement < least:
        reason = f"the best class is stable's in {_percent(agreement)} of the rows, below {_percent(least)}"
        return Check(CheckName.DRIFT, Outcome.FAIL, reason, _cut(refused), figures)
    shown = [f"the largest difference from stable's answers is {found.largest:.4g}"]
    shown += [] if agreement is None else [f"the best class is the same in {_percent(agreement)} of the rows"]
    shown += [] if found.divergence is None else [f"the divergence is {found.divergence:.4g} nats"]
    return Check(CheckName.DRIFT, Outcome.PASS, "; ".join(shown), _cut(refused), figures)


def batch(candidate: Running, request: Request, size: int, *, was_made_up: bool) -> Check:
    """Whether a batch of one and one of `size` are answered. was_made_up: the request may mean nothing.

    Raises NotAnswered where the process dies.
    """
    signature = candidate.signatures[request.signature]
    sizes = sorted({1, size})
    tried = []
    for rows in sizes:
        asked = batch_of(request, signature, rows)
        if asked is None and rows > 1:
            reason = f"the signature {request.signature} has no batch dimension, so no server can batch {rows} requests"
            return Check(CheckName.BATCH, Outcome.FAIL, reason)
        try:
            wrong = list(faults(candidate.predict(asked or request), signature, None if asked is None else rows))
        except NotAnswered as error:
            if error.code is None:
                raise
            wrong = [str(error)]
        if wrong and not was_made_up:
            return Check(CheckName.BATCH, Outcome.FAIL, f"a batch of {rows}: {wrong[0]}", _cut(wrong))
        if wrong:
            return Check(CheckName.BATCH, Outcome.WARN, f"a made-up batch of {rows}: {wrong[0]}", _cut(wrong))
        tried.append(str(rows))
    return Check(CheckName.BATCH, Outcome.PASS, f"batches of {' and '.join(tried)} answered")


def memory(candidate: Running, stable: Running | None, policy: PreflightPolicy) -> Check:
    """The most memory that each took so far; both must have answered the same requests."""
    cost = candidate.memory()
    figures: dict[str, float | int | None] = {"loaded_bytes": cost.loaded, "peak_bytes": cost.peak}
    if stable is None:
        reason = f"{_mebibytes(cost.peak)}; there is nothing to compare it with"
        return Check(CheckName.MEMORY, Outcome.SKIPPED, reason, figures=figures)
    before = stable.memory()
    ratio = cost.peak / max(before.peak, 1)
    figures |= {"stable_peak_bytes": before.peak, "ratio": ratio}
    reason = f"{_mebibytes(cost.peak)} at most, {ratio:.2g} times stable's {_mebibytes(before.peak)}"
    too_much = ratio > policy.memory_ratio and cost.peak - before.peak > _LEAST_MEMORY
    if too_much:
        reason += f"; {policy.memory_ratio:g} times are allowed"
    return Check(CheckName.MEMORY, Outcome.FAIL if too_much else Outcome.PASS, reason, figures=figures)


def latency(candidate: Running, stable: Running | None, request: Request, policy: PreflightPolicy) -> Check:
    """Times of `request`, by turns: what else happens on the machine happens to both. Raises NotAnswered."""
    candidate.predict(request)
    if stable is None:
        typical = float(np.median(_turns([candidate])[0]))
        reason = f"{_milliseconds(typical)} a request; there is nothing to compare it with"
        return Check(CheckName.LATENCY, Outcome.SKIPPED, reason, figures={"median_ms": 1000 * typical})
    stable.predict(request)
    ours, theirs = _turns([candidate, stable])
    ratio = latency_ratio(ours, theirs)
    typical, before = float(np.median(ours)), float(np.median(theirs))
    too_slow = ratio > policy.latency_ratio and typical - before > _LEAST_SECONDS
    reason = f"{_milliseconds(typical)} a request, {ratio:.2g} times stable's {_milliseconds(before)}"
    if too_slow:
        reason += f"; {policy.latency_ratio:g} times are allowed"
    figures = {"median_ms": 1000 * typical, "stable_median_ms": 1000 * before, "ratio": ratio, "requests": len(ours)}
    return Check(CheckName.LATENCY, Outcome.FAIL if too_slow else Outcome.PASS, reason, figures=figures)


def warmup(candidate: Running, *, is_there: bool) -> Check:
    """Whether the version's warm-up requests are answered; a server does not become ready otherwise."""
    if not is_there:
        reason = "there are no warm-up requests, so the first real ones are slow: `promoter publish --warmup` adds them"
        return Check(CheckName.WARMUP, Outcome.WARN, reason)
    try:
        replayed, more = candidate.warm_up(_WARMUP_RECORDS)
    except NotAnswered as error:
        if error.code is None:
            raise
        return Check(CheckName.WARMUP, Outcome.FAIL, f"{WARMUP_FILE}: {error}, so no server would become ready")
    records = (
        f"the first {replayed} warm-up records" if more else f"{replayed} warm-up record{'' if replayed == 1 else 's'}"
    )
    return Check(CheckName.WARMUP, Outcome.PASS, f"{records} answered", figures={"records": replayed})


def _turns(versions: Sequence[Running]) -> list[list[float]]:
    """Seconds of each version's last request, measured by turns, those of a turn in the order of the turn."""
    runs = []
    for version in versions:
        once = min(version.seconds(3))
        runs.append(max(1, min(200, round(_TURN_SECONDS / max(once, 1e-6)))))
    found: list[list[float]] = [[] for _ in versions]
    until = time.monotonic() + _MEASURING_SECONDS
    order = list(range(len(versions)))
    for _ in range(_MOST_TURNS):
        for index in order:
            found[index].extend(versions[index].seconds(runs[index]))
        # Whoever comes second inherits warm or cold caches; so each does in turn.
        order.reverse()
        if time.monotonic() > until:
            break
    return found


def _rows(request: Request) -> int:
    return next((len(array) for array in request.inputs.values()), 0)


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines below a reason that tells the first of them."""
    if len(lines) < 2:
        return ()
    more = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], f"and {more} more") if more > 0 else tuple(lines)


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _mebibytes(count: int) -> str:
    return f"{count / _MEBIBYTE:.0f} MiB"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
