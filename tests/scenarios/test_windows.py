"""Rollouts and windows: starts and raises inside, ways back always."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, observation, policy, stored, version
from fakes import POLICY, World
from hypothesis import assume, given
from hypothesis import strategies as st

from promoter.decisions.forecast import expected_course
from promoter.decisions.opening import open_until
from promoter.decisions.windows import within_windows
from promoter.domain.action import Hold, Promote, Reject, Revert, SetWeight, StartCanary, Withdraw
from promoter.domain.freeze import Unreadable
from promoter.domain.window import Window
from promoter.telemetry.standing import Waiting, waits_for

CALENDAR = "environments/holidays.ics"


def windows(*crons, duration="30m", zone="UTC", holidays=False):
    lines = "".join(f'  - {{cron: "{cron}", duration: {duration}, timezone: {zone}}}\n' for cron in crons)
    return f"{POLICY}windows:\n{lines}" + (f"holidays: {CALENDAR}\n" if holidays else "")


def at(text):
    hour, minute = map(int, text.split(":"))
    return NOON.replace(hour=hour, minute=minute)


def test_a_rollout_waits_for_the_window_and_its_hold_says_when_that_is():
    world = World(windows("10 13 * * *", zone="Europe/Berlin", duration="40m"), versions=(42, 43))
    world.run(60)
    assert world.release.canary is None
    reason = world.action().reason
    assert "the next one opens Sun 2026-11-22 13:10 Europe/Berlin (2026-11-22 12:10 UTC); next: 43 is the" in reason
    assert waits_for(world.reconciler.survey(world.now).verdicts[0], world.now) is Waiting.WINDOW
    assert world.run(2000, until=lambda: world.release.canary is not None)
    assert at("12:10") <= world.now < at("12:11")
    assert world.run(1200, until=lambda: world.release.stable.version == version(43))


def test_a_start_that_would_not_be_over_in_time_waits_for_the_next_window():
    world = World(windows("0 12 * * *", "0 14 * * *", duration="3m55s"), versions=(42, 43))
    expected = world.action()
    assert isinstance(expected, Hold)
    assert "43 is expected to take" in expected.reason
    assert "opens Sun 2026-11-22 14:00 UTC (2026-11-22 14:00 UTC)" in expected.reason
    assert not expected.alarm


def test_the_same_start_goes_ahead_where_the_window_is_longer():
    world = World(windows("0 12 * * *", duration="20m"), versions=(42, 43))
    assert isinstance(world.action(), StartCanary)
    assert world.run(1000, until=lambda: world.release.stable.version == version(43))
    assert world.now < at("12:20")


@pytest.mark.parametrize("duration", ["1m", "1m40s"])
def test_where_no_window_is_ever_long_enough_the_hold_is_an_alarm_that_says_who_can_help(duration):
    world = World(windows("*/10 * * * *", duration=duration), versions=(42, 43))
    while isinstance(action := world.action(), Hold) and "outside" in action.reason:
        world.advance(10)
    assert isinstance(action, Hold)
    assert action.alarm
    assert f"the longest has {duration}. Whoever maintains policy.yaml can lengthen a window" in action.reason


def test_a_rollout_that_its_window_left_behind_holds_and_goes_on_in_the_next():
    world = World(windows("0 12 * * *"), versions=(42, 43))
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.run(300, until=lambda: world.weight > 0)
    weight = world.weight
    world.repository.person({"environments/production/ranker/policy.yaml": windows("8 12 * * *")}, "Not on Sundays")
    world.run(90)
    assert world.weight == weight
    assert "outside the windows of policy.yaml" in world.action().reason
    assert world.run(400, until=lambda: world.weight > weight)
    assert world.now >= at("12:08")


def test_the_step_to_stable_waits_for_a_window_and_ways_back_do_not():
    world = World(windows("0 12 * * *"), versions=(42, 43))
    assert world.run(1200, until=lambda: world.weight == 100)
    world.repository.person({"environments/production/ranker/policy.yaml": windows("0 15 * * *")}, "Later")
    world.run(120)
    assert world.release.canary is not None
    world.behaviour[43].bad = 1.0
    assert world.run(60, until=lambda: world.weight == 0)
    assert world.run(120, until=lambda: world.release.canary is None)


def test_a_blind_canary_is_withdrawn_outside_the_windows_and_starts_again_inside():
    world = World(windows("0 12 * * *"), versions=(42, 43))
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.person({"environments/production/ranker/policy.yaml": windows("10 12 * * *")}, "Later")
    world.metrics.down = "Prometheus is away"
    assert world.run(120, until=lambda: world.weight == 0)
    world.metrics.down = None
    world.run(60)
    assert world.weight == 0
    assert world.run(500, until=lambda: world.weight > 0)
    assert world.now >= at("12:10")


def test_a_first_version_waits_for_a_window():
    world = World(windows("10 12 * * *"), stable=None)
    world.run(120)
    assert world.release.stable is None
    assert world.run(600, until=lambda: world.release.stable is not None)
    assert world.now >= at("12:10")


ICS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Sunday of the Dead\r\nDTSTART;VALUE=DATE:20261122\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"  # noqa: E501 - one file


def test_on_a_holiday_nothing_starts_and_a_calendar_that_is_not_there_holds_with_an_alarm():
    world = World(windows("0 12 * * *", holidays=True), versions=(42, 43))
    action = world.action()
    assert action.alarm
    assert f"nobody can tell which days are holidays, so nothing starts and nothing rises: {CALENDAR}" in action.reason
    world.repository.person({CALENDAR: ICS})
    assert "the next one opens Mon 2026-11-23 12:00 UTC" in world.action().reason
    world.repository.person({CALENDAR: ICS.replace("20261122", "20261123")})
    assert isinstance(world.action(), StartCanary)


def test_a_broken_calendar_bars_no_way_back():
    world = World(windows("0 12 * * *", holidays=True), versions=(42, 43))
    world.repository.person({CALENDAR: ICS.replace("20261122", "20261123")})
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.person({CALENDAR: "hello"})
    weight = world.weight
    world.run(60)
    assert world.weight == weight
    world.behaviour[43].bad = 1.0
    assert world.run(60, until=lambda: world.weight == 0)


START = StartCanary(version(43), stored(43).digest, 1, 4, "newer")
FORWARD = [
    SetWeight(version(43), 20, 2, "more"),
    Promote(version(43), stored(43).digest, "proven"),
]
BACK = [
    Revert(version(43), "bad"),
    Withdraw(version(43), "blind"),
    Reject(version(43), "no signature", None),
    Hold("nothing to do"),
]
SOME = st.builds(
    Window,
    st.builds("{} {} * * {}".format, st.integers(0, 59), st.integers(0, 23), st.sampled_from(["*", "1-5", "0"])),
    st.integers(1, 1440).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)


@given(st.lists(SOME, min_size=1, max_size=3), st.integers(0, 366 * 24 * 60), st.sampled_from([START, *FORWARD, *BACK]))
def test_never_a_raise_outside_a_window_and_always_a_way_back(some, minutes, action):
    now = NOON + timedelta(minutes=minutes)
    seen = observation(policy=policy(windows=tuple(some)))
    inside = open_until(some, (), now, now + timedelta(seconds=1)) is not None
    # A start inside asks the forecast, which needs measurements.
    assume(not (inside and action == START))
    decided = within_windows(seen, action, now)
    if action in BACK or inside:
        assert decided == action
    else:
        assert isinstance(decided, Hold)
        assert decided.reason.endswith(f"next: {action.reason}")


@pytest.mark.parametrize("action", FORWARD)
def test_what_cannot_be_read_bars_every_step_forward(action):
    always = Window("0 0 * * *", timedelta(days=1), "UTC")
    seen = observation(policy=policy(windows=(always,)), holidays=Unreadable("holidays.ics: broken"))
    assert within_windows(seen, action, NOON).alarm


def test_a_rollout_is_walked_once_for_a_start_that_waits_and_never_for_one_that_is_not_due(monkeypatch):
    walked = []

    def counted(*arguments, **named):
        walked.append(named["rate"])
        return expected_course(*arguments, **named)

    monkeypatch.setattr("promoter.decisions.windows.expected_course", counted)
    # A policy of this test alone, since answers are remembered for the whole process.
    world = World(windows("0 12 * * *", duration="3m55s") + "max_step: 61m\n", versions=(42,))
    assert "no complete version above 42" in world.action().reason
    assert walked == []
    world.store.versions.append(43)
    world.restart()
    for _ in range(3):
        assert "43 is expected to take" in world.action().reason
        world.advance(5)
    assert walked == [100]
    world.advance(30)
    assert "43 would take at least 1m30s (soak and guard), and the window closes in" in world.action().reason
    assert walked == [100]
