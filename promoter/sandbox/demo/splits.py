"""How Envoy divides the requests, by its own admin page, and how soon after a verdict it does so."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import httpx

from promoter.domain.version import ModelVersion
from promoter.sandbox.agent.envoy import route_weights
from promoter.sandbox.demo.commits import RecordedCommit, Split, split
from promoter.sandbox.demo.events import Decided

_LOOK_SECONDS = 0.05

_CLUSTER = re.compile(r"[^_]+_.+-v(\d+)_\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class LiveSplit:
    """From `at` on (seconds since the epoch) Envoy divided the requests so, over all its routes."""

    at: float
    split: Split


@dataclass(frozen=True, slots=True)
class WeightChange:
    """A commit that changed weights, and the seconds from the verdict to its weights in Envoy."""

    commit: RecordedCommit
    seconds: float


def live_split(dump: Mapping[str, Any]) -> Split | None:
    """The split that all routes of Envoy's dump agree on; None while they differ or there is none."""
    seen = [
        {
            ModelVersion(int(match[1])): weight
            for name, weight in clusters.items()
            if (match := _CLUSTER.fullmatch(name))
        }
        for clusters in route_weights(dump).values()
    ]
    return seen[0] if seen and all(other == seen[0] for other in seen) else None


def weight_changes(
    commits: Sequence[RecordedCommit], decided: Sequence[Decided], live: Sequence[LiveSplit]
) -> tuple[WeightChange, ...]:
    """Every commit that changed weights while Envoy was being looked at, with how long it took.

    live: in the order of time; what was decided before its first entry is left out.
    The seconds run from the promoter's line on the decision, before the push, to the first look at Envoy
    that shows the weights; so they count push, sync and one look too many, but never too little.
    """
    verdicts = {entry.revision: entry.at for entry in decided}
    first_look = live[0].at if live else math.inf
    changes = []
    for before, commit in pairwise(commits):
        wanted, verdict = split(commit.release), verdicts.get(commit.revision)
        if verdict is None or verdict < first_look or wanted == split(before.release):
            continue
        seen = next((entry.at for entry in live if entry.at >= verdict and entry.split == wanted), None)
        if seen is not None:
            changes.append(WeightChange(commit, seen - verdict))
    return tuple(changes)


class SplitWatch:
    """A thread that looks at Envoy's admin page twenty times a second and writes down every change."""

    def __init__(self, admin_url: str) -> None:
        self._client = httpx.Client(base_url=admin_url, timeout=1, trust_env=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="split-watch", daemon=True)
        self._seen: list[LiveSplit] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    @property
    def seen(self) -> tuple[LiveSplit, ...]:
        return tuple(self._seen)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                answer = self._client.get("/config_dump", params={"resource": "dynamic_route_configs"})
                shown = live_split(answer.raise_for_status().json())
            except (httpx.HTTPError, ValueError):
                continue
            if shown is not None and (not self._seen or self._seen[-1].split != shown):
                self._seen.append(LiveSplit(time.time(), shown))
