"""Kernels that offer less: system calls are closed to this process and what it starts, as containers close them."""

import ctypes
import os

from agent_rl.tools.sandbox.local.forked import kernel, seccomp

UNSHARE = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
LANDLOCK = 444


def without(*calls: int) -> None:
    """Let the kernel answer `calls` with "Operation not permitted" for good."""
    steps = [seccomp._step(seccomp._LOAD, seccomp._NUMBER)]
    for number in calls:
        steps += [seccomp._step(seccomp._EQUAL, number, 0, 1), seccomp._step(seccomp._RETURN, seccomp._ERRNO | 1)]
    code = b"".join([*steps, seccomp._step(seccomp._RETURN, seccomp._ALLOW)])
    program = seccomp._Program(len(code) // 8, code)
    kernel.no_new_privileges()
    kernel.prctl(22, 2, ctypes.addressof(program))
