"""A Python session: an interpreter of the local sandbox that keeps its state from one call to the next."""

import asyncio
import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from agent_rl.core.context import current
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Result, Session, Status
from agent_rl.tools.sandbox.local.cgroup import Ended, Group
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError
from agent_rl.tools.sandbox.local.run import content, joining, order
from agent_rl.tools.sandbox.local.streams import Output

_STARTING = 30.0  # seconds that a first interpreter has to say that it is there
_COPYING = 5.0  # seconds that a copy has at least, where the limit is lower
_FOREVER = 1e9  # seconds that a session may last: each of its calls has a deadline
_CREDENTIALS = struct.Struct("iII")
_LAST_WORDS = 0.5  # seconds to wait for why an interpreter has ended
_MOST_BYTES = 65536  # of one message


class Family:
    """One run that holds the interpreters of a session and of its snapshots; it ends with the last of them."""

    def __init__(self, server: ForkServer, limits: Limits, group: Group | None = None) -> None:
        """Prepare a run of `server`, which `begin` starts, in a cgroup, where it has one."""
        self.server, self.limits, self.group = server, limits, group
        self.name, self.account = server.begin()
        if group:
            self.account.add_done_callback(lambda _: group.close())
        self.interpreters = 0
        self._busy = 0

    async def begin(self, request: bytes) -> "Interpreter":
        """Start the run and return its first interpreter.

        Raises:
            ServerGoneError: The fork server has ended, or the run did not start.
        """
        report = Output(_MOST_BYTES, lambda: None)
        ours, theirs = _channel()
        asked = order(self.limits, request, 1) | {"seconds": _FOREVER}
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            with content(request) as wanted:
                descriptors = [wanted, nothing, nothing, nothing, report.writing, theirs.fileno()]
                await self.server.run(self.name, *joining(self.group, asked, descriptors))
            theirs.close()
            return await Interpreter.greeted(self, ours, _STARTING)
        except BaseException:
            ours.close()
            self.server.tell(self.name, "kill")
            if self.group:
                self.group.close()
            raise
        finally:
            os.close(nothing)
            theirs.close()
            report.finish()

    def left(self) -> None:
        """Take note that an interpreter has ended."""
        self.interpreters -= 1
        if not self.interpreters:
            self.server.tell(self.name, "kill")

    @contextmanager
    def going(self) -> Iterator[None]:
        """Let its processes go on while the block runs; between calls they stand still."""
        if not self._busy:
            self.server.tell(self.name, "go_on")
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self.server.tell(self.name, "stop")

    def ended_for(self) -> Status:
        """Return what an interpreter has ended for that did not end at its deadline."""
        if not self.account.done():
            return Status.ERROR
        if self.account.exception():
            return Status.INFRASTRUCTURE
        return Status.MEMORY_LIMIT if self.account.result().get("killed") == "memory" else Status.ERROR

    def exceeded(self) -> bool:
        """Return whether the kernel has ended one of its processes for the limit of memory; then the rest is killed."""
        if self.group is None or self.group.ended() is not Ended.LIMIT:
            return False
        self.server.tell(self.name, "kill")
        return True


