"""A model's commits to its rollouts. What counts is the release before and after a commit, never what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promoter.domain.past_rollout import Chapter, Ended, PastRollout, Step
from promoter.domain.release import Release
from promoter.domain.version import ModelVersion


def chapters(steps: Iterable[Step]) -> tuple[Chapter, ...]:
    """The rollouts of these commits, and what people changed between them; oldest first, as the steps must be."""
    told: list[Chapter] = []
    running: list[Step] = []
    for step in steps:
        before, after = step.before.canary, step.after.canary
        if before is not None:
            running.append(step)
            if after is not None and after.version == before.version:
                continue
            told.append(_rollout(before.version, running))
            running = [step] if after is not None else []
        elif after is not None:
            running = [step]
        else:
            told.append(_without_canary(step))
    if running:
        canary = running[-1].after.canary
        # A log that was cut may begin within a rollout, so the canary of its first step may be of before.
        if canary is not None:
            told.append(_rollout(canary.version, running))
    return tuple(told)


def _rollout(version: ModelVersion, steps: Sequence[Step]) -> PastRollout:
    first = steps[0]
    stable = (first.before.stable or first.after.stable) if first.before.canary is None else first.after.stable
    ended, deciding = _end(version, steps)
    return PastRollout(version, stable.version if stable else None, tuple(steps), ended, deciding)


def _end(version: ModelVersion, steps: Sequence[Step]) -> tuple[Ended, Step | None]:
    """A reverted one has ended with the commit that takes its requests; its pods go later."""
    last = steps[-1]
    canary = last.after.canary
    there = canary is not None and canary.version == version
    if not there and _is_stable(last.after, version):
        return Ended.PROMOTED, last
    if last.after.rejection(version) is not None:
        return Ended.REVERTED, _rejecting(version, steps)
    return (Ended.UNDER_WAY, None) if there else (Ended.TAKEN_AWAY, last)


def _rejecting(version: ModelVersion, steps: Sequence[Step]) -> Step:
    """The step since which `version` is rejected without a break."""
    found = steps[-1]
    for step in reversed(steps):
        if step.after.rejection(version) is None:
            break
        found = step
    return found


def _without_canary(step: Step) -> Chapter:
    """A commit with no canary before or after it."""
    before, after = step.before.stable, step.after.stable
    if after is not None and (before is None or before.version != after.version):
        ended = Ended.PROMOTED if step.commit.ours else Ended.PLACED
        return PastRollout(after.version, before.version if before else None, (step,), ended, step)
    refused = [entry.version for entry in step.after.rejected if step.before.rejection(entry.version) is None]
    if refused and step.commit.ours and not step.withheld:
        stable = after.version if after else None
        return PastRollout(refused[0], stable, (step,), Ended.REFUSED, step)
    return step


def _is_stable(release: Release, version: ModelVersion) -> bool:
    return release.stable is not None and release.stable.version == version
