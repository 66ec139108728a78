"""What people are told waits for forges in a thread of its own."""

from __future__ import annotations

import threading
import time

import pytest

from promoter.control.beside import Beside
from promoter.control.loop import PassReport


class Recorded:
    """An audience that waits until `free` is set, and fails as often as it is told to."""

    def __init__(self):
        self.free = threading.Event()
        self.free.set()
        self.failures = 0
        self.told = []

    def pass_began(self):
        raise AssertionError("nobody is told that a pass began")

    def pass_ended(self, report):
        self.free.wait(30)
        self.told.append(report.took)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("our own fault")

    def stood_by(self):
        self.told.append("stood by")


def report(number):
    return PassReport(None, None, None, float(number))


@pytest.fixture
def audience():
    return Recorded()


@pytest.fixture
def beside(audience):
    running = Beside(audience, "forge")
    thread = running.start()
    yield running
    audience.free.set()
    running.stop()
    thread.join(10)
    assert not thread.is_alive()


def until(told, audience):
    deadline = time.monotonic() + 10
    while audience.told != told:
        assert time.monotonic() < deadline, audience.told
        time.sleep(0.01)


def test_what_happened_is_told_in_its_order(audience, beside):
    beside.pass_began()
    beside.pass_ended(report(1))
    beside.stood_by()
    beside.pass_ended(report(2))
    until([1.0, "stood by", 2.0], audience)


def test_a_forge_that_hangs_keeps_no_pass_waiting_and_hears_the_newest_reports_later(audience, beside):
    audience.free.clear()
    for number in range(100):
        beside.pass_ended(report(number))
    # It got here, while the first is still being told.
    assert audience.told == []
    audience.free.set()
    deadline = time.monotonic() + 10
    while not audience.told or audience.told[-1] != 99.0:
        assert time.monotonic() < deadline, audience.told
        time.sleep(0.01)
    assert audience.told[-32:] == [float(number) for number in range(68, 100)]
    assert len(audience.told) <= 33


def test_a_fault_of_ours_does_not_end_the_telling(audience, beside):
    audience.failures = 1
    beside.pass_ended(report(1))
    beside.pass_ended(report(2))
    until([1.0, 2.0], audience)
