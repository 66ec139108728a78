"""How one simulated rollout ended."""

from __future__ import annotations

from dataclasses import dataclass

from promoter.domain.forecast import Ending


@dataclass(frozen=True, slots=True)
class Outcome:
    """seconds: from the first weight to the verdict.

    extra: failed requests beyond those that stable would have failed, until the verdict was live.
    chosen: the bet that was chosen before the rollout; empty for rules that choose none.
    """

    verdict: Ending
    seconds: int
    extra: int
    chosen: str = ""
