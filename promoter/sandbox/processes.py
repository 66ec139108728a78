"""Processes of one sandbox: started, found again, stopped. What they are for is not known here.

Every process carries the sandbox's directory in its environment, and so does whatever it starts. A process is
ours if it has that marker; its pid, even with its start time, is only where to look first.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARKER = "PROMOTER_SANDBOX"

# Linux counts a process' start from its boot time, which it gives in whole seconds and moves whenever the clock is
# set, so the same start can be told a second or two apart. A pid that comes round within such a time does not happen.
_CLOCK_STEP = 5.0

_EXEC_PATIENCE = 1.0

# A shell stays behind as the parent of each part and writes down how it ended, so that this can be
# told later by a process that is not its parent.
_KEEPER = '"$@"; echo "$?" > "$0"'


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told apart from a later one with the same pid. `started` is in seconds since the epoch."""

    pid: int
    started: float


def start(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path, exit_status: Path
) -> Identity:
    """Start `command` in a session of its own, marked as belonging to `directory`.

    Its output is appended to `log`, and its exit status (128 + n for signal n, 127 where there is no
    such program) is left in `exit_status`.
    """
    exit_status.unlink(missing_ok=True)
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, str(exit_status), *command],
            cwd=directory,
            env={**environment, MARKER: str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Somebody has to wait for a child, or it stays as a zombie for as long as this process lives.
    threading.Thread(target=keeper.wait, daemon=True).start()
    return _kept_by(keeper.pid)


def exit_status(path: Path, patience: float = 0.5) -> int | None:
    """The exit status that a process left in `path`, None where nobody was left to write it down.

    It may have ended a moment ago, so that it takes `patience` seconds to say that there is none.
    """
    deadline = time.monotonic() + patience
    while True:
        with suppress(FileNotFoundError, ValueError):
            return int(path.read_text(encoding="ascii"))
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)


def find(identity: Identity, directory: Path) -> psutil.Process | None:
    """The process of this identity if it is alive and belongs to `directory`, else None."""
    with suppress(psutil.Error):
        process = psutil.Process(identity.pid)
        age_agrees = abs(process.create_time() - identity.started) < _CLOCK_STEP
        _wait_for_program(process)
        if age_agrees and _is_alive(process) and _is_marked(process, directory):
            return process
    return None


def marked(directory: Path) -> set[psutil.Process]:
    """Every living process that belongs to `directory`, with all that descend from it; never ourselves."""
    found = {process for process in psutil.process_iter() if _is_marked(process, directory)}
    for process in tuple(found):
        with suppress(psutil.Error):
            found.update(process.children(recursive=True))
    ourselves = psutil.Process()
    return {process for process in found - {ourselves, *ourselves.parents()} if _is_alive(process)}


def terminate(processes: Iterable[psutil.Process], grace: float) -> None:
    """Ask by SIGTERM; after `grace` seconds, end by SIGKILL those that have not gone."""
    processes = list(processes)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    kill(_remaining(processes, grace))


def kill(processes: Iterable[psutil.Process]) -> None:
    """End by SIGKILL, and wait until they are gone."""
    processes = list(processes)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _remaining(processes, 10)


def sweep(directory: Path, grace: float = 2) -> int:
    """End everything that belongs to `directory`; returns how many processes that were."""
    swept = 0
    while processes := marked(directory):
        # Again until none is found: one that is being ended may just have started another.
        terminate(processes, grace)
        swept += len(processes)
    return swept


def _kept_by(pid: int) -> Identity:
    """The process that a keeper started; the keeper itself where that has come to its end already."""
    keeper = psutil.Process(pid)
    started = keeper.create_time()
    with suppress(psutil.Error):
        while _is_alive(keeper):
            for child in keeper.children():
                return Identity(child.pid, child.create_time())
            time.sleep(0.005)
    return Identity(pid, started)


def _wait_for_program(process: psutil.Process) -> None:
    """Wait until a process that is being made has its environment: between fork and exec it shows none."""
    deadline = time.monotonic() + _EXEC_PATIENCE
    while _is_alive(process) and not process.environ() and time.monotonic() < deadline:
        time.sleep(0.005)


def _remaining(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Those that are still alive when all have ended or `patience` seconds are over.

    A zombie counts as ended: in a container nobody may ever reap one.
    """
    deadline = time.monotonic() + patience
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive


def _is_marked(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get(MARKER) == os.fspath(directory)
    except (psutil.Error, OSError):
        # Another user's, or gone by now.
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
