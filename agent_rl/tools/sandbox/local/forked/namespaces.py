"""The namespaces of the fork server, around those of each run."""

import os
import socket

from . import kernel, root

NOBODY = 65534
"""Whom the programs of the superuser run as."""


def enter(readable: list[str], parent: socket.socket) -> None:
    """Go on in a child that is the first process of its own namespaces, as a user without rights.

    The superuser becomes `NOBODY`, because the limit of processes does not hold for it. This process waits for the child
    and ends with it; when this process dies, so does the child, and everything that it has forked.

    Args:
        readable: Folders that programs may read beside the system's libraries.
        parent: The socket that only the child is to hold.

    Raises:
        OSError: The kernel does not allow it.
    """
    superuser = os.geteuid() == 0
    if superuser:
        kernel.unshare(kernel.NEW_NS)
        root.build(readable)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        kernel.dumpable(True)
    kernel.own_user(0, os.geteuid())
    kernel.unshare(kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_UTS)
    if not superuser:
        root.build(readable)
    if child := os.fork():
        parent.close()
        os.closerange(3, 1 << 30)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    kernel.die_with_parent()
    kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    socket.sethostname("sandbox")
