"""Starts a program that dies with its parent: `python leash.py PARENT_PID PROGRAM ARGUMENT…`.

Code between fork and exec is not safe in a process with threads, so this small program asks the kernel
(prctl(2), PR_SET_PDEATHSIG) and then becomes the other one, under the same process id. Linux only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the parent's end, then exec."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the request; nobody would send the signal then.
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606 - becoming another program is the purpose; there is no shell


if __name__ == "__main__":
    main()
