"""How other systems decide, by their documented examples: a schedule of weights, and fixed limits on the canary alone.

Both are put in the best light: they query the canary, where the examples query both versions mixed, and their
weights are live at once.
"""

from __future__ import annotations

from typing import Protocol

from promoter.domain.forecast import Ending


class Peer(Protocol):
    """A rule that reads the canary's counts scrape by scrape. `weight` is what it gives the canary next."""

    weight: int

    def take(self, end: int, requests: int, bad: int) -> Ending | None:
        """The canary's counts of the scrape that ends `end` seconds after the start; a verdict ends the rollout."""


class ArgoRollouts:
    """The example of the documentation: weights 20, 40, 60 and 80, ten minutes each, analysed from the second on.

    Every five minutes `irate` looks at the last two samples: the success ratio must be at least 95 %. A
    `failureLimit` of 3 fails the run at the fourth failure (analysis/analysis.go: `failed > failureLimit`). A
    ratio of no requests is NaN, and fails too.
    """

    STEPS = (20, 40, 60, 80)
    PAUSE = 600
    INTERVAL = 300
    SUCCESS = 0.95
    FAILURE_LIMIT = 3

    def __init__(self, scrape: int) -> None:
        self.weight = self.STEPS[0]
        self._scrape = scrape
        self._next = self.PAUSE
        self._failed = 0

    def take(self, end: int, requests: int, bad: int) -> Ending | None:
        if end - self._scrape >= self._next:
            self._next += self.INTERVAL
            if requests == 0 or 1 - bad / requests < self.SUCCESS:
                self._failed += 1
        if self._failed > self.FAILURE_LIMIT:
            return Ending.REVERTED
        step = end // self.PAUSE
        if step >= len(self.STEPS):
            return Ending.PROMOTED
        self.weight = self.STEPS[step]
        return None


class Flagger:
    """The example of the README: weights from 5 to 50 in steps of 5, a check every minute, a threshold of 10.

    A check asks for 99 % success over the last minute; no value is a failed check. A failed check keeps the weight.
    The threshold is looked at when the next check begins (pkg/controller/scheduler.go), so the canary goes
    one minute after the tenth.
    """

    STEP = 5
    LARGEST = 50
    INTERVAL = 60
    SUCCESS = 0.99
    THRESHOLD = 10

    def __init__(self, scrape: int) -> None:
        self.weight = self.STEP
        self._scrape = scrape
        self._next = self.INTERVAL
        self._failed = 0
        self._requests = 0
        self._bad = 0

    def take(self, end: int, requests: int, bad: int) -> Ending | None:
        self._requests += requests
        self._bad += bad
        if end < self._next:
            return None
        self._next += self.INTERVAL
        if self._failed >= self.THRESHOLD:
            return Ending.REVERTED
        passed = self._requests > 0 and 1 - self._bad / self._requests >= self.SUCCESS
        self._requests = self._bad = 0
        if not passed:
            self._failed += 1
            return None
        if self.weight >= self.LARGEST:
            return Ending.PROMOTED
        self.weight += self.STEP
        return None
