"""Processes that leave no orphans: each dies with this one, and is on record for the next should that fail."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from promoter import leash
from promoter.sandbox.agent.files import write_atomically
from promoter.sandbox.processes import start_ticks

log = logging.getLogger(__name__)


class ProcessTable:
    """Starts processes and keeps a record of each in `directory`, one JSON file a process.

    Use it from one thread that lives as long as the program: the kernel ends a child with the
    *thread* that started it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> subprocess.Popen[bytes]:
        """Start `command`; its output is appended to `output`. Raises OSError."""
        leashed = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "null", *command]
        with output.open("ab") as log_file:
            process = subprocess.Popen(
                leashed,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            record = {"pid": process.pid, "started": start_ticks(process.pid), "command": [*command]}
            write_atomically(self._record(name), json.dumps(record))
        except FileNotFoundError:
            log.info("process.ended_at_once name=%s", name)
        return process

    def forget(self, name: str) -> None:
        """Drop the record of a process that has ended."""
        self._record(name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Kill what a former agent left behind; returns how many processes that were.

        A process is ours only if id, start time and command line all match the record.
        """
        orphans = [process for path in self._directory.glob("*.json") if (process := _recorded(path)) is not None]
        for process in orphans:
            process.kill()
        psutil.wait_procs(orphans, timeout=10)
        for path in self._directory.glob("*.json"):
            path.unlink()
        return len(orphans)

    def _record(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _recorded(path: Path) -> psutil.Process | None:
    """The living process of a record, or None where it has ended or its id went to somebody else."""
    try:
        record = json.loads(path.read_text())
        process = psutil.Process(record["pid"])
        same_start = start_ticks(process.pid) == record["started"]
        command = list(record["command"])
        # Before it becomes the program, the leash carries the same words at its end.
        same_command = process.cmdline()[-len(command) :] == command
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process if same_start and same_command else None
