"""The connection to Ray: to a cluster that runs, or to one on this machine that is started, and ended, for the run."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SILENT = {"logging_level": "critical", "log_to_driver": False}  # what goes wrong is raised besides
_ANSWER_SECONDS = 20.0
_STARTS = 2  # Ray gives a start 30 s and not more, however busy the machine is


@contextmanager
def connected(address: str | None, cpus: int, gpus: float) -> Iterator[Any]:
    """Yield the module `ray`, connected as long as the block runs; what was started for it is ended behind it.

    Args:
        address: A cluster that runs already; None for one of this run's own, which other runs do not see.
        cpus: Cores that a cluster of our own has at least.
        gpus: GPUs that it must have.

    Raises:
        UserError: Ray is not installed, there is no such cluster, or this process is connected to one already.
    """
    ray = _imported()
    if ray.is_initialized():  # by the program that calls us: its connection is ours too, and remains
        if address is not None:
            raise UserError("this program is connected to Ray already; leave out cluster.address")
        with _quiet(ray):
            yield ray
        return
    with _quiet(ray), _hook_kept(), _folder() as folder:
        try:
            if address is None:
                _start(ray, folder, cpus, gpus)
            else:
                _connect(ray, address)
            yield ray
        finally:
            ray.shutdown()


def _imported() -> Any:
    # Ray then leaves the GPUs of actors that reserve none as they are, instead of announcing that it will.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.util.scheduling_strategies  # which `import ray` leaves out
    except ImportError as error:
        raise UserError("cluster=ray needs the package ray: pip install 'agent-rl[ray]'") from error
    return ray


def _connect(ray: Any, address: str) -> None:
    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isdecimal():  # Ray would try for minutes
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        with _later():
            ray.init(address=address, **_SILENT)
    except Exception as error:  # Ray raises several types
        raise UserError(f"there is no Ray cluster at {address}: {told(error)}") from error


def _start(ray: Any, folder: str, cpus: int, gpus: float) -> None:
    for attempt in range(1, _STARTS + 1):
        try:
            with _later():
                ray.init("local", num_cpus=cpus, include_dashboard=False, _temp_dir=folder, **_SILENT)
            break
        except Exception as error:
            if attempt == _STARTS:
                raise UserError(f"Ray cannot be started on this machine: {told(error)}") from error
            _end_processes(folder)
    there = ray.cluster_resources().get("GPU", 0.0)
    if there < gpus:
        raise UserError(f"the ranks want {gpus:g} GPUs, and this machine has {there:g}; see cluster.gpus_per_rank")


@contextmanager
def _folder() -> Iterator[str]:
    """Yield a folder for the files of a cluster; behind the block neither it nor a process that uses it is left.

    Sockets lie in it, whose paths must be short, so it is not where `TMPDIR` says.
    """
    folder = tempfile.mkdtemp(prefix="agent_rl-", dir="/tmp")
    try:
        yield folder
    finally:
        _end_processes(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _end_processes(folder: str) -> None:
    """Kill what Ray has started for the cluster in `folder` and forgotten, as it does when its start fails."""
    for said in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            if folder.encode() in said.read_bytes():
                os.kill(int(said.parent.name), signal.SIGKILL)


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Keep the paragraphs that Ray prints of each process that died: one line of ours says it."""
    worker = ray._private.worker
    before = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


@contextmanager
def _hook_kept() -> Iterator[None]:
    """Undo, behind the block, that Ray takes over the handler of exceptions that nobody caught."""
    before = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = before


@contextmanager
def _later() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM strike when the block is over, with the handlers from before.

    A start that broke off in the middle would leave processes behind that nobody knows of; and Ray sets a handler of
    its own, which ends the program without letting go of anything.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        struck.append(number)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if struck:
            signal.raise_signal(struck[0])
