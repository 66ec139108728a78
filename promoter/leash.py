"""Starts a program that dies with its parent: `python leash.py PARENT_PID LIMITS PROGRAM ARGUMENT…`.

LIMITS is JSON: `null`, or an object for a program that shall be able to do little, with `memory` in bytes, `cpu` in
seconds and `files` to be open at once; such a one has no network and writes no file. Code between fork and exec is not
safe in a process with threads, so this small program asks the kernel and then becomes the other one, under the same
process id. Linux only.
"""

import ctypes
import json
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Give up what is not needed, ask for SIGKILL at the parent's end, then exec."""
    parent, limits, *command = sys.argv[1:]
    kernel = ctypes.CDLL(None, use_errno=True)
    most = json.loads(limits)
    if most is not None:
        _confine(kernel, most)
    # Last, because a change of rights takes the request back.
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the request; nobody would send the signal then.
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606 - becoming another program is the purpose; there is no shell


def _confine(kernel: ctypes.CDLL, most: dict[str, int]) -> None:
    # Leaving the network needs no right in a user namespace of one's own. Where the kernel allows neither, the
    # allow-list and the network policy of the place remain.
    if kernel.unshare(_CLONE_NEWNET) != 0:
        kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Not RLIMIT_AS: TensorFlow maps gigabytes that it never touches. RLIMIT_DATA counts what can be written.
    for kind, limit in (
        (resource.RLIMIT_DATA, most["memory"]),
        (resource.RLIMIT_CPU, most["cpu"]),
        (resource.RLIMIT_NOFILE, most["files"]),
        # Pipes are no files: the child can answer, and write nothing else.
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (allowed, allowed))


if __name__ == "__main__":
    main()
