"""One run: the process that watches over it from within (its init), and the program."""

import _signal  # type: ignore[import-not-found]
import contextlib
import fcntl
import os
import resource
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from . import at_fork, cells, folder, kernel, program, wire
from .tiers import Tier

_WORK = "work"
_DESCRIPTORS = 256
_FIRST = b"1000"  # where the machine runs out of memory, programs are ended before anything else
_exit = os._exit  # programs may put something else there
_REPORT, _REQUEST, _CONTROL = 3, 4, 5  # where init holds these descriptors


def begin(tier: Tier, order: dict[str, Any], descriptors: list[int], addresses: int) -> NoReturn:
    """Be init in the process that was forked for a run; never returns.

    Args:
        tier: How it is kept apart.
        order: The limits, as numbers.
        descriptors: The run's request, standard input, output and error, its report, and a session's socket; where the
            order says that it has a cgroup, what tells of it, and what puts a process in.
        addresses: Bytes of addresses that the interpreter has taken already.
    """
    try:
        if order["cgroup"]:  # before anything else, so that all that it forks and holds is in there
            os.write(descriptors[-1], b"0")
            del descriptors[-2:]
        _arrange(descriptors)
        _init(tier, order, addresses)
    except BaseException as error:
        wire.write_all(_REPORT, wire.packed({"failed": f"{type(error).__name__}: {error}"}))
    finally:
        _exit(0)


def _arrange(descriptors: list[int]) -> None:
    """Bring the descriptors to their places and close all others."""
    places = (_REQUEST, 0, 1, 2, _REPORT, _CONTROL)[: len(descriptors)]
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _CONTROL + 1) for descriptor in descriptors]
    for descriptor, place in zip(aside, places, strict=True):
        os.dup2(descriptor, place, inheritable=place < 3)
    kernel.close_from(max(places) + 1)


def _init(tier: Tier, order: dict[str, Any], addresses: int) -> None:
    os.umask(0o022)
    scratch = tier.prepare(order)
    work = os.path.join(scratch, _WORK)
    os.mkdir(work)
    os.chdir(work)
    request, contents = wire.unpacked(wire.read_all(_REQUEST))
    os.close(_REQUEST)
    folder.fill(request["files"], contents)
    del contents  # else they would count as memory of the program
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(score, _FIRST)
    os.close(score)
    tier.restrict(scratch)
    main = os.fork()
    if not main:
        _become(lambda: tier.restrict_program(scratch), order, request, addresses)
    _watch(tier, main, request, work, (order["disk_mb"] + order["given_mb"]) << 20)


def _become(confine: Callable[[], None], order: dict[str, Any], request: dict[str, Any], own: int) -> NoReturn:
    """Be the program; never returns."""
    exit_code = 1
    try:
        os.close(_REPORT)
        confine()
        kernel.dumpable(True)
        command = request["command"]
        _limit(order, 0 if command else own)
        if command:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(command[0], command)
        at_fork.take_up()
        _signal.signal(signal.SIGINT, signal.default_int_handler)  # without the work for the old handler's name
        if request["session"]:
            cells.serve(_CONTROL)
        source = os.open(program.NAME, os.O_RDONLY)
        code = wire.read_all(source)
        os.close(source)
        exit_code = program.run(code)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        _exit(exit_code)


def _limit(order: dict[str, Any], own: int) -> None:
    bounds = {
        resource.RLIMIT_NPROC: order["processes"] + 1,  # init counts too
        resource.RLIMIT_FSIZE: order["disk_mb"] << 20,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_STACK: resource.getrlimit(resource.RLIMIT_STACK)[1],  # deep recursion is bounded by the memory
    }
    if order["address_space_mb"]:
        bounds[resource.RLIMIT_AS] = own + (order["address_space_mb"] << 20)
    for which, bound in bounds.items():
        resource.setrlimit(which, (bound, bound))


def _watch(tier: Tier, main: int, request: dict[str, Any], work: str, most: int) -> None:
    """Wait for the program, end what it has left running, and report."""
    for descriptor in (0, 1, 2, *([_CONTROL] if request["session"] else [])):
        os.close(descriptor)
    status = _last_child() if request["session"] else _child(main)
    tier.end_all_but_init()
    names, contents = folder.fetched(work, request["fetch"], most)
    wire.write_all(_REPORT, wire.packed({"exit": os.waitstatus_to_exitcode(status), "files": names}, contents))


def _child(pid: int) -> int:
    """Wait for one child, while all others are taken note of, and return its status."""
    ended = status = 0
    while ended != pid:
        ended, status = os.waitpid(-1, 0)
    return status


def _last_child() -> int:
    """Wait until no child is left, for a session's interpreters are children all, and return 0."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return 0
