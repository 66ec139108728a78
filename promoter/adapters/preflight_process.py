"""Preflights as processes beside the promoter: `promoter verify`, one at a time, ended with the promoter."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from promoter import leash
from promoter.documents.one_line import one_line
from promoter.documents.policy_preflight import preflight_policy_text
from promoter.documents.preflight_answer import preflight_about
from promoter.domain.preflight import Preflight, PreflightRequest
from promoter.errors import PreflightUnavailable

# -P: no module is taken from the folder the promoter happens to run in.
VERIFY = (sys.executable, "-P", "-m", "promoter", "verify")

# Statuses with which `verify` says that there is a verdict.
_VERDICTS = (0, 1)

# `verify` keeps a time limit of its own; this one is for downloads that never end.
_PATIENCE = 3600.0

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0
_MOST_REMEMBERED = 1000


@dataclass(slots=True)
class _Run:
    """One request's run, or the last of several. retry_at: by the steady clock, once it came to no result."""

    began: datetime
    done: threading.Event = field(default_factory=threading.Event)
    found: Preflight | None = None
    problem: str = ""
    failures: int = 0
    retry_at: float = 0.0

    @property
    def underway(self) -> str:
        return f"it runs since {self.began:%H:%M:%S} UTC"


class ProcessPreflights:
    """`promoter.ports.Preflights`. command: `promoter verify`, without its arguments. May be asked by several threads.

    Results are remembered, so that one that waits for something else is not found out again; a new process finds
    them out anew.
    """

    def __init__(self, command: Sequence[str] = VERIFY, clock: Callable[[], float] = time.monotonic) -> None:
        self._command = tuple(command)
        self._clock = clock
        self._runs: OrderedDict[PreflightRequest, _Run] = OrderedDict()
        self._running: _Run | None = None
        self._unsettled = False
        self._lock = threading.Lock()

    def ask(self, wanted: PreflightRequest) -> Preflight | str:
        with self._lock:
            run = self._runs.get(wanted)
            if run is not None:
                self._runs.move_to_end(wanted)
                if run.found is not None:
                    return run.found
                if not run.done.is_set():
                    return run.underway
                if self._clock() < run.retry_at:
                    raise PreflightUnavailable(run.problem)
            if self._running is not None and not self._running.done.is_set():
                if run is not None:
                    raise PreflightUnavailable(run.problem)
                return "it waits for the end of another one"
            return self._begin(wanted, run.failures if run else 0)

    def settle(self) -> bool:
        with self._lock:
            running, unsettled = self._running, self._unsettled
            self._unsettled = False
        if running is not None:
            running.done.wait()
        return unsettled

    def _begin(self, wanted: PreflightRequest, failures: int) -> str:
        self._unsettled = True
        run = self._running = self._runs[wanted] = _Run(datetime.now(UTC), failures=failures)
        while len(self._runs) > _MOST_REMEMBERED:
            self._runs.popitem(last=False)
        # A thread of its own for each: the kernel ends a child with the thread that started it.
        threading.Thread(target=self._execute, args=(wanted, run), name="preflight", daemon=True).start()
        return run.underway

    def _execute(self, wanted: PreflightRequest, run: _Run) -> None:
        try:
            found = self._verified(wanted)
        except (PreflightUnavailable, OSError, subprocess.SubprocessError) as error:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**run.failures)
            run.failures += 1
            run.problem = f"the preflight came to no result: {one_line(str(error))}; it is tried again"
            run.retry_at = self._clock() + pause
        else:
            run.found = found
        finally:
            run.done.set()

    def _verified(self, wanted: PreflightRequest) -> Preflight:
        arguments = [wanted.candidate, "--policy", "/dev/stdin", "--json"]
        if wanted.stable is not None:
            arguments += ["--stable", wanted.stable]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "null", *self._command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            answer, errors = process.communicate(
                preflight_policy_text(wanted.policy, wanted.complete).encode(), _PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise PreflightUnavailable(f"it took more than {_PATIENCE:g} s") from error
        if process.returncode not in _VERDICTS:
            raise PreflightUnavailable(
                _last_line(errors) or f"`promoter verify` ended with status {process.returncode}"
            )
        return preflight_about(wanted, answer, "the answer of `promoter verify`")


def _last_line(errors: bytes) -> str:
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""
