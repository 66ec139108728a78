"""Steps that go by pull request: does the one that is open still do what the pass decides now?

Between its commit and its merge passes go by, and each would write it a little differently. What a step does is
compared, by the releases before and after it, and never how it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from promoter.domain.release import Canary, Promotion, Rejection, Release

# Branches of steps begin like this. No environment's name leads here, so none is taken for a question to people.
STEPS = "promoter-steps/"
PASSES = f"{STEPS}pass"
COMMANDS = f"{STEPS}comments"

_ANY_TIME = datetime.fromtimestamp(0, UTC)
_RAISED = 100
_DRIFTS = "for a reason"


@dataclass(frozen=True, slots=True)
class Step:
    """What a commit makes of one model's release."""

    before: Release
    after: Release

    @property
    def deed(self) -> Release:
        """What it does, without what drifts from pass to pass: times, pods, reasons, and how far a weight is raised."""
        after, canary = self.after, self.after.canary
        if canary is not None:
            canary = replace(
                canary,
                weight=_RAISED if self._raises(canary) else canary.weight,
                replicas=0,
                since=_ANY_TIME,
                withdrawn=None if canary.withdrawn is None else _DRIFTS,
            )
        return replace(
            after,
            stable=None if after.stable is None else replace(after.stable, replicas=None),
            canary=canary,
            rejected=tuple(Rejection(entry.version, _DRIFTS) for entry in after.rejected),
        )

    @property
    def takes_back(self) -> bool:
        """Whether it takes requests from a version that should not have them, or is part of a way back to another."""
        before, after = self.before.canary, self.after.canary
        if after is not None and after.promote is Promotion.BACK:
            return True
        if before is None or before.weight == 0:
            return False
        if after is None:
            return self.after.stable is None or self.after.stable.version != before.version
        return after.version != before.version or after.weight < before.weight

    def stands_for(self, wanted: Step) -> bool:
        """Whether this step, made earlier on the same release, may be done in the place of `wanted`.

        It raises a weight no further than `wanted` does: nothing but the evidence of now allows that.
        """
        if self.before != wanted.before or self.deed != wanted.deed:
            return False
        return _weight(self.after) <= _weight(wanted.after)

    def _raises(self, canary: Canary) -> bool:
        before = self.before.canary
        return before is not None and before.version == canary.version and canary.weight > before.weight


def _weight(release: Release) -> int:
    return release.canary.weight if release.canary else 0
