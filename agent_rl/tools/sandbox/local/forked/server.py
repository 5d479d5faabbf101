"""The fork server: forks a process for each run, watches its time and memory, and says when it has ended."""

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

from . import job, program, root, seccomp
from .runs import Run
from .tiers import Tier, chosen

_MOST_BYTES = 65536  # of one message
_LONGEST = 60.0  # seconds between looks at what is due
_DESCRIPTORS = 8  # that come with one at most


class Server:
    """Serves one parent, at the other end of a socket of messages; ends with it."""

    def __init__(self, parent: socket.socket, tier: Tier) -> None:
        """Serve nobody else."""
        self._parent, self._tier, self._addresses = parent, tier, _addresses()
        self._runs: dict[int, Run] = {}  # by the descriptor that watches it
        self._poll = select.epoll()
        self._poll.register(parent.fileno(), select.EPOLLIN)

    def serve(self) -> None:
        """Serve until the parent is gone; then whatever still runs dies with this process."""
        while True:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor in self._runs:
                    self._ended(self._runs[descriptor])
                elif descriptor == self._parent.fileno() and not self._asked():
                    return
            for run in self._runs.values():
                if run.counter >= 0 and select.select([run.counter], [], [], 0)[0]:
                    run.counted()
                run.look()

    def _patience(self) -> float:
        """Return the seconds until something is to be looked at, -1 where nothing is."""
        if not self._runs:
            return -1
        return max(0.0, min(_LONGEST, min(run.due() for run in self._runs.values()) - time.monotonic()))

    def _asked(self) -> bool:
        """Read and do what the parent asks for next; return False when it is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._parent, _MOST_BYTES, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return False
        if not data:
            return False
        order = json.loads(data)
        try:
            if order["do"] == "run":
                self._begin(order, descriptors)
            else:
                self._change(order, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _change(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """Do something to a run that goes on."""
        run = next((run for run in self._runs.values() if run.order["run"] == order["run"]), None)
        if run is None:
            return
        if order["do"] == "kill":
            run.kill("asked")
        elif order["do"] == "end":
            run.end(*descriptors)
        elif order["do"] == "stop":
            run.stop()
        else:
            run.go_on()

    def _begin(self, order: dict[str, Any], descriptors: list[int]) -> None:
        try:
            pid = self._tier.fork()
        except OSError as error:
            self._tell({"run": order["run"], "failed": str(error)})
            return
        if not pid:
            job.begin(self._tier, order, descriptors, self._addresses)
        run = Run(self._tier, order, pid, os.dup(descriptors[-2]) if order["cgroup"] else -1)
        self._runs[run.watch] = run
        self._poll.register(run.watch, select.EPOLLIN)

    def _ended(self, run: Run) -> None:
        seconds = time.monotonic() - run.begun
        self._poll.unregister(run.watch)
        del self._runs[run.watch]
        os.close(run.watch)
        if run.kills >= 0:
            os.close(run.kills)
        run.close()
        _, _, usage = os.wait4(run.pid, 0)
        self._tier.clean(run.order)
        peak = max(run.peak_kb, usage.ru_maxrss)
        self._tell({"run": run.order["run"], "killed": run.killed, "seconds": seconds, "peak_kb": peak})

    def _tell(self, message: dict[str, Any]) -> None:
        self._parent.send(json.dumps(message).encode())


def main() -> None:
    """Serve the parent whose socket has the number that is this program's last argument."""
    parent = socket.socket(fileno=int(sys.argv[-1]))
    parent.set_inheritable(False)
    settings = json.loads(parent.recv(_MOST_BYTES))
    sys.path[:] = settings["path"]
    try:
        tier = chosen(settings)
        tier.enter(parent)
        _preload(settings["preload"])
    except Exception as error:
        parent.send(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        raise SystemExit(1) from error
    parent.send(json.dumps({"ready": True}).encode())
    os.environ.clear()
    os.environ.update(settings["environment"], HOME=root.SCRATCH, TMPDIR=root.SCRATCH)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what init has a handler for, a program could send to it
    program.prepare()
    if seccomp.supported():
        seccomp.prepare()
    gc.collect()
    gc.freeze()
    gc.disable()
    Server(parent, tier).serve()


def _addresses() -> int:
    """Return the bytes of addresses that this process has taken."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _preload(names: list[str]) -> None:
    """Import what is there of `names`, and give the interpreter what one that a person starts has."""
    site = importlib.import_module("site")
    for give in (site.setquit, site.setcopyright, site.sethelper):
        give()
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
