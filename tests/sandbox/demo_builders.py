"""A small play made by hand: version 2 promoted, version 3 reverted, version 4 half an upload."""

import json
from datetime import UTC, datetime

from promoter.control.explain import Account, Explanation
from promoter.control.explain import Outcome as Comparison
from promoter.domain.release import Canary, Rejection, Release, Stable
from promoter.domain.repository import Commit
from promoter.domain.version import Digest, ModelVersion
from promoter.sandbox.demo.cast import Outcome, characters
from promoter.sandbox.demo.commits import RecordedCommit
from promoter.sandbox.demo.events import parse_event
from promoter.sandbox.demo.record import Course, Record
from promoter.sandbox.demo.splits import LiveSplit
from promoter.sandbox.layout import SERVED
from promoter.sandbox.traffic_results import Latency, TrafficSecond

BEGIN = 1_763_841_600.0
V1, V2, V3, V4 = (ModelVersion(number) for number in (1, 2, 3, 4))
DIGEST = Digest("sha256:" + "0" * 64)


def release(stable, canary=None, weight=0, replicas=1, rejected=()):
    since = datetime.fromtimestamp(BEGIN, UTC)
    return Release(
        Stable(stable, DIGEST),
        canary and Canary(canary, DIGEST, weight, replicas, since),
        tuple(Rejection(version, "too many failures") for version in rejected),
    )


def commit(number, at, what, action, after):
    return RecordedCommit(f"{number:040x}", BEGIN + at, f"resnet50: production: {what}", action, after)


COMMITS = (
    commit(0, -30, "served from here, no version yet", "", Release()),
    commit(1, -20, "1 is stable", "promote", release(V1)),
    commit(2, 1, "canary 2 starts at 0 %", "start-canary", release(V1, V2)),
    commit(3, 5, "canary 2 at 10 %", "set-weight", release(V1, V2, 10)),
    commit(4, 9, "canary 2 gets 2 pods", "set-weight", release(V1, V2, 10, replicas=2)),
    commit(5, 12, "canary 2 at 100 %", "set-weight", release(V1, V2, 100, replicas=2)),
    commit(6, 18, "2 is stable", "promote", release(V2)),
    commit(7, 21, "canary 3 starts at 0 %", "start-canary", release(V2, V3)),
    commit(8, 24, "canary 3 at 10 %", "set-weight", release(V2, V3, 10)),
    commit(9, 29, "canary 3 reverted", "revert", release(V2, V3, 0, rejected=[V3])),
    commit(10, 30, "canary 3 removed", "revert", release(V2, rejected=[V3])),
)


def line(at, event, **facts):
    """A line of the promoter's log."""
    moment = datetime.fromtimestamp(BEGIN + at, UTC)
    return json.dumps({"event": event, "timestamp": moment.isoformat(), **facts})


def pushes():
    for entry in COMMITS[2:]:
        at = entry.at - BEGIN + 0.5
        yield line(at, f"rollout.{entry.action.replace('-', '_')}", reason=f"why {entry.what}", canary=2)
        yield line(at + 0.1, "commit.pushed", revision=entry.revision, subject=entry.subject)


EVENTS = tuple(parse_event(text) for text in pushes())


def second(at, **answered):
    """One second of traffic that ends at `at`: `v2=(ok, failed)`, `none=failed`."""
    codes, latency = {}, {}
    for name, counts in answered.items():
        if name == "none":
            codes[None] = {"UNAVAILABLE": counts}
            continue
        version, (ok, failed) = ModelVersion(int(name[1:])), counts
        codes[version] = {"OK": ok} | ({"INVALID_ARGUMENT": failed} if failed else {})
        latency[version] = Latency(8.0 + version.number, 20.0, ok)
    return TrafficSecond(BEGIN + at, sum(sum(entry.values()) for entry in codes.values()), codes, latency)


def traffic():
    for at in range(1, 21):
        share = 0 if at <= 5 else 8 if at <= 12 else 80
        yield second(at, v1=(80 - share, 0), v2=(share, 0)) if share else second(at, v1=(80, 0))
    for at in range(21, 41):
        yield second(at, v2=(72, 0), v3=(7, 1)) if 25 <= at <= 29 else second(at, v2=(80, 0))


SPLITS = (
    LiveSplit(BEGIN - 5, {V1: 100}),
    LiveSplit(BEGIN + 5.75, {V1: 90, V2: 10}),
    LiveSplit(BEGIN + 13.0, {V2: 100}),
    LiveSplit(BEGIN + 24.75, {V2: 90, V3: 10}),
    LiveSplit(BEGIN + 29.75, {V2: 100}),
)


def record(seconds=None, outcomes=(Outcome.PROMOTED, Outcome.REVERTED, Outcome.NOT_A_VERSION)):
    spans = ((0.0, 18.0), (20.0, 30.0), (31.0, 39.0))
    reasons = ("no sign of harm", "12 % of requests failed", "no manifest.json")
    courses = tuple(
        Course(character, BEGIN + begin, BEGIN + end, outcome, reason)
        for character, (begin, end), outcome, reason in zip(
            characters(every=False), spans, outcomes, reasons, strict=True
        )
    )
    return Record(courses, COMMITS, EVENTS, tuple(traffic()) if seconds is None else tuple(seconds), SPLITS, 62_000_000)


def explained(otherwise=()):
    """Every decision of the play, computed again; those of the commits in `otherwise` come out as another one."""
    return tuple(
        explanation(entry, Comparison.ANOTHER if number in otherwise else Comparison.SAME)
        for number, entry in enumerate(COMMITS)
        if entry.action
    )


def explanation(entry, outcome):
    at = datetime.fromtimestamp(entry.at, UTC)
    made = Commit(entry.revision, at, "promoter", f"{entry.subject}\n\nWhy.\n", ours=True, parent="0" * 40)
    account = Account(entry.action, entry.release)
    return Explanation(made, SERVED, outcome, account, account, {}, "why", f"It came out {outcome}.")
