"""A run that goes on, as the fork server watches it."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from . import tree
from .tiers import Tier

_LOOK = 0.02  # seconds between looks at a run's processes and memory
_SELDOM = 10  # how many times as long as a look has taken the next is put off
_ROUNDS = 10  # times that processes are looked for which were forked while others were being stopped
_NUMBER = 8  # bytes


@dataclass
class Run:
    """A run that goes on.

    Attributes:
        tier: How it is kept apart.
        order: Its limits, as the parent gave them.
        pid: Its init.
        watch: The descriptor that tells of the end of init.
        killed: What it was killed for, `""` as long as it was not.
        peak_kb: The most memory seen.
        counter: The descriptor through which a process that counts its memory will answer, where there is one.
    """

    tier: Tier
    order: dict[str, Any]
    pid: int
    watch: int
    begun: float = field(default_factory=time.monotonic)
    killed: str = ""
    peak_kb: int = 0
    counter: int = -1
    _counting: int = 0
    _next: float = 0.0
    _stopped: bool = False

    def __post_init__(self) -> None:
        """Let the first look be in a while."""
        self._next = self.begun + _LOOK

    def due(self) -> float:
        """Return when it is to be looked at (the clock's seconds)."""
        deadline: float = self.begun + self.order["seconds"]
        if self.killed:
            return self._next
        return deadline if self._stopped else min(deadline, self._next)

    def look(self) -> None:
        """End it if it has exceeded its limits; count exactly, beside what goes on, if it may have."""
        now = time.monotonic()
        if now < self.due():
            return
        if self.killed:
            self.kill(self.killed)  # again: what it was forking just then
        elif now >= self.begun + self.order["seconds"]:
            self.kill("time")
        else:
            self._measure()
        done = time.monotonic()
        self._next = done + max(_LOOK, _SELDOM * (done - now))

    def kill(self, why: str) -> None:
        """Kill all of it."""
        self.killed = self.killed or why
        self.tier.kill(self.pid, self.watch)

    def end(self, branch: int) -> None:
        """Kill one of a session's interpreters and what that has forked; `branch` is a pidfd."""
        with open(f"/proc/self/fdinfo/{branch}") as file:
            pid = next((int(line.split()[1]) for line in file if line.startswith("Pid:")), -1)
        if pid in tree.descendants(self.pid):
            _signal([*tree.descendants(pid), pid], signal.SIGKILL)

    def stop(self) -> None:
        """Let everything but init stand still."""
        self._stopped = True
        seen: set[int] = set()
        for _ in range(_ROUNDS):
            found = set(tree.descendants(self.pid)) - seen
            if not found:
                return
            _signal(found, signal.SIGSTOP)
            seen |= found

    def go_on(self) -> None:
        """Let everything go on that stands still."""
        self._stopped = False
        self._next = time.monotonic() + _LOOK
        _signal(tree.descendants(self.pid), signal.SIGCONT)

    def counted(self) -> None:
        """Read what the process says that has counted its memory."""
        held = int.from_bytes(os.read(self.counter, _NUMBER), "little")
        self.close()
        self._saw(held)

    def close(self) -> None:
        """Let go of the process that counts, where there is one."""
        if self.counter >= 0:
            os.close(self.counter)
            _signal([self._counting], signal.SIGKILL)
            os.waitpid(self._counting, 0)
            self.counter = -1

    def _measure(self) -> None:
        family = tree.descendants(self.pid)
        if len(family) > self.order["processes"]:
            self.kill("processes")
            return
        most = tree.resident_kb(family)
        if most <= self.order["memory_mb"] << 10:
            self._saw(most)
        elif self.counter < 0:
            self._count(family)

    def _saw(self, held_kb: int) -> None:
        self.peak_kb = max(self.peak_kb, held_kb)
        if held_kb > self.order["memory_mb"] << 10:
            self.kill("memory")

    def _count(self, family: list[int]) -> None:
        """Fork a process that counts exactly, which may take it long, while the server serves others."""
        self.counter, answer = os.pipe2(os.O_CLOEXEC)
        self._counting = os.fork()
        if not self._counting:
            os.write(answer, tree.exact_kb(family).to_bytes(_NUMBER, "little"))
            os._exit(0)
        os.close(answer)


def _signal(pids: set[int] | list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
