"""The weaker tiers, without namespaces: Landlock and seccomp on the machine's own folders, or limits alone."""

import contextlib
import os
import signal
import socket
from typing import Any

from . import kernel, landlock, root, seccomp, tree
from .namespaces import NOBODY, become_nobody

_SIGNALS = {signal.SIGTERM, signal.SIGCHLD}
# Programs may have closed folders to themselves.
_REMOVE = 'PATH=/usr/bin:/bin; exec 2>/dev/null; chmod -R u+rwx "$0"; rm -rf "$0"'


class Machine:
    """Runs are processes of this machine; those that they leave behind are found by who forked whom."""

    def __init__(self, settings: dict[str, Any], confined: bool) -> None:
        """Take what the parent says.

        Args:
            settings: `readable`, folders that programs may read beside the system's libraries, and `scratch`, the
                folder in which each run gets one of its own.
            confined: Whether with Landlock and seccomp.
        """
        self._readable: list[str] = [*settings["readable"], *root.shown()]
        self._scratch: str = settings["scratch"]
        self._confined = confined

    def enter(self, parent: socket.socket) -> None:
        """Go on in a child; this process outlives it, ends what it has left running and removes the scratch folder.

        The superuser becomes nobody where nobody may read the interpreter.

        Args:
            parent: The socket that only the child is to hold.

        Raises:
            OSError: The kernel has no Landlock, or this processor's system calls are not known.
        """
        if self._confined and not (landlock.version() and seccomp.supported()):
            raise OSError("the kernel offers no Landlock (Linux 5.13)")
        if os.geteuid() == 0 and all(map(_open_to_all, (*self._readable, os.path.dirname(self._scratch)))):
            os.chown(self._scratch, NOBODY, NOBODY)
            become_nobody()
        kernel.adopt_orphans()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if child := os.fork():
            parent.close()
            self._guard(child)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        kernel.die_with_parent()

    def fork(self) -> int:
        """Fork a process; return its number, 0 in itself."""
        return os.fork()

    def prepare(self, order: dict[str, Any]) -> str:
        """Make the run's scratch folder, in init, and return it."""
        kernel.die_with_parent()
        kernel.adopt_orphans()
        scratch = self._folder(order)
        os.mkdir(scratch)
        os.environ.update(HOME=scratch, TMPDIR=scratch)
        return scratch

    def restrict(self, scratch: str) -> None:
        """Close init to the program; it keeps the right to kill it."""
        kernel.dumpable(False)

    def restrict_program(self, scratch: str) -> None:
        """Give up all rights, in the program."""
        os.setsid()
        kernel.die_with_parent()
        kernel.no_new_privileges()
        kernel.drop_capabilities()
        if self._confined:
            landlock.restrict(read=self._readable, write=[scratch, *root.devices()])
            alone = None if landlock.version() >= landlock.KEEPS_SIGNALS else os.getpid()
            seccomp.restrict(sockets=False, only_signals=alone)

    def end_all_but_init(self) -> None:
        """Kill all that a program has left running, in init, and wait until it has ended."""
        _end_descendants()

    def kill(self, pid: int, watch: int) -> None:
        """Kill all of a run but init, in the fork server; init, which adopts what is left, then ends by itself."""
        _kill(tree.descendants(pid))

    def clean(self, order: dict[str, Any]) -> None:
        """Remove a run's scratch folder, in the fork server, without waiting for it."""
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        if not os.fork():  # adopted by the guard, so that the fork server need not wait for it
            _remove(self._folder(order))
        os._exit(0)

    def _folder(self, order: dict[str, Any]) -> str:
        return os.path.join(self._scratch, str(order["run"]))

    def _guard(self, child: int) -> None:
        """Wait for the end of the fork server, or of patience with it, and leave nothing behind."""
        while signal.sigwait(_SIGNALS) != signal.SIGTERM and child not in _reaped():
            pass
        _end_descendants()
        _remove(self._scratch)
        os._exit(0)


def _reaped() -> list[int]:
    """Take note of the children that have ended, and return them."""
    ended: list[int] = []
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG)[0]) > 0:
            ended.append(child)
    return ended


def _end_descendants() -> None:
    while True:
        _kill(tree.descendants(os.getpid()))
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _remove(folder: str) -> None:
    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", _REMOVE, folder], {}), 0)


def _open_to_all(path: str) -> bool:
    """Return whether everybody may go to a file, and read it."""
    parts = [path]
    while parts[-1] != "/":
        parts.append(os.path.dirname(parts[-1]))
    return all(os.stat(part).st_mode & 0o005 for part in parts)
