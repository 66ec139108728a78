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

# Between fork and exec a process shows no environment for a moment.
_EXEC_PATIENCE = 5.0

# A shell stays behind as the parent of each part and writes down how it ended, so that this can be
# told later by a process that is not its parent.
_KEEPER = '"$@"; echo "$?" > "$0"'


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told apart from a later one with the same pid. `started` is in clock ticks since the machine was."""

    pid: int
    started: int


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
    # As long as nobody waits for it, one that has ended already still stands there to be asked.
    identity = _kept_by(keeper.pid)
    # Somebody has to wait for a child, or it stays as a zombie for as long as this process lives.
    threading.Thread(target=keeper.wait, daemon=True).start()
    return identity


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
    with suppress(psutil.Error, OSError):
        process = psutil.Process(identity.pid)
        if start_ticks(identity.pid) == identity.started and _is_marked_once_made(process, directory):
            return process
    return None


def start_ticks(pid: int) -> int:
    """When a process began, as Linux counts it: setting the clock does not move it, as it moves a time of day.

    proc(5), /proc/<pid>/stat, field 22. Raises OSError where there is no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return int(fields[19])


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
    started = start_ticks(pid)
    with suppress(psutil.Error, OSError):
        while _is_alive(keeper):
            for child in keeper.children():
                return Identity(child.pid, start_ticks(child.pid))
            time.sleep(0.005)
    return Identity(pid, started)


def _is_marked_once_made(process: psutil.Process, directory: Path) -> bool:
    """Whether a living process belongs to `directory`: told from one reading that shows an environment at all."""
    deadline = time.monotonic() + _EXEC_PATIENCE
    while _is_alive(process):
        if environment := process.environ():
            return bool(environment.get(MARKER) == os.fspath(directory))
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    return False


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
