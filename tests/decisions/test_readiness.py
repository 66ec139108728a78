"""Argo CD's words, read with distrust."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, application, canary, deployment, observation, release

from promoter.decisions.readiness import not_live_because, waits_for_capacity
from promoter.domain.application import Health, Operation, OperationPhase, SyncStatus
from promoter.domain.repository import Lineage

LIVE = application([deployment(42, 2), deployment(43, 2)], {42: 95, 43: 5})
TRIAL = release(canary=canary(43, weight=5))


def why(lineage=Lineage(contains=True, unchanged=True), **changes):  # noqa: B008 - a frozen value
    live = application([deployment(42, 2), deployment(43, 2)], **({"route": {42: 95, 43: 5}} | changes))
    return not_live_because(observation(release=TRIAL, application=live, lineage=lineage), NOON)


def test_everything_in_order_is_live():
    assert why() is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"refresh_pending": True}, "has not finished the refresh"),
        ({"operation_requested": True}, "is syncing"),
        ({"operation": Operation(OperationPhase.RUNNING, None)}, "the last sync is Running"),
        ({"operation": Operation(OperationPhase.RUNNING, NOON)}, "the last sync is Running"),
        ({"operation": Operation(OperationPhase.FAILED, NOON, "quota")}, "the last sync is Failed: quota"),
        (
            {"reconciled_at": NOON - timedelta(minutes=3)},
            "has not looked again since the last sync",
        ),
        ({"reconciled_at": None}, "has not looked again since the last sync"),
        ({"sync": SyncStatus.OUT_OF_SYNC}, "the application is OutOfSync"),
        ({"sync": SyncStatus.UNKNOWN}, "the application is Unknown"),
        ({"errors": ("ComparisonError: boom",)}, "reports an error: ComparisonError: boom"),
        ({"compared_current_spec": False}, "an older specification"),
        ({"revision": None}, "does not say which commit"),
        ({"lineage": Lineage(contains=False, unchanged=True)}, "is not live yet"),
        ({"lineage": Lineage(contains=True, unchanged=False)}, "is not live yet"),
        ({"lineage": None}, "is not live yet"),
        ({"health": Health.PROGRESSING}, "the application is Progressing"),
        ({"health": Health.DEGRADED}, "the application is Degraded"),
        ({"health": Health.MISSING}, "the application is Missing"),
        ({"health_since": NOON - timedelta(seconds=4)}, "less than five seconds"),
        ({"route": None}, "the live route cannot be read"),
        ({"route": {42: 100}}, "the live route sends 100 % to 42"),
        ({"route": {42: 50, 43: 50}}, "the live route sends 50 % to 42, 50 % to 43"),
    ],
)
def test_whatever_is_amiss_is_said(changes, sentence):
    assert sentence in why(**changes)


def test_an_application_that_was_never_synced_by_an_operation_can_be_live():
    assert why(operation=None) is None


def test_no_answer_of_argo_cd_is_not_live():
    assert "does not say" in not_live_because(observation(application=None, lineage=None), NOON)


def test_weight_zero_is_live_whether_the_route_lists_it_or_not():
    at_zero = release(canary=canary(43, weight=0))
    for route in ({42: 100, 43: 0}, {42: 100}):
        live = application([deployment(42, 2), deployment(43, 2)], route)
        assert not_live_because(observation(release=at_zero, application=live), NOON) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (deployment(43, ready=0, waiting=0), True),
        (deployment(43, ready=1, waiting=1, reason="Pending"), True),
        (deployment(43, ready=0, waiting=2, reason="ImagePullBackOff"), True),
        (deployment(43, ready=0, waiting=1, reason="CrashLoopBackOff"), False),
        (deployment(43, ready=2), False),
    ],
)
def test_waiting_for_room_is_told_from_crashing(found, expected):
    assert waits_for_capacity(found) is expected