class Interpreter:
    """One interpreter, at the other end of a socket. What comes through it is the program's word and proves nothing."""

    def __init__(self, family: Family, channel: socket.socket, pid: int) -> None:
        """Speak with the process `pid`, as the kernel names the one that wrote first.

        Raises:
            OSError: It has ended already.
        """
        self.family, self._channel = family, channel
        self._process = os.pidfd_open(pid)
        self._cells = 0
        self._answer: asyncio.Future[int | None] | None = None  # what a cell waits for
        self.alive = True
        family.interpreters += 1

    @classmethod
    async def greeted(cls, family: Family, channel: socket.socket, patience: float) -> "Interpreter":
        """Return the interpreter behind a socket, when it has said that it is there, within `patience` seconds.

        Raises:
            ServerGoneError: It has not.
        """
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(channel.fileno(), _settle, readable)
        try:
            await asyncio.wait([readable, family.account], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(channel.fileno())
        with contextlib.suppress(OSError, struct.error):
            _, ancillary, _, _ = channel.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
            for _, kind, data in ancillary:
                if kind == socket.SCM_CREDENTIALS:
                    return cls(family, channel, _CREDENTIALS.unpack(data)[0])
        raise ServerGoneError("the interpreter did not start")

    async def run(self, code: str, seconds: float) -> Result:
        """Run a cell; an interpreter that exceeds a limit is ended.

        Raises:
            ServerGoneError: It had ended before.
        """
        most, begun = self.family.limits.output_kb << 10, time.monotonic()
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        stdout, stderr = (Output(most, partial(_settle, answer)) for _ in range(2))
        self._cells += 1
        try:
            with self.family.going():
                with content(code.encode(errors="surrogatepass")) as source:
                    self._send({"do": "cell", "cell": self._cells}, source, stdout.writing, stderr.writing)
                stdout.handed()
                stderr.handed()
                status, exit_code = await self._outcome(answer, seconds)
        except asyncio.CancelledError:  # nobody waits for the cell, which would go on within the next
            self.end()
            raise
        finally:
            stdout.finish()
            stderr.finish()
        if stdout.over or stderr.over:
            self.end()
            status, exit_code = Status.OUTPUT_LIMIT, None
        if self.family.exceeded():
            self.end()
            status, exit_code = Status.MEMORY_LIMIT, None
        out, error = (stream.content.decode(errors="replace") for stream in (stdout, stderr))
        if status is Status.ERROR and error.rstrip().rpartition("\n")[2].startswith("MemoryError"):
            status = Status.MEMORY_LIMIT
        gone = "the fork server has ended" if self.family.server.gone else "the session was closed within a call"
        message = gone if status is Status.INFRASTRUCTURE else ""
        taken, tier = time.monotonic() - begun, self.family.server.tier
        peak = self.family.group.peak_mb() if self.family.group else None
        return Result(status, exit_code, out, error, taken, peak, tier, message=message)

    async def _outcome(self, answer: "asyncio.Future[int | None]", seconds: float) -> tuple[Status, int | None]:
        """Wait for the answer to a cell, for the end of the interpreter, or for the deadline."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._channel.fileno(), self._heard, answer)
        loop.add_reader(self._process, _settle, answer)
        self._answer = answer
        try:
            done, _ = await asyncio.wait([answer], timeout=seconds)
        finally:
            self._listen_no_more()
        exit_code = answer.result() if done else None
        if exit_code is not None:
            return (Status.ERROR if exit_code else Status.FINISHED), exit_code
        if not self.alive:  # whoever closed the session has ended it
            return Status.INFRASTRUCTURE, None
        if done:  # then the server may have something to say
            await asyncio.wait([self.family.account], timeout=_LAST_WORDS)
        self.end()
        return (self.family.ended_for() if done else Status.TIME_LIMIT), None

    def _heard(self, answer: "asyncio.Future[int | None]") -> None:
        """Read a message; what is no answer to the present cell is ignored, and the end of the socket is told apart."""
        try:
            data = self._channel.recv(_MOST_BYTES)
            message = json.loads(data) if data else {"cell": self._cells, "exit": None}
            if message["cell"] == self._cells:
                _settle(answer, None if message["exit"] is None else int(message["exit"]))
        except (OSError, ValueError, KeyError, TypeError):
            return

    async def fork(self) -> "Interpreter":
        """Return a second interpreter with this one's state.

        Raises:
            ServerGoneError: It could not be made.
        """
        ours, theirs = _channel()
        try:
            with self.family.going():
                with theirs:
                    self._send({"do": "fork"}, theirs.fileno())
                return await Interpreter.greeted(self.family, ours, max(_COPYING, self.family.limits.seconds))
        except BaseException:
            ours.close()
            raise

    def there(self) -> bool:
        """Return whether it has not ended yet."""
        if not self.alive or self.family.account.done():
            return False
        ended = select.poll()  # unlike `select`, it takes descriptors above 1023
        ended.register(self._process, select.POLLIN)
        return not ended.poll(0)

    def end(self) -> None:
        """Kill it and what it has forked; harmless twice. What has no parent any more ends with the family."""
        if not self.alive:
            return
        self._listen_no_more()
        self.alive = False
        self.family.server.tell(self.family.name, "end", self._process)
        os.close(self._process)
        self._channel.close()
        self.family.left()

    def _listen_no_more(self) -> None:
        """Let the loop forget the descriptors before they are closed, and a cell that waits go on."""
        if self.alive:
            for descriptor in (self._channel.fileno(), self._process):
                asyncio.get_running_loop().remove_reader(descriptor)
        if self._answer is not None:
            _settle(self._answer)

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        try:
            socket.send_fds(self._channel, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            self.end()
            raise ServerGoneError("the interpreter had ended") from error


def _settle(future: "asyncio.Future[Any]", value: object = None) -> None:
    if not future.done():
        future.set_result(value)


def _channel() -> tuple[socket.socket, socket.socket]:
    """Return a pair of sockets of messages; the first learns from the kernel who writes to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.setblocking(False)
    return ours, theirs


class LocalSession:
    """A session of the local sandbox; see `Session`. It begins with its first call."""

    def __init__(
        self, limits: Limits, begin: Callable[[Limits, str], Awaitable[Interpreter]], places: asyncio.Semaphore
    ) -> None:
        """Use what `begin` starts for some limits and a first cell, while there is a place."""
        self._limits, self._begin, self._places = limits, begin, places
        self._turn = asyncio.Lock()
        self._interpreter: Interpreter | None = None
        self._note = ""
        self._closed = False

    async def run(self, code: str, seconds: float | None = None) -> Result:
        """Run a cell; see `Session`. Between calls everything that a cell has left running stands still.

        Raises:
            RuntimeError: The session has been closed.
        """
        return await service_loop().call(self._run(code, seconds or self._limits.seconds))

    async def snapshot(self) -> Session:
        """Return a second session with this one's state; see `Session`.

        The two share the limits of memory, disk and processes, but no files: the second works in a copy of the folder.
        Threads are not copied. Where the program has made a copy impossible, the second begins with nothing, and its
        first result says so.

        Raises:
            InfrastructureError: The sandbox has failed.
            RuntimeError: The session has been closed.
        """
        return await service_loop().call(self._snapshot())

    async def close(self) -> None:
        """End the interpreter; harmless twice."""
        await service_loop().call(self._close())

    async def _run(self, code: str, seconds: float) -> Result:
        async with self._turn:
            with current().excuse.queueing():
                await self._places.acquire()
            try:
                self._look()
                note, self._note = self._note, ""
                interpreter = self._interpreter or await self._begin(self._limits, code)
                if self._closed:  # meanwhile
                    interpreter.end()
                self._refuse_closed()
                self._interpreter = interpreter
                result = await interpreter.run(code, seconds)
                if not interpreter.alive:
                    self._forget(result.status)
                return replace(result, message=result.message or note)
            except (ServerGoneError, OSError) as error:
                return Result(Status.INFRASTRUCTURE, message=str(error))
            finally:
                self._places.release()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the session has been closed: nothing more can be run in it")

    def _look(self) -> None:
        """Forget an interpreter that has ended meanwhile; refuse a session that has been closed."""
        self._refuse_closed()
        if self._interpreter is not None and not self._interpreter.there():
            self._interpreter.end()
            self._forget(Status.ERROR)

    def _forget(self, why: Status) -> None:
        self._interpreter = None
        self._note = f"the interpreter had ended ({why}) and began anew: nothing of before is defined"

    async def _snapshot(self) -> "LocalSession":
        async with self._turn:
            copy = LocalSession(self._limits, self._begin, self._places)
            self._look()
            copy._note = self._note
            if self._interpreter is not None:
                try:
                    copy._interpreter = await self._interpreter.fork()
                except (ServerGoneError, OSError) as error:
                    if self._interpreter.family.server.gone:
                        raise InfrastructureError("sandbox", f"no snapshot: {error}") from error
                    copy._forget(Status.ERROR)
            return copy

    async def _close(self) -> None:
        self._closed = True
        if self._interpreter is not None:
            self._interpreter.end()
            self._interpreter = None
