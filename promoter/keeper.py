"""Makes a folder, and removes it at the end of whoever asked for it: `python keeper.py PARENT PREFIX`.

The folder's path is written to standard output. Standard input is a pipe that only the asker can write to: the kernel
closes it when the asker ends, SIGKILL included, and then the folder goes. Signals at a terminal are meant for the
asker, so they are ignored here.
"""

import os
import shutil
import signal
import sys
import tempfile
import time

_TRIES = 50
_PAUSE = 0.1


def main() -> None:
    """Make it, say where, wait for the end of the pipe, remove it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent, prefix = sys.argv[1:]
    # Nobody else may look into it: mkdtemp makes it so.
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        os.write(1, os.fsencode(folder) + b"\n")
        while os.read(0, 4096):
            pass
    finally:
        _remove(folder)


def _remove(folder: str) -> None:
    # Who died with the asker may take a moment to let go, and may still put a file there.
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(_PAUSE)
    sys.exit(1)


if __name__ == "__main__":
    main()
