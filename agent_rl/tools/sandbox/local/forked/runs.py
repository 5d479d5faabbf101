"""A run that goes on, as the fork server watches it."""

import contextlib
import os
import signal
import time
from typing import Any

from . import tree
from .tiers import Tier

_LOOK = 0.02  # seconds between looks at a run's processes and memory
_SELDOM = 10  # how many times as long as a look has taken the next is put off
_REST = 3  # how many times as long as counting has taken it is not begun again
_SURE = 2  # looks in a row that find nothing running, after which everything stands still
_NUMBER = 8  # bytes
_NO_KILLS = b"oom_kill 0"
_MOST_BYTES = 4096  # of what tells of a cgroup's dead


class Run:
    """A run that goes on.

    Attributes:
        order: Its limits, as the parent gave them.
        pid: Its init.
        watch: The descriptor that tells of the end of init.
        begun: When it began (the clock's seconds).
        killed: What it was killed for, `""` as long as it was not.
        peak_kb: The most memory seen.
        counter: The descriptor through which a process that counts its memory will answer, -1 where there is none.
        kills: The descriptor that tells whether the kernel has ended one of its processes for memory, likewise.
    """

    def __init__(self, tier: Tier, order: dict[str, Any], pid: int, kills: int) -> None:
        """Watch the init that was just forked."""
        self.order, self.pid, self.watch = order, pid, os.pidfd_open(pid)
        self.begun = time.monotonic()
        self.killed, self.peak_kb, self.counter = "", 0, -1
        self._tier, self._counting, self.kills = tier, 0, kills
        self._next, self._next_count = self.begun + _LOOK, self.begun
        self._stopped, self._quiet = False, 0

    def due(self) -> float:
        """Return when it is to be looked at (the clock's seconds)."""
        deadline: float = self.begun + self.order["seconds"]
        if self.killed:
            return self._next
        return deadline if self._stopped and self._quiet >= _SURE else min(deadline, self._next)

    def look(self) -> None:
        """End it if it has exceeded its limits; count exactly, beside what goes on, if it may have."""
        now = time.monotonic()
        if now < self.due():
            return
        if self.killed:
            self.kill(self.killed)  # again: what it was forking just then
        elif now >= self.begun + self.order["seconds"]:
            self.kill("time")
        elif self._stopped:
            self._halt()
        else:
            self._measure()
        done = time.monotonic()
        self._next = done + max(_LOOK, _SELDOM * (done - now))

    def kill(self, why: str) -> None:
        """Kill all of it."""
        self.killed = self.killed or why
        self._tier.kill(self.pid, self.watch)

    def end(self, branch: int) -> None:
        """Kill one of a session's interpreters and what that has forked; `branch` is a pidfd."""
        with open(f"/proc/self/fdinfo/{branch}") as file:
            pid = next((int(line.split()[1]) for line in file if line.startswith("Pid:")), -1)
        if pid in tree.descendants(self.pid):
            _signal([*tree.descendants(pid), pid], signal.SIGKILL)

    def stop(self) -> None:
        """Let everything but init stand still."""
        self._stopped, self._quiet = True, 0
        self._halt()

    def go_on(self) -> None:
        """Let everything go on that stands still."""
        self._stopped = False
        self._next = time.monotonic() + _LOOK
        _signal(tree.descendants(self.pid), signal.SIGCONT)

    def counted(self) -> None:
        """Read what the process says that has counted its memory."""
        held = int.from_bytes(os.read(self.counter, _NUMBER), "little")
        self.close()
        now = time.monotonic()
        self._next_count = now + _REST * (now - self._next_count)
        self._saw(held)

    def close(self) -> None:
        """Let go of the process that counts, where there is one."""
        if self.counter >= 0:
            os.close(self.counter)
            _signal([self._counting], signal.SIGKILL)
            os.waitpid(self._counting, 0)
            self.counter = -1

    def _halt(self) -> None:
        """Stop what runs; what is forked meanwhile, the next looks find."""
        running = [pid for pid in tree.descendants(self.pid) if not tree.stopped(pid)]
        _signal(running, signal.SIGSTOP)
        self._quiet = 0 if running else self._quiet + 1

    def _measure(self) -> None:
        family = tree.descendants(self.pid)
        if self.kills >= 0 and _NO_KILLS not in os.pread(self.kills, _MOST_BYTES, 0).splitlines():
            self.kill("kernel")
            return
        if len(family) > self.order["processes"]:
            self.kill("processes")
            return
        most = tree.resident_kb(family)
        if most <= self.order["memory_mb"] << 10:
            self._saw(most)
        elif self.counter < 0 and time.monotonic() >= self._next_count:
            self._count(family)

    def _saw(self, held_kb: int) -> None:
        self.peak_kb = max(self.peak_kb, held_kb)
        if held_kb > self.order["memory_mb"] << 10:
            self.kill("memory")

    def _count(self, family: list[int]) -> None:
        """Fork a process that counts exactly, which may take it long, while the server serves others."""
        self._next_count = time.monotonic()
        self.counter, answer = os.pipe2(os.O_CLOEXEC)
        self._counting = os.fork()
        if not self._counting:
            os.write(answer, tree.exact_kb(family).to_bytes(_NUMBER, "little"))
            os._exit(0)
        os.close(answer)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
