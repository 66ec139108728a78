"""How bunched stable's errors are: one pod of many, one minute of many.

Pearson's dispersion of per-pod counts around the common ratio of each block of time, so that an outage of
all pods at once cancels out. 1 for requests that fail independently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# (bad, requests) of one pod in one block of time.
PodBlock = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Dispersion:
    """phi: the dispersion, None where nothing failed or there is one pod only. df: degrees of freedom.

    mean_bad: bad requests per pod and block, over all blocks.
    """

    phi: float | None
    df: int
    mean_bad: float = 0.0


def dispersion(blocks: Sequence[Sequence[PodBlock]]) -> Dispersion:
    """Dispersion over blocks of time, each with one entry per pod that had requests."""
    squares, df, bad_everywhere, entries = 0.0, 0, 0, 0
    for block in blocks:
        pods = [(bad, requests) for bad, requests in block if requests]
        entries += len(pods)
        bad = sum(count for count, _ in pods)
        requests = sum(count for _, count in pods)
        bad_everywhere += bad
        # Without a failure, or with nothing else, a block tells nothing of how failures bunch.
        if not 0 < bad < requests or len(pods) < 2:
            continue
        ratio = bad / requests
        squares += sum((x - n * ratio) ** 2 / (n * ratio * (1 - ratio)) for x, n in pods)
        df += len(pods) - 1
    mean = bad_everywhere / entries if entries else 0.0
    return Dispersion(squares / df if df else None, df, mean)


def bad_ratio(blocks: Sequence[Sequence[PodBlock]]) -> float | None:
    """The share of requests that failed, over all blocks and pods; None where there were none."""
    requests = sum(count for block in blocks for _, count in block)
    return sum(bad for block in blocks for bad, _ in block) / requests if requests else None
