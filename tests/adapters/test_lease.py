"""One of several promoters leads; by a stated clock, against an API server that fails when it is told to."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from lease_server import LeaseServer, serving
from stated_clock import StatedClock

from promoter.adapters.lease import LeaseLeadership, LeaseSettings


@pytest.fixture
def clock():
    return StatedClock(500.0)


@pytest.fixture
def server():
    return LeaseServer()


@pytest.fixture
def rival(server, tmp_path, clock):
    """Makes promoters, by their names; a Lease lasts 15 s and is to be renewed within 10 s."""
    (tmp_path / "token").write_text("secret\n")
    with serving(server) as url:

        def make(name, **kept):
            settings = LeaseSettings(url, "promoter", "promoter", name, tmp_path / "token", None)
            return LeaseLeadership(settings, **({"clock": clock} | kept))

        yield make


def test_the_first_one_makes_the_lease_and_leads(server, rival):
    first, second = rival("first"), rival("second")
    assert not first.held()
    first.strive()
    second.strive()
    assert first.held()
    assert not second.held()
    assert server.holder == "first"
    assert server.lease["spec"]["leaseDurationSeconds"] == 15
    assert server.lease["spec"]["leaseTransitions"] == 0
    assert abs(datetime.fromisoformat(server.lease["spec"]["renewTime"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert set(server.tokens) == {"Bearer secret"}


def test_who_renews_asks_once_and_keeps_it(server, rival, clock):
    first, second = rival("first"), rival("second")
    for _ in range(30):
        first.strive()
        second.strive()
        assert first.held()
        assert not second.held()
        clock.now += 2
    # One look and one creation; each renewal is a single request.
    assert server.asked.count("PUT") == 29
    assert server.lease["spec"]["leaseTransitions"] == 0


def test_the_lease_of_one_that_is_gone_is_taken_when_it_did_not_change_for_as_long_as_it_lasts(server, rival, clock):
    rival("gone").strive()
    second = rival("second")
    second.strive()
    clock.now += 15
    second.strive()
    assert not second.held()
    clock.now += 0.5
    second.strive()
    assert second.held()
    assert server.holder == "second"
    assert server.lease["spec"]["leaseTransitions"] == 1


def test_the_times_in_a_lease_are_nobodys_clock(server, rival, clock):
    server.by_somebody(holderIdentity="other", leaseDurationSeconds=15, renewTime="1999-01-01T00:00:00.000000Z")
    second = rival("second")
    second.strive()
    assert not second.held()
    for _ in range(10):
        clock.now += 14
        server.by_somebody(renewTime="2999-01-01T00:00:00.000000Z")
        second.strive()
        assert not second.held()
    clock.now += 16
    second.strive()
    assert second.held()


def test_who_cannot_renew_stops_before_another_one_may_begin(server, rival, clock):
    first, second = rival("first"), rival("second")
    first.strive()
    second.strive()
    server.status = 500
    leading = []
    for _ in range(40):
        clock.now += 0.5
        first.strive()
        leading.append(first.held())
    assert leading.index(False) == 19  # 10 s
    server.status = None
    clock.now += 0.1
    second.strive()
    assert second.held()
    first.strive()
    assert not first.held()


def test_a_slow_answer_is_no_gain_of_time(server, rival, clock):
    first = rival("first")
    server.before_write = lambda: setattr(clock, "now", clock.now + 11)
    first.strive()
    assert server.holder == "first"
    assert not first.held()


def test_a_process_that_was_stopped_does_not_lead_when_it_goes_on(rival, clock):
    first = rival("first")
    first.strive()
    clock.now += 3600
    assert not first.held()


def test_two_that_take_it_at_once_do_not_both_have_it(server, rival, clock):
    server.by_somebody(holderIdentity="", leaseDurationSeconds=1)
    first, second = rival("first"), rival("second")
    server.before_write = lambda: server.by_somebody(holderIdentity="second", leaseDurationSeconds=15)
    first.strive()
    assert not first.held()
    second.strive()
    assert second.held()


def test_two_that_make_it_at_once_do_not_both_have_it(server, rival):
    first = rival("first")
    server.before_write = lambda: server.by_somebody(holderIdentity="second", leaseDurationSeconds=15)
    first.strive()
    assert not first.held()
    assert server.holder == "second"


def test_a_lease_that_somebody_took_is_lost_at_once(server, rival, clock):
    first = rival("first")
    first.strive()
    server.by_somebody(holderIdentity="somebody")
    clock.now += 2
    first.strive()
    assert not first.held()


def test_a_lease_that_somebody_deleted_or_annotated_is_soon_held_again(server, rival, clock):
    first = rival("first")
    first.strive()
    for harm in (lambda: setattr(server, "lease", None), server.by_somebody):
        harm()
        for _ in range(2):
            clock.now += 2
            first.strive()
        assert first.held()


def test_a_renewal_whose_answer_was_lost_counts_for_nothing_until_it_is_read_back(server, rival, clock):
    first = rival("first")
    first.strive()
    server.loses_answers = True
    for _ in range(5):
        clock.now += 2
        first.strive()
    assert not first.held()
    server.loses_answers = False
    first.strive()
    assert first.held()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "needs `get` and `update` on the Lease promoter"), (500, "answered with status 500"), (200, "is no Lease")],
)
def test_who_cannot_reach_the_lease_says_so(server, rival, clock, status, sentence):
    second = rival("second")
    second.strive()
    assert second.unreachable() is None
    server.status = status
    clock.now += 14
    second.strive()
    assert second.unreachable() is None
    clock.now += 2
    second.strive()
    assert sentence in second.unreachable()
    server.status = None
    second.strive()
    assert second.unreachable() is None


def test_a_token_that_is_replaced_is_used(server, rival, tmp_path, clock):
    first = rival("first")
    first.strive()
    (tmp_path / "token").write_text("newer")
    clock.now += 2
    first.strive()
    assert server.tokens[-1] == "Bearer newer"
    (tmp_path / "token").unlink()
    clock.now += 16
    first.strive()
    assert not first.held()
    assert "token cannot be read" in first.unreachable()


def test_who_ends_gives_it_back_and_the_next_one_begins_at_once(server, rival):
    brisk = {"every": timedelta(milliseconds=20), "clock": time.monotonic}
    first, second = rival("first", **brisk), rival("second", **brisk)
    with second.kept():
        with first.kept():
            assert eventually(lambda: first.held() or second.held())
            leader, other = (first, second) if first.held() else (second, first)
            time.sleep(0.2)
            assert leader.held()
            assert not other.held()
        if leader is first:
            assert eventually(second.held)
    assert server.holder == ""
    assert not first.held()
    assert not second.held()
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]


def test_a_fault_of_the_keeping_thread_is_heard(rival):
    first = rival("first")
    first.strive = None
    with first.kept():
        assert eventually(lambda: first._broken is not None)
        with pytest.raises(TypeError):
            first.held()


def eventually(holds):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False
