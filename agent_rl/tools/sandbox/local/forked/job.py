"""One run: the process that watches over it from within (its init), and the program."""

import fcntl
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from . import folder, kernel, landlock, program, root, seccomp, wire

REQUEST, STDIN, STDOUT, STDERR, REPORT = range(5)
"""The order in which a run's descriptors come."""
_WORK = "work"
_USER = 1000
_DESCRIPTORS = 256
_MOST = 1 << 30  # more descriptors than there can be
_KEPT_REPORT, _KEPT_REQUEST = 3, 4  # where init holds them


def begin(order: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Be init in the process that was forked for a run; never returns.

    Args:
        order: The limits, as numbers.
        descriptors: The run's, as listed above.
    """
    try:
        _arrange(descriptors)
        os._exit(_init(order))
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        wire.write_all(_KEPT_REPORT, wire.packed({"failed": text}))
    finally:
        os._exit(1)


def _arrange(descriptors: list[int]) -> None:
    """Bring the descriptors to their places and close all others."""
    places = (_KEPT_REQUEST, 0, 1, 2, _KEPT_REPORT)
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, len(places)) for descriptor in descriptors]
    for descriptor, place in zip(aside, places, strict=True):
        os.dup2(descriptor, place, inheritable=place < 3)
    os.closerange(len(places), _MOST)


def _init(order: dict[str, Any]) -> int:
    os.umask(0o022)
    kernel.unshare(kernel.NEW_NS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS)
    kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    size = f"size={order['disk_mb']}m,nr_inodes={256 * order['disk_mb']},mode=0755"
    kernel.mount("tmpfs", root.SCRATCH, "tmpfs", kernel.NOSUID | kernel.NODEV, size)
    work = os.path.join(root.SCRATCH, _WORK)
    os.mkdir(work)
    os.chdir(work)
    with open(_KEPT_REQUEST, "rb") as file:
        request, contents = wire.unpacked(file.read())
    folder.fill(request["files"], contents)
    kernel.own_user(_USER, os.geteuid())
    kernel.dumpable(False)
    kernel.no_new_privileges()
    landlock.restrict(read=["/"], write=[root.SCRATCH, "/dev"])
    kernel.drop_capabilities()
    seccomp.restrict()
    main = os.fork()
    if not main:
        _become(order, request)
    return _watch(main, request, work, order["disk_mb"] << 20)


def _become(order: dict[str, Any], request: dict[str, Any]) -> NoReturn:
    """Be the program; never returns."""
    exit_code = 1
    try:
        os.close(_KEPT_REPORT)
        os.setsid()
        kernel.dumpable(True)
        _limit(order, own=0 if request["command"] else _address_space())
        os.environ.clear()
        os.environ.update(request["environment"])
        if request["command"]:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(request["command"][0], request["command"], request["environment"])
        with open(program.NAME, "rb") as file:
            code = file.read()
        exit_code = program.run(code)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(exit_code)


def _address_space() -> int:
    """Return the bytes of addresses that this interpreter has taken already."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _limit(order: dict[str, Any], own: int) -> None:
    bounds = {
        resource.RLIMIT_NPROC: order["processes"] + 1,  # init counts too
        resource.RLIMIT_FSIZE: order["disk_mb"] << 20,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    if order["address_space_mb"]:
        bounds[resource.RLIMIT_AS] = own + (order["address_space_mb"] << 20)
    for which, bound in bounds.items():
        resource.setrlimit(which, (bound, bound))


def _watch(main: int, request: dict[str, Any], work: str, most: int) -> int:
    """Wait for the program, end what it has left running, and report."""
    status = 0
    for descriptor in range(3):
        os.close(descriptor)
    while True:
        ended, found = os.waitpid(-1, 0)
        if ended == main:
            status = found
            break
    _end_the_rest()
    names, contents = folder.fetched(work, request["fetch"], most)
    wire.write_all(_KEPT_REPORT, wire.packed({"exit": os.waitstatus_to_exitcode(status), "files": names}, contents))
    return 0


def _end_the_rest() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ProcessLookupError, ChildProcessError):
        return
