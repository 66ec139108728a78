"""A process is found again from its first moment on, whatever the clock is set to."""

import sys

import psutil
import pytest

from promoter.sandbox import processes


@pytest.fixture
def sleeper(tmp_path):
    identity = processes.start(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        directory=tmp_path,
        environment={},
        log=tmp_path / "log",
        exit_status=tmp_path / "exit",
    )
    yield identity
    processes.sweep(tmp_path, grace=0.1)


def test_a_process_is_found_while_it_still_becomes_its_program(tmp_path, sleeper, monkeypatch):
    # Between fork and exec the kernel shows no environment, which is not that of a stranger.
    shown = iter([{}, {}, {}])
    whole = psutil.Process.environ
    monkeypatch.setattr(psutil.Process, "environ", lambda process: next(shown, whole(process)))
    assert processes.find(sleeper, tmp_path) is not None
    assert next(shown, None) is None


def test_setting_the_clock_does_not_make_it_another_process(tmp_path, sleeper, monkeypatch):
    since_boot = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: since_boot(process) + 3600)
    assert processes.find(sleeper, tmp_path) is not None


def test_a_later_process_with_the_same_pid_is_another_one(tmp_path, sleeper):
    later = processes.Identity(sleeper.pid, sleeper.started + 1)
    assert processes.find(later, tmp_path) is None


def test_a_process_of_another_sandbox_is_not_ours(tmp_path, sleeper):
    assert processes.find(sleeper, tmp_path / "other") is None


def test_one_that_ended_is_not_found(tmp_path, sleeper):
    processes.sweep(tmp_path, grace=0.1)
    assert processes.find(sleeper, tmp_path) is None
