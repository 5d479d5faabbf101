"""One server of a fleet: how it comes up, what it says of itself, how it is brought back."""

import asyncio
import contextlib

from agent_rl.clients.http import RefusedError
from agent_rl.clients.sglang import MEMORY, SglangClient
from agent_rl.clients.sglang_answers import SOURCE, Facts
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.sglang.server import ServerProcess

_PROBE_TIMEOUT_SECONDS = 60.0
_RETRY_SECONDS = 2.0


class GivenUpError(Exception):
    """A server is not worth another start."""


class Member:
    """One server.

    Attributes:
        client: Speaks to it.
        process: The process, when it is ours.
        trouble: Why it is not in service, empty when it is.
        given_up: Whether it will not come back.
    """

    def __init__(self, client: SglangClient, process: ServerProcess | None) -> None:
        """Keep the two; nothing is asked of the server yet."""
        self.client = client
        self.process = process
        self.trouble = "starting"
        self.given_up = False
        self._released: set[str] = set()  # the kinds of memory that it has released
        self._restarts = 0
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What it said of itself when it last came into service."""
        assert self._facts is not None, "the server has not been asked yet"
        return self._facts

    async def come_up(self, seconds: float) -> None:
        """Start it if it is ours, and return when it is ready.

        Raises:
            UserError: It is not one that can be used.
            InfrastructureError: It is not ready within `seconds`.
        """
        if self.process is not None:
            self.process.start()
            await self.process.wait_ready(self.client, seconds)
            await self.ask()
            return
        until = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                await self.ask()
                if await self.client.ready():
                    return
                reason = "it is not ready"
            except InfrastructureError as error:
                reason = error.message
            if asyncio.get_running_loop().time() > until:
                raise InfrastructureError(SOURCE, f"{self.client.url} after {seconds:g} s: {reason}")
            await asyncio.sleep(_RETRY_SECONDS)

    async def ask(self) -> None:
        """Make it go on if it was left paused, and ask what it is.

        Raises:
            UserError: It is not one that can be used.
        """
        try:
            await self.client.resume()
            before, self._facts = self._facts, await self.client.facts()
        except RefusedError as error:
            if error.status != 404:
                raise
            raise UserError(
                f"engine.urls: {self.client.url} is no SGLang server; if it is a router, give the urls of its workers"
            ) from error
        if before is not None and before.started != self._facts.started:
            self._released = set()
        if self._facts.defaults:
            raise UserError(
                f"engine.urls: {self.client.url} adds sampling parameters of its own ({self._facts.defaults}); "
                "start it without --preferred-sampling-params"
            )

    async def look(self) -> str:
        """Return what is wrong with it, empty when nothing is."""
        if self.process is not None and not self.process.alive:
            return f"it ended: {self.process.last_words()}"
        try:
            await self.client.alive(_PROBE_TIMEOUT_SECONDS)
        except InfrastructureError as error:
            return error.message
        return ""

    async def revive(self, tainted: bool, restarts: int, seconds: float) -> bool:
        """Return when it takes requests again, and whether its weights must be taken for unknown.

        Args:
            tainted: Whether they must already.
            restarts: How often a process of ours may be started again, in all.
            seconds: Longest start.

        Raises:
            GivenUpError: It was started too often.
            InfrastructureError: It does not take requests yet.
        """
        if self.process is None:
            await self.client.alive(_PROBE_TIMEOUT_SECONDS)
            return tainted
        if not tainted and self.process.alive:
            # One failed call does not make a server bad: it may answer by now. A dying one takes a moment to be dead.
            await asyncio.sleep(0.5)
            with contextlib.suppress(InfrastructureError):
                await self.client.alive(_PROBE_TIMEOUT_SECONDS)
                return False
        if self._restarts >= restarts:
            raise GivenUpError(f"{self.trouble}; it was started again {self._restarts} times already")
        self._restarts += 1
        self.trouble = "starting again"
        await self.process.stop()
        self.process.start()
        await self.process.wait_ready(self.client, seconds)
        return True

    # --- pauses -------------------------------------------------------------------------------------------------------

    async def park(self, colocated: bool) -> None:
        """Let it sample nothing; a colocated one gives back what runs, unfinished, and releases its memory."""
        if not colocated:
            await self.client.pause("in_place")
            return
        await self.client.pause("abort")
        await self.client.flush()
        if not self._released:
            await self.client.release_memory()
            self._released = set(MEMORY)

    async def hold_weights(self) -> None:
        """Give a parked server memory for weights."""
        if "weights" in self._released:
            await self.client.resume_memory(["weights"])
            self._released.discard("weights")

    async def unpark(self) -> None:
        """Let it go on, with all its memory."""
        if self._released:
            await self.client.resume_memory(sorted(self._released))
            self._released = set()
        await self.client.resume()
