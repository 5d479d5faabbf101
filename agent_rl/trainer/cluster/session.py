"""The connection to Ray: to a cluster that runs, or to one on this machine that is started, and ended, for the run."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    # Sockets lie there, whose paths must be short: not below the user's own folder for such files.
    folder = tempfile.mkdtemp(prefix="agent_rl-", dir="/tmp") if address is None else None
    try:
        with _quiet(ray), _hooks_kept():
            _connect(ray, address, folder, cpus, gpus)
            yield ray
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _imported() -> Any:
    # Ray then leaves the GPUs of actors that reserve none as they are, instead of announcing that it will.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.util.scheduling_strategies  # which `import ray` leaves out
    except ImportError as error:
        raise UserError("cluster=ray needs the package ray: pip install 'agent-rl[ray]'") from error
    return ray


def _connect(ray: Any, address: str | None, folder: str | None, cpus: int, gpus: float) -> None:
    silent = {"logging_level": "error", "log_to_driver": False}
    try:
        with _later():
            if address is not None:
                ray.init(address=address, **silent)
                return
            # On the loopback address nobody else reaches it, and no change of networks tears it apart.
            alone = {"include_dashboard": False, "_temp_dir": folder, "_node_ip_address": "127.0.0.1"}
            ray.init("local", num_cpus=cpus, **alone, **silent)
    except Exception as error:  # Ray raises several types
        where = f"there is no Ray cluster at {address}" if address else "Ray cannot be started on this machine"
        raise UserError(f"{where}: {told(error)}") from error
    there = ray.cluster_resources().get("GPU", 0.0)
    if address is None and there < gpus:
        raise UserError(f"the ranks want {gpus:g} GPUs, and this machine has {there:g}; see cluster.gpus_per_rank")


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
def _hooks_kept() -> Iterator[None]:
    """Undo, as soon as it is connected and behind it, that Ray takes over the handler of exceptions."""
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
