"""A private folder that goes with its process, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from promoter import keeper
from promoter.errors import InvalidInput

# Larger than it ever takes: a folder that is not gone by then is left to the keeper.
_END = 30.0


@contextmanager
def kept_folder(prefix: str) -> Iterator[Path]:
    """A new folder below the system's folder for temporary files, for this user only; it is gone after the context.

    It is gone as well where this process ends without leaving the context, by SIGKILL too: a small process in a
    session of its own sees to that. Raises InvalidInput where no folder can be made.
    """
    parent = tempfile.gettempdir()
    process = subprocess.Popen(
        [sys.executable, "-I", keeper.__file__, parent, prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        # A Ctrl-C at the terminal goes to a whole session.
        start_new_session=True,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    try:
        told = process.stdout.readline()
        if not told.endswith(b"\n"):
            raise InvalidInput(f"no folder can be made in {parent}: name another one in TMPDIR")
        yield Path(os.fsdecode(told[:-1]))
    finally:
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END)
