"""The limiter: a small service that lets calls of tools begin, for all processes of a run.

It speaks lines of JSON. A client sends `{"enter": 7, "key": "search", "concurrency": 4, "rates": [[50, 1.0]]}`, is
answered `{"entered": 7}` when call 7 may begin, and sends `{"leave": 7}` when it has ended or does not wait any more.
What a client holds is given back when its connection ends. Over TCP the first line is `{"token": "…"}`; who sends
none within 10 s is sent away.
"""

import asyncio
import hmac
import json
import logging
import math
import secrets
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent_rl.core.outcome import told
from agent_rl.core.threads import LoopThread
from agent_rl.tools.limiter.folders import SOCKET, socket_folder
from agent_rl.tools.limiter.gate import Gate

logger = logging.getLogger(__name__)
_TOKEN_SECONDS = 10.0  # within which a client over TCP shows its token, or else is nobody of ours
_Key = tuple[str, int | None, tuple[tuple[int, float], ...]]


@contextmanager
def limiter_service(host: str | None = None) -> Iterator[str]:
    """Run a limiter in a thread while the block runs; yield its address, for `AGENT_RL_LIMITER`.

    Args:
        host: Where it listens for other machines, with a token in the address; by default on a Unix socket that only
            this user may open.
    """
    thread, limiter = LoopThread(), _Limiter()
    with socket_folder() as folder:
        try:
            yield thread.run(limiter.start, host, folder)
        finally:
            thread.close()


class _Limiter:
    """The gates of all tools, and the clients that wait at them."""

    def __init__(self) -> None:
        self._gates: dict[_Key, Gate] = {}
        self._timers: dict[_Key, asyncio.TimerHandle] = {}
        self._token = ""

    async def start(self, host: str | None, folder: Path) -> str:
        """Listen; return the address."""
        if host is None:
            path = str(folder / SOCKET)
            await asyncio.start_unix_server(self._serve, path)
            return f"unix:{path}"
        self._token = secrets.token_hex(16)
        server = await asyncio.start_server(self._serve, host, 0)
        return f"tcp:{host}:{server.sockets[0].getsockname()[1]}:{self._token}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until its connection ends, then give back what it holds."""
        held: dict[int, _Key] = {}
        try:
            if not await self._admitted(reader):
                return
            while line := await reader.readline():
                self._take(json.loads(line), held, writer)
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("a client of the limiter broke off: %s", told(error))
        except asyncio.CancelledError:  # the limiter ends; asyncio would report a stream's task that ends like this
            return
        finally:
            for number, key in held.items():  # first of all, so that none of its own is let in by an end of its own
                self._gates[key].withdraw((writer, number))
            for number, key in held.items():
                self._leave(key, (writer, number))
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _admitted(self, reader: asyncio.StreamReader) -> bool:
        if not self._token:
            return True
        async with asyncio.timeout(_TOKEN_SECONDS):
            line = await reader.readline()
        given = str(json.loads(line or "{}").get("token", ""))
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _take(self, asked: dict[str, Any], held: dict[int, _Key], writer: asyncio.StreamWriter) -> None:
        """Do what a line asks for."""
        if "leave" in asked:
            number = int(asked["leave"])
            if number in held:
                self._leave(held.pop(number), (writer, number))
            return
        number = int(asked["enter"])
        rates = tuple((int(calls), float(seconds)) for calls, seconds in asked["rates"])
        key = held[number] = (str(asked["key"]), asked["concurrency"], rates)
        gate = self._gates.setdefault(key, Gate(asked["concurrency"], rates))
        gate.enter((writer, number), lambda: writer.write(json.dumps({"entered": number}).encode() + b"\n"))
        self._advance(key)

    def _leave(self, key: _Key, call: Hashable) -> None:
        self._gates[key].leave(call, asyncio.get_running_loop().time())
        self._advance(key)

    def _advance(self, key: _Key) -> None:
        """Let in at one gate who may, and look again when time alone will let in another."""
        loop = asyncio.get_running_loop()
        if key in self._timers:
            self._timers.pop(key).cancel()
        again = self._gates[key].advance(loop.time())
        if again < math.inf:
            self._timers[key] = loop.call_at(again, self._advance, key)
