"""The strongest tier: namespaces around the fork server, and others around each run; Landlock and seccomp within."""

import contextlib
import os
import signal
import socket
from typing import Any

from . import kernel, landlock, root, seccomp

NOBODY = 65534
"""Whom the programs of the superuser run as."""
_INSIDE = 1000  # whom a program takes itself for


class Namespaces:
    """Each run is a machine of its own: its processes, network, mounts, names and users are no one else's."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take what the parent says: `readable`, folders that programs may read beside the system's libraries."""
        self._readable: list[str] = settings["readable"]
        self._pids = -1

    def enter(self, parent: socket.socket) -> None:
        """Go on in a child that is the first process of its own namespaces, as a user without rights.

        The superuser becomes `NOBODY`, because the limit of processes does not hold for it. This process waits for the
        child and ends with it; when it is killed, so is the child, and everything that the child has forked.

        Args:
            parent: The socket that only the child is to hold.

        Raises:
            OSError: The kernel does not allow it.
        """
        superuser = os.geteuid() == 0
        if superuser:
            kernel.unshare(kernel.NEW_NS)
            root.build(self._readable)
            become_nobody()
        kernel.own_user(0, os.geteuid())
        kernel.unshare(kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_UTS)
        if not superuser:
            root.build(self._readable)
        if child := os.fork():
            parent.close()
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
        kernel.die_with_parent()
        kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
        socket.sethostname("sandbox")
        self._pids = os.open("/proc/self/ns/pid", os.O_RDONLY)

    def fork(self) -> int:
        """Fork a process that is the first of its own space of process numbers; return its number, 0 in itself."""
        kernel.unshare(kernel.NEW_PID)
        pid = -1
        try:
            pid = os.fork()
            return pid
        finally:
            if pid:  # the next run is to have a space of its own too
                kernel.enter(self._pids, kernel.NEW_PID)

    def prepare(self, order: dict[str, Any]) -> str:
        """Enter the run's other namespaces, in init, and return the scratch folder."""
        kernel.unshare(kernel.NEW_NS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS)
        kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
        size = f"size={order['disk_mb'] + order['given_mb']}m,nr_inodes={order['inodes']},mode=0755"
        kernel.mount("tmpfs", root.SCRATCH, "tmpfs", kernel.NOSUID | kernel.NODEV, size)
        return root.SCRATCH

    def restrict(self, scratch: str) -> None:
        """Give up all rights, in init, which is as confined as the program that it forks."""
        os.setsid()
        kernel.own_user(_INSIDE, os.geteuid())
        kernel.dumpable(False)
        kernel.no_new_privileges()
        landlock.restrict(read=["/"], write=[scratch, "/dev"])
        kernel.drop_capabilities()
        seccomp.restrict()

    def restrict_program(self, scratch: str) -> None:
        """Give up what init has kept, in the program: its group."""
        os.setpgid(0, 0)

    def end_all_but_init(self) -> None:
        """Kill all that a program has left running, in init, and wait until it has ended."""
        kernel.end_all_but_this()

    def kill(self, pid: int, watch: int) -> None:
        """Kill a run, in the fork server: with init dies all the rest."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)

    def clean(self, order: dict[str, Any]) -> None:
        """Remove what a run has left, in the fork server: nothing, the scratch folder went with its namespace."""


def become_nobody() -> None:
    """Give up being the superuser for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.dumpable(True)  # else its own files in /proc would be closed to it
