"""Healthy means that passes end; by a stated clock."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from fakes import World
from prometheus_client import CollectorRegistry
from stated_clock import StatedClock

from promoter.control.loop import Loop, PassReport
from promoter.errors import InvalidSettings, RepositoryUnavailable
from promoter.telemetry import Endpoints, Health, serve

WELL = PassReport(None, None, None, 0.1)
BADLY = PassReport(None, RepositoryUnavailable("gone"), None, 0.1)


@pytest.fixture
def clock():
    return StatedClock(1000.0)


@pytest.fixture
def health(clock):
    """Passes may take 90 s and be 60 s apart: two of both are 5 minutes."""
    return Health(timedelta(minutes=1), timedelta(seconds=90), clock)


def test_a_first_pass_has_time_to_download_the_repository(health, clock):
    health.pass_began()
    clock.now += 14 * 60
    assert health.stalled() is None
    clock.now += 61
    assert health.stalled() == ("no pass has ended for 901 s, and 15m are allowed: one that began 901 s ago hangs")


def test_a_pass_that_hangs_is_seen(health, clock):
    health.pass_began()
    health.pass_ended(WELL)
    clock.now += 5
    health.pass_began()
    clock.now += 295
    assert health.stalled() is None
    clock.now += 1
    assert "one that began 296 s ago hangs" in health.stalled()


def test_a_loop_that_makes_no_pass_is_seen(health, clock):
    health.pass_began()
    health.pass_ended(WELL)
    clock.now += 301
    assert "the loop makes no pass" in health.stalled()
    assert health.unready() == health.stalled()


def test_passes_that_fail_are_no_reason_to_be_started_anew_and_leave_a_new_process_unready(health, clock):
    for _ in range(20):
        health.pass_began()
        health.pass_ended(BADLY)
        clock.now += 60
        assert health.stalled() is None
        assert "without an error" in health.unready()
    health.pass_began()
    health.pass_ended(WELL)
    assert health.unready() is None
    health.pass_began()
    health.pass_ended(BADLY)
    assert health.unready() is None


def test_who_stands_by_is_healthy_and_ready_for_as_long_as_it_looks(health, clock):
    for _ in range(600):
        health.stood_by()
        clock.now += 1
    assert health.stalled() is None
    assert health.unready() is None
    clock.now += 301
    assert "no pass has ended" in health.stalled()


class Lent:
    """Leadership that is given and taken: "yes" or "no" for each time that it is asked for, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def held(self):
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]) == "yes"


def loop_of(world, leadership, *audiences):
    return Loop(world.reconciler, timedelta(seconds=5), lambda: world.now, leadership=leadership, audiences=audiences)


def test_who_does_not_lead_asks_nobody_and_changes_nothing(health):
    world = World(versions=[42, 43])
    world.repository.fetch = None
    assert loop_of(world, Lent("no"), health).one_turn() == timedelta(seconds=1)
    assert health.unready() is None


def test_a_lead_that_is_lost_in_a_pass_pushes_nothing():
    world = World(versions=[42, 43])
    loop = loop_of(world, Lent("yes", "no"))
    for _ in range(3):
        loop.one_turn()
        world.advance(5)
    assert world.subjects() == []
    loop_of(world, Lent("yes")).one_turn()
    assert world.subjects()


def ask(port, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_what_is_asked_over_http(health, clock):
    endpoints = Endpoints(health.stalled, health.unready, CollectorRegistry())
    with serve(endpoints, "", 0) as port:
        assert ask(port, "/healthz") == (200, "ok\n")
        assert ask(port, "/readyz")[0] == 503
        assert ask(port, "/metrics")[0] == 200
        assert ask(port, "/")[0] == 404
        assert ask(port, "/healthz", "POST")[0] == 405
        clock.now += 3600
        status, sentence = ask(port, "/healthz")
        assert status == 503
        assert "no pass has ended for 3600 s" in sentence
        with pytest.raises(InvalidSettings, match="cannot listen"), serve(endpoints, "127.0.0.1", port):
            pass


def test_a_pass_that_hangs_does_not_hang_the_answers(health):
    world = World(versions=[42, 43])
    hangs, goes_on = threading.Event(), threading.Event()

    def fetch():
        hangs.set()
        goes_on.wait(10)
        raise RepositoryUnavailable("too late")

    world.repository.fetch = fetch
    passing = threading.Thread(target=loop_of(world, Lent("yes"), health).one_turn)
    with serve(Endpoints(health.stalled, health.unready, CollectorRegistry()), "127.0.0.1", 0) as port:
        passing.start()
        assert hangs.wait(5)
        assert ask(port, "/healthz")[0] == 200
        goes_on.set()
        passing.join()
