"""Argo CD's sync windows: nothing starts or rises in one that denies, and what waits because of one is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, application, canary, deployment, observation, release, version
from fakes import Behaviour, World
from structlog.testing import capture_logs

from promoter.decisions.rollout import decide
from promoter.decisions.sync_windows import asks_for_sync_windows
from promoter.domain.action import Hold, Revert
from promoter.domain.application import SyncStatus
from promoter.domain.repository import Lineage
from promoter.domain.sync_windows import SyncWindow, SyncWindowKind, SyncWindows
from promoter.telemetry.standing import Waiting, waits_for

DENY = SyncWindow(SyncWindowKind.DENY, "0 22 * * *", "8h", lets_people_sync=False)
DENY_FOR_ROBOTS = SyncWindow(SyncWindowKind.DENY, "* * * * *", "1h", lets_people_sync=True)
ALLOW = SyncWindow(SyncWindowKind.ALLOW, "0 9 * * 1-5", "7h", lets_people_sync=False)
ALLOW_PEOPLE = SyncWindow(SyncWindowKind.ALLOW, "0 9 * * 6", "1h", lets_people_sync=True)


def closed(*windows):
    return SyncWindows(windows, windows)


@pytest.mark.parametrize(
    ("windows", "denying", "let_people"),
    [
        (SyncWindows(), (), True),
        (SyncWindows((DENY,)), (), True),
        (SyncWindows((DENY, ALLOW), (DENY, ALLOW)), (DENY,), False),
        (SyncWindows((DENY_FOR_ROBOTS,), (DENY_FOR_ROBOTS,)), (DENY_FOR_ROBOTS,), True),
        (SyncWindows((DENY, DENY_FOR_ROBOTS), (DENY, DENY_FOR_ROBOTS)), (DENY, DENY_FOR_ROBOTS), False),
        (SyncWindows((ALLOW, ALLOW_PEOPLE), (ALLOW,)), (), True),
        (SyncWindows((ALLOW, DENY)), (ALLOW,), False),
        (SyncWindows((ALLOW_PEOPLE,)), (ALLOW_PEOPLE,), True),
        (SyncWindows((ALLOW, ALLOW_PEOPLE)), (ALLOW, ALLOW_PEOPLE), False),
    ],
)
def test_what_denies_is_what_argo_cd_itself_heeds(windows, denying, let_people):
    assert (windows.denying, windows.let_people_sync) == (denying, let_people)


def test_a_rollout_waits_while_a_window_denies_and_starts_when_it_is_over():
    world = World(versions=[42, 43])
    world.cluster.windows = closed(DENY)
    world.run(120)
    assert world.release.canary is None
    action = world.action()
    assert action.reason.startswith(
        "a sync window of the AppProject denies syncs now (deny `0 22 * * *` for 8h). People may not sync either: "
        "whoever owns the AppProject can change it; next: 43 is the newest"
    )
    assert not action.alarm
    assert waits_for(world.reconciler.survey(world.now).verdicts[0], world.now) is Waiting.SYNC
    world.cluster.windows = SyncWindows((DENY,))
    assert world.run(1200, until=lambda: world.release.stable.version == version(43))


def test_outside_every_window_that_allows_nothing_starts_either():
    world = World(versions=[42, 43])
    world.cluster.windows = SyncWindows((ALLOW,))
    world.run(60)
    assert world.release.canary is None
    assert (
        "no sync window of the AppProject that allows syncs is open now (allow `0 9 * * 1-5`" in world.action().reason
    )


def in_flight():
    world = World(versions=[42, 43])
    assert world.run(600, until=lambda: world.weight > 0)
    world.run(10)
    return world


def test_a_weight_does_not_rise_into_a_window_in_which_it_could_not_be_taken_back():
    world = in_flight()
    before = world.weight
    world.cluster.windows = closed(DENY)
    world.run(300)
    assert world.weight == before
    assert world.cluster.route() == {42: 100 - before, 43: before}
    assert "denies syncs now" in world.action().reason
    assert waits_for(world.reconciler.survey(world.now).verdicts[0], world.now) is Waiting.SYNC
    world.cluster.windows = SyncWindows()
    assert world.run(1200, until=lambda: world.release.stable.version == version(43))


def test_a_way_back_that_a_window_bars_is_pushed_all_the_same_and_is_the_loudest_alarm():
    world = in_flight()
    before = world.weight
    world.cluster.windows = closed(DENY_FOR_ROBOTS)
    world.behaviour[43] = Behaviour(bad=0.5)
    assert world.run(200, until=lambda: world.release.rejected != ())
    assert world.weight == 0
    world.run(20)

    action = world.action()

    assert world.cluster.route()[43] == before
    assert isinstance(action, Hold)
    assert action.alarm
    assert action.reason.startswith(
        "the way back is barred: a sync window of the AppProject denies syncs now (deny `* * * * *` for 1h). People "
        "may sync all the same: `argocd app sync production-ranker`; 43 is rejected; its pods go once weight 0 is live"
    )
    with capture_logs() as logs:
        world.loop.one_pass()
    assert [entry["log_level"] for entry in logs if entry["event"] == "rollout.hold"] == ["critical"]
    world.cluster.windows = SyncWindows((DENY_FOR_ROBOTS,))
    assert world.run(60, until=lambda: world.release.canary is None)


def test_nobody_asks_for_windows_while_commits_become_live_as_usual():
    world = World(versions=[42, 43])
    assert world.run(1200, until=lambda: world.release.stable.version == version(43))
    forward = [subject for subject in world.subjects() if "canary 43" in subject]
    assert world.cluster.windows_asked == len(forward) > 2


def test_where_nobody_can_tell_nothing_starts_and_what_fails_is_reverted():
    world = World(versions=[42, 43])
    world.cluster.windows_broken = "Argo CD answered with status 500"
    world.run(60)
    assert world.release.canary is None
    assert "nobody can tell whether a sync window denies, so nothing starts" in world.action().reason
    assert "status 500; next: 43 is" in world.action().reason
    world.cluster.windows_broken = None
    assert world.run(600, until=lambda: world.weight > 0)
    world.cluster.windows_broken = "Argo CD answered with status 500"
    world.behaviour[43] = Behaviour(bad=0.5)
    assert world.run(200, until=lambda: world.release.canary is None)
    assert world.release.rejected


WAITS = Hold("waits until the last commit is live: the application is OutOfSync")


def seen_for(route, *, weight=5, sync=SyncStatus.OUT_OF_SYNC):
    """Changed two minutes ago at the least."""
    return observation(
        release=release(canary=canary(weight=weight)),
        application=application([deployment(42), deployment(43)], route, sync=sync),
        lineage=Lineage(contains=False, unchanged=False),
    )


@pytest.mark.parametrize(
    ("seen", "after", "asked"),
    [
        (seen_for({42: 100}), 61, True),
        (seen_for({42: 100}), 59, False),
        (seen_for({42: 100}, sync=SyncStatus.SYNCED), 600, False),
        (seen_for({42: 70, 43: 30}), 11, True),
        (seen_for({42: 70, 43: 30}), 9, False),
    ],
)
def test_they_are_asked_for_where_a_commit_takes_longer_than_usual_and_sooner_where_it_is_a_way_back(
    seen, after, asked
):
    now = seen.changed.at + timedelta(seconds=after)
    assert asks_for_sync_windows(seen, WAITS, now) is asked
    assert not asks_for_sync_windows(seen, Revert(version(43), "it fails"), now)


def test_a_raise_that_is_not_live_is_no_way_back_that_is_barred():
    seen = seen_for({42: 99, 43: 1})
    told = decide(replace(seen, sync_windows=closed(DENY)), NOON)
    assert "the way back is barred" not in told.reason
