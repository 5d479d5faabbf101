"""One run: its descriptors, its order to the fork server, and what follows from the server's account."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from agent_rl.tools.sandbox.base import Limits, Result, Status
from agent_rl.tools.sandbox.local.cgroup import Group
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError
from agent_rl.tools.sandbox.local.forked import wire
from agent_rl.tools.sandbox.local.settings import Tier
from agent_rl.tools.sandbox.local.streams import Output

# What the runtimes say when the kernel refuses them more: Python, C++, Rust, Node, Java.
_OUT_OF_MEMORY = re.compile(
    r"^(?:[\w.]*MemoryError\b|terminate called .*'std::bad_alloc'|memory allocation of \d+ bytes failed)"
    r"|JavaScript heap out of memory|java\.lang\.OutOfMemoryError",
    re.MULTILINE,
)
_TAIL = 4000  # characters of standard error in which that is looked for
_INODES = 256  # files that it may make for each MiB that it may write
_GRACE = 10.0  # seconds beyond a run's own after which its fork server is given up


async def run_once(
    server: ForkServer, request: bytes, limits: Limits, stdin: bytes, addresses: int = 1, group: Group | None = None
) -> Result:
    """Let a fork server run something once, and return what became of it.

    Args:
        server: Of this event loop.
        request: The program, as `forked.job` reads it.
        limits: What it may use.
        stdin: Its standard input.
        addresses: How many times its memory a process may take of addresses; 0 for any number.
        group: The cgroup to run it in.

    Raises:
        ServerGoneError: The fork server has ended, or does not answer.
    """
    (name, answer), ended_before = server.begin(), 0 if group else ended_for_memory()

    def stop() -> None:
        server.tell(name, "kill")

    mosts = (limits.output_kb << 10, limits.output_kb << 10, len(request) + (2 * limits.disk_mb << 20))
    with ExitStack() as stack:
        if group:
            stack.callback(group.close)
        streams = []
        for most in mosts:
            streams.append(Output(most, stop))
            stack.callback(streams[-1].finish)
        with content(request) as asked, content(stdin) as read:
            descriptors = [asked, read, *(stream.writing for stream in streams)]
            await server.run(name, *joining(group, order(limits, request, addresses), descriptors))
        for stream in streams:
            stream.handed()
        try:
            account = await asyncio.wait_for(answer, limits.seconds + _GRACE)
        except TimeoutError:
            server.close()
            raise ServerGoneError("the fork server did not answer") from None
        except asyncio.CancelledError:
            stop()
            raise
        for stream in streams:
            stream.finish()
        result = _result(server.tier, account, *streams)
    if group:
        return group.judged(result)
    if result.status is Status.ERROR and ended_for_memory() > ended_before:
        # The kernel takes programs first; whether it took this one, or one of its processes, it does not say.
        return replace(result, status=Status.INFRASTRUCTURE, message="the machine ran out of memory meanwhile")
    return result


def ended_for_memory() -> int:
    """Return how many processes the kernel has ended so far for lack of memory; 0 where it does not say."""
    try:
        with open("/proc/vmstat", "rb") as file:
            return int(file.read().partition(b"\noom_kill ")[2].partition(b"\n")[0] or 0)
    except OSError:
        return 0


def joining(
    group: Group | None, order: Mapping[str, Any], descriptors: Sequence[int]
) -> tuple[dict[str, Any], list[int]]:
    """Return an order to the fork server, and what goes with it, for a run in a cgroup, where it has one."""
    return {**order, "cgroup": group is not None}, [*descriptors, *(group.descriptors if group else [])]


def given_mb(request: bytes) -> int:
    """Return the MiB that a request brings along, rounded up."""
    return 1 + (len(request) >> 20)


def order(limits: Limits, request: bytes, addresses: int) -> dict[str, Any]:
    """Return the limits as numbers for the fork server; what a request brings along does not count as written."""
    given = wire.unpacked(request)[0]["files"]
    return {
        "seconds": limits.seconds,
        "memory_mb": limits.memory_mb,
        "address_space_mb": addresses * limits.memory_mb,
        "disk_mb": limits.disk_mb,
        "given_mb": given_mb(request),
        "inodes": _INODES * limits.disk_mb + sum(path.count("/") + 1 for path, _ in given),
        "processes": limits.processes,
    }


def _result(tier: Tier, account: Mapping[str, Any], stdout: Output, stderr: Output, report: Output) -> Result:
    if "failed" in account:
        return Result(Status.INFRASTRUCTURE, tier=tier, message=account["failed"])
    seen: dict[str, Any] = {
        "stdout": stdout.content.decode(errors="replace"),
        "stderr": stderr.content.decode(errors="replace"),
        "seconds": account["seconds"],
        "peak_memory_mb": account["peak_kb"] / 1024,
        "tier": tier,
    }
    if stdout.over or stderr.over:
        return Result(Status.OUTPUT_LIMIT, **seen)
    if account["killed"] in ("time", "memory"):
        return Result(Status.TIME_LIMIT if account["killed"] == "time" else Status.MEMORY_LIMIT, **seen)
    try:
        told, contents = wire.unpacked(report.content)
    except ValueError:
        told, contents = {"failed": "the process that watched over the program was killed"}, b""
    if "failed" in told:
        return Result(Status.INFRASTRUCTURE, **seen, message=told["failed"])
    files, start = {}, 0
    for path, size in told["files"]:
        files[path] = contents[start : start + size]
        start += size
    status = Status.FINISHED if told["exit"] == 0 else Status.ERROR
    if status is Status.ERROR and _OUT_OF_MEMORY.search(seen["stderr"][-_TAIL:]):
        status = Status.MEMORY_LIMIT
    return Result(status, told["exit"], **seen, files=files)


@contextmanager
def content(data: bytes) -> Iterator[int]:
    """Lend a descriptor from which `data` can be read."""
    descriptor = os.memfd_create("agent_rl", os.MFD_CLOEXEC)
    try:
        wire.write_all(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
