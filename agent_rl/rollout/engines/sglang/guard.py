"""Runs a command, and ends it with all that it started when the parent closes our standard input or dies.

Run as a script, by path, with nothing but the standard library: `python guard.py COMMAND...`, in a session of its own.
A closed pipe is the one sign of a parent's death that also `kill -9` gives, and it does not depend on threads, as the
kernel's signal at a parent's death does.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

_GRACE_SECONDS = 3.0
_LAST_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> None:
    """Run `command` to its end or ours; in the end kill the whole process group, ourselves included."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_prepare)
    while child.poll() is None:
        if select.select([0], [], [], 0.2)[0] and not os.read(0, 1):
            break
    if child.returncode is not None:
        print(f"the command ended by itself with exit code {child.returncode}", flush=True)
    os.killpg(0, signal.SIGTERM)
    until = time.monotonic() + _GRACE_SECONDS
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    child.kill()
    time.sleep(_LAST_SECONDS)  # Python's resource tracker, which is of the group too, removes shared memory meanwhile
    os.killpg(0, signal.SIGKILL)


def _prepare() -> None:
    """In the child, before the command: signals as usual, and death with the guard's."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):  # Linux has it; elsewhere the pipe has to do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
