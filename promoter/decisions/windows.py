"""Steps forward wait for a window, and a start for one that is long enough. No way back asks for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from promoter.decisions.counting import request_rate
from promoter.decisions.forecast import expected_course
from promoter.decisions.opening import longest_opening, next_opening, open_until
from promoter.domain.action import Action, Hold, Promote, SetWeight, StartCanary, is_way_back
from promoter.domain.calibration import Calibration
from promoter.domain.duration import format_duration
from promoter.domain.forecast import Ending
from promoter.domain.freeze import Unreadable
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import RolloutPolicy
from promoter.domain.window import Holiday


def within_windows(seen: Observation, action: Action, now: datetime) -> Action:
    """`action`, or why it waits: it is a step forward, and none is open, or not for as long as it takes."""
    if not seen.policy.windows or not isinstance(action, StartCanary | SetWeight | Promote):
        return action
    if is_way_back(action):
        return action
    if isinstance(seen.holidays, Unreadable):
        reason = f"nobody can tell which days are holidays, so nothing starts and nothing rises: {seen.holidays.fault}"
        return Hold(f"{reason}; next: {action.reason}", action.evidence, alarm=True)
    if closed(seen, now):
        following = _following(seen.policy, seen.holidays, now)
        return Hold(f"outside the windows of policy.yaml; {following}; next: {action.reason}", action.evidence)
    if isinstance(action, StartCanary):
        return _ending_inside(seen, seen.holidays, action, now) or action
    return action


def least_duration(policy: RolloutPolicy) -> timedelta:
    """No rollout is over in less, whatever the traffic."""
    return policy.soak + policy.guard


def expected_duration(
    policy: RolloutPolicy, calibration: Calibration, traits: ClusterTraits, *, rate: float, full: int
) -> timedelta | None:
    """From the start to the promotion of a version like stable; None where no end is in sight.

    rate: requests per second. full: pods that carry all of them. How long pods take to become Ready is not in it.
    """
    # Two digits are as good as a forecast gets, and let the next pass find the answer of this one.
    known = replace(
        calibration,
        kappa=round(calibration.kappa, 2),
        phi=_rounded(calibration.phi),
        base=_rounded(calibration.base or 0.0),
        bounds_us=(),
        reason="",
    )
    seconds = _walked(replace(policy, windows=(), holidays=None), known, traits, _rounded(rate), full)
    if seconds is None:
        return None
    # From the start to the first weight, and from the last decision to its being live: a reaction each.
    return timedelta(seconds=round(seconds)) + 2 * traits.reaction_time + policy.guard


def closed(seen: Observation, now: datetime) -> bool:
    """Whether windows bar every step forward at this moment."""
    if not seen.policy.windows:
        return False
    if isinstance(seen.holidays, Unreadable):
        return True
    return open_until(seen.policy.windows, seen.holidays, now, now + timedelta(seconds=1)) is None


def too_short(policy: RolloutPolicy, holidays: tuple[Holiday, ...], needed: timedelta, now: datetime) -> str | None:
    """That no window of the coming year is `needed` long, and what would help; None where one is."""
    longest = longest_opening(policy.windows, holidays, now.date())
    if longest >= needed:
        return None
    return (
        f"no window of the coming year is that long, the longest has {format_duration(longest)}. Whoever maintains "
        "policy.yaml can lengthen a window, or shorten soak or guard"
    )


def _ending_inside(
    seen: Observation, holidays: tuple[Holiday, ...], started: StartCanary, now: datetime
) -> Hold | None:
    """Why the rollout is not likely to be over before the window closes; None where it is."""
    policy, needed = seen.policy, least_duration(seen.policy)
    said = f"{started.version} would take at least {format_duration(needed)} (soak and guard)"
    if _open_for(policy, holidays, needed, now):
        # Only now the walk through a whole rollout, which takes a while.
        expected = _expected(seen, started)
        if expected is None:
            return Hold(_no_end(seen, started), alarm=True)
        if _open_for(policy, holidays, expected, now):
            return None
        needed = expected
        said = f"{started.version} is expected to take {format_duration(needed)} to its promotion"
    barred = too_short(policy, holidays, needed, now)
    if barred is not None:
        return Hold(f"{said}, and {barred}", alarm=True)
    closes = open_until(policy.windows, holidays, now, now + needed)
    if closes is None:
        raise AssertionError("asked while a window is open")
    left = format_duration(closes - now)
    return Hold(f"{said}, and the window closes in {left}; {_following(policy, holidays, closes)}")


def _expected(seen: Observation, started: StartCanary) -> timedelta | None:
    measured, calibration, traits = seen.measurements, seen.calibration, seen.traits
    if measured is None or calibration is None:
        raise AssertionError("nothing starts unseen")
    rate = request_rate(measured, traits.scrape_interval)
    return expected_duration(seen.policy, calibration, traits, rate=rate, full=started.stable_replicas)


def _no_end(seen: Observation, started: StartCanary) -> str:
    return (
        f"a rollout of {started.version} is not likely to end within soak and max_step, so no window is long enough. "
        f"`promoter forecast {seen.served.model}` says why; whoever maintains policy.yaml can widen the margin, raise "
        "max_weight or lengthen max_step"
    )


def _open_for(policy: RolloutPolicy, holidays: tuple[Holiday, ...], needed: timedelta, now: datetime) -> bool:
    closes = open_until(policy.windows, holidays, now, now + needed)
    return closes is not None and closes >= now + needed


def _following(policy: RolloutPolicy, holidays: tuple[Holiday, ...], after: datetime) -> str:
    found = next_opening(policy.windows, holidays, after)
    if found is None:
        return "none of them opens again: whoever maintains policy.yaml or its holidays can change that"
    at, window = found
    local = at.astimezone(window.zone)
    return f"the next one opens {local:%a %Y-%m-%d %H:%M} {window.timezone} ({at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


@lru_cache(maxsize=1024)
def _walked(
    policy: RolloutPolicy, calibration: Calibration, traits: ClusterTraits, rate: float, full: int
) -> float | None:
    """Seconds from the first weight to the decision for all requests. The same arguments give the same answer."""
    course = expected_course(policy, calibration, traits, rate=rate, full=full, ratio=calibration.base or 0.0)
    return course.seconds if course.ending is Ending.PROMOTED else None


def _rounded(figure: float) -> float:
    return float(f"{figure:.2g}")
