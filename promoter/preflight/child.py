"""A child process that looks at a version: started on a leash, asked through pipes, ended with its last question.

A child that dies, is killed or talks nonsense has said nothing about its version; callers take that for the worst.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import promoter
from promoter import leash
from promoter.preflight.wire import Garbled, Message, receive, send
from promoter.saved_model.tensors import Array

_ROOT = Path(promoter.__file__).parent.parent
_END = 5.0


class ChildLost(Exception):
    """The child gave no answer; its text says why, as the end of a sentence that begins with `it`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """memory: bytes. deadline: `time.monotonic` at which the child is killed. cpu: seconds of all its threads."""

    memory: int
    deadline: float
    cpu: int
    files: int = 256


class Child:
    """`python -m MODULE FOLDER`, as a context. Not for more than one thread."""

    def __init__(self, module: str, folder: Path, limits: Limits) -> None:
        self._limits = limits
        self._late = False
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                leash.__file__,
                str(os.getpid()),
                _text(limits),
                *_python(module),
                str(folder.absolute()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
        )
        self._alarm = threading.Timer(max(0.0, limits.deadline - time.monotonic()), self._kill_late)
        self._alarm.daemon = True
        self._alarm.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def ask(self, question: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> Message:
        """The child's answer. Raises ChildLost."""
        with suppress(OSError):
            send(self._stdin, question, arrays)
        return self.answer()

    def answer(self) -> Message:
        """What the child says next. Raises ChildLost."""
        try:
            found = receive(self._stdout)
        except Garbled as error:
            raise ChildLost("gave an answer that is none") from error
        if found is None:
            raise ChildLost(self._how_it_ended())
        return found

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    def _kill_late(self) -> None:
        self._late = True
        self._process.kill()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_END)
        except subprocess.TimeoutExpired:
            return "stopped to answer"
        if self._late:
            return "took longer than the time limit"
        memory = f"its memory limit is {self._limits.memory >> 20} MiB"
        if code == -signal.SIGXCPU:
            return f"used more than {self._limits.cpu} s of CPU"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}; {memory}"
        return f"ended with status {code}; {memory}"


def _python(module: str) -> tuple[str, ...]:
    # -P: no module is taken from the folder it happens to run in.
    return (sys.executable, "-P", "-m", module)


def _text(limits: Limits) -> str:
    return json.dumps({"memory": limits.memory, "cpu": limits.cpu, "files": limits.files})


def _environment() -> dict[str, str]:
    """Nothing of ours: tokens are often in there."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
