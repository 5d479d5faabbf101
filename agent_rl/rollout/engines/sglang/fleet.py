"""The servers of an engine: started or given, watched, mended, and all at the same weights.

A server is in service only while it is known to answer and to hold the current weights; whatever goes wrong with one
takes it out first and is looked into afterwards, while the others go on.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from agent_rl.clients.http import RefusedError
from agent_rl.clients.sglang import MEMORY, SOURCE, Facts, SglangClient
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.balancer import Balancer
from agent_rl.rollout.engines.sglang.server import ServerProcess, launch
from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.engines.sglang.transports import Transport, make_transport
from agent_rl.rollout.engines.sglang.transports.base import Failures, each

logger = logging.getLogger(__name__)
_CONNECTIONS = 1024
_PROBE_TIMEOUT_SECONDS = 60.0
_RETRY_SECONDS = 2.0


class Member:
    """One server.

    Attributes:
        client: Speaks to it.
        process: The process, when it is ours.
        trouble: Why it is not in service, empty when it is.
        released: The kinds of memory that it has released.
        restarts: How often it was started again.
    """

    def __init__(self, client: SglangClient, process: ServerProcess | None) -> None:
        """Keep the two; nothing is asked of the server yet."""
        self.client = client
        self.process = process
        self.trouble = "starting"
        self.released: set[str] = set()
        self.restarts = 0
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What it said of itself when it came into service."""
        assert self._facts is not None, "the server has not been asked yet"
        return self._facts

    async def ask(self) -> None:
        """Make it go on if it was left paused, and ask what it is.

        Raises:
            UserError: It is not one that can be used.
        """
        try:
            await self.client.resume()
            self._facts = await self.client.facts()
        except RefusedError as error:
            if error.status != 404:
                raise
            raise UserError(
                f"engine.urls: {self.client.url} is no SGLang server; if it is a router, give the urls of its workers"
            ) from error
        if self._facts.defaults:
            raise UserError(
                f"engine.urls: {self.client.url} adds sampling parameters of its own ({self._facts.defaults}); "
                "start it without --preferred-sampling-params"
            )


class Fleet:
    """All servers of an engine. Its methods belong to one event loop."""

    def __init__(self, settings: SglangSettings, model: str, folder: Path, gpus: bool) -> None:
        """Prepare; see `SglangEngine` for the arguments."""
        self.settings = settings
        self.balancer: Balancer[Member] = Balancer(settings.recovery_seconds)
        self.version = 0
        self.paused = False
        self.going = asyncio.Event()  # set while servers sample
        self.versions: dict[str, int] = {}  # names of weights and their versions
        self._model, self._folder, self._gpus = model, folder, gpus
        # Names that no other run gives: a server may still hold what one of them called version 17.
        self._prefix = uuid.uuid4().hex[:8]
        self._weights: Weights | None = None
        self._transport: Transport | None = None
        self._members: list[Member] = []
        self._lock = asyncio.Lock()  # weights, pauses and returns into service happen one after the other
        self._tasks: set[asyncio.Task[None]] = set()
        self.label = ""  # the name of the current weights at the servers

    @property
    def longest(self) -> int:
        """Most tokens of a prompt and its continuation, at every server."""
        return min(member.facts.longest for member in self._members)

    @property
    def urls(self) -> list[str]:
        """Where the servers listen."""
        return [member.client.url for member in self._members]

    async def start(self) -> None:
        """Start or find all servers; when one fails, none is left."""
        self._transport = make_transport(self.settings, self._folder / "weights")
        self._members = [self._given(url) for url in self.settings.urls] or [
            self._own(number) for number in range(self.settings.servers)
        ]
        try:
            await _all_or_none([self._first(member) for member in self._members])
            self._check()
        except BaseException:
            await self.stop()
            raise
        self.label = self._members[0].facts.weight_version
        self.versions[self.label] = 0
        for member in self._members:
            self._enlist(member)
        self.going.set()
        self.background(self._watch())

    async def stop(self) -> None:
        """Let go of everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        serving = self.balancer.places
        if self._transport is not None:
            await self._transport.close(serving)
        if self.paused:
            await each([member for member in serving if member.process is None], self._unpark)
        for member in self._members:
            self.balancer.remove(member, "stopped")
        self.balancer.fail("the engine was stopped")
        await asyncio.gather(*[member.process.stop() for member in self._members if member.process is not None])
        await asyncio.gather(*[member.client.close() for member in self._members])
        self._members = []

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` beside everything else, until `stop` at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lose(self, member: Member, reason: str, tainted: bool = False) -> None:
        """Take a server out of service and mend it in the background.

        Args:
            member: The server; nothing happens when it is out already.
            reason: Why, for the log.
            tainted: Nobody knows which weights it holds, or what state it is in.
        """
        if member.trouble:
            return
        member.trouble = reason
        self.balancer.remove(member, reason)
        logger.warning("SGLang server %s is out of service: %s", member.client.url, reason)
        self.background(self._mend(member, tainted))

    async def pause(self) -> None:
        """Let no server sample; colocated ones release their memory."""
        async with self._lock:
            self._hold()
            self.paused = True
            self._lose_all(await each(self.balancer.places, self._park), "pause")

    async def resume(self) -> None:
        """Let all servers go on."""
        async with self._lock:
            self._lose_all(await each(self.balancer.places, self._unpark), "resume")
            self.paused = False
            self._free()

    async def update(self, weights: Weights) -> None:
        """Give `weights` to every server in service; those that fail leave it.

        Raises:
            InfrastructureError: The weights cannot be got, or no server took them.
        """
        assert self._transport is not None
        async with self._lock:
            await self._transport.prepare(weights)
            members = self.balancer.places
            self._hold()  # what is sent now would be computed from prefixes of the old weights
            self.version, self._weights = weights.version, weights
            self.label = f"{self._prefix}-{weights.version}"
            self.versions[self.label] = weights.version
            try:
                failures = await self._give(members, weights)
            finally:
                if not self.paused:
                    self._free()
        if members and len(failures) == len(members):
            raise InfrastructureError(SOURCE, f"no server took the weights: {next(iter(failures.values())).message}")

    def troubles(self) -> list[str]:
        """Return a line for each server that is out of service."""
        return [f"{member.client.url} {member.trouble}" for member in self._members if member.trouble]

    # --- weights ------------------------------------------------------------------------------------------------------

    async def _give(self, members: list[Member], weights: Weights) -> Failures[Member]:
        """Give weights to paused or unpaused servers and name them; lose those that fail."""
        assert self._transport is not None
        failures = await each(members, self._open_for_weights)
        try:
            sent = await self._transport.send([m for m in members if m not in failures], weights)
        except BaseException as error:
            for member in members:
                self.lose(member, "an update of the weights broke off", tainted=True)
            if not isinstance(error, Exception):
                raise
            raise InfrastructureError(SOURCE, f"the weights cannot be sent: {type(error).__name__}: {error}") from error
        failures |= sent
        await each(members, self._close_for_weights, failures)
        self._lose_all(failures, "update of the weights")
        return failures

    async def _open_for_weights(self, member: Member) -> None:
        if not self.paused:
            await member.client.pause("in_place")
        elif "weights" in member.released:
            await member.client.resume_memory(["weights"])
            member.released.discard("weights")

    async def _close_for_weights(self, member: Member) -> None:
        await member.client.name_weights(self.label)
        if not self.paused:
            await member.client.resume()

    def _hold(self) -> None:
        self.balancer.hold()
        self.going.clear()

    def _free(self) -> None:
        self.going.set()
        self.balancer.free()

    # --- pauses -------------------------------------------------------------------------------------------------------

    async def _park(self, member: Member) -> None:
        if not self.settings.colocated:
            await member.client.pause("in_place")
            return
        await member.client.pause("abort")
        await member.client.flush()
        if not member.released:
            await member.client.release_memory()
            member.released = set(MEMORY)

    async def _unpark(self, member: Member) -> None:
        if member.released:
            await member.client.resume_memory(sorted(member.released))
            member.released = set()
        await member.client.resume()

    # --- coming, going, coming back -----------------------------------------------------------------------------------

    def _given(self, url: str) -> Member:
        return Member(self._client(url), None)

    def _own(self, number: int) -> Member:
        log = self._folder / f"sglang_{number}.log"
        process = launch(self.settings, number, self._model, log, self._gpus)
        return Member(self._client(process.url), process)

    def _client(self, url: str) -> SglangClient:
        slots = self.settings.requests_per_server or _CONNECTIONS
        return SglangClient(url, slots, self.settings.request_seconds, self.settings.update_seconds)

    async def _first(self, member: Member) -> None:
        """Wait for a server's first readiness."""
        if member.process is not None:
            member.process.start()
            await member.process.wait_ready(member.client, self.settings.startup_seconds)
            await member.ask()
            return
        until = asyncio.get_running_loop().time() + self.settings.startup_seconds
        while True:
            try:
                await member.ask()
                if await member.client.ready():
                    return
                reason = "it is not ready"
            except InfrastructureError as error:
                reason = error.message
            if asyncio.get_running_loop().time() > until:
                raise InfrastructureError(
                    SOURCE, f"{member.client.url} after {self.settings.startup_seconds:g} s: {reason}"
                )
            await asyncio.sleep(_RETRY_SECONDS)

    def _check(self) -> None:
        """Refuse servers that do not belong together or cannot do what is asked.

        Raises:
            UserError: They cannot.
        """
        names = {member.facts.weight_version for member in self._members}
        if len(names) > 1:
            raise UserError(f"engine.urls: the servers hold different weights: {', '.join(sorted(names))}")
        replicated = [m for m in self._members if m.facts.replicas > 1]
        if replicated and self.settings.weight_transport != "disk":
            raise UserError(
                f"engine.weight_transport={self.settings.weight_transport}: {replicated[0].client.url} has "
                "data-parallel replicas, which take weights from disk only"
            )
        for member in self._members if self.settings.colocated else []:
            if member.facts.device != "cpu" and not member.facts.releases_memory:
                raise UserError(
                    f"engine.colocated: {member.client.url} would release nothing, or lose its weights; start it with "
                    "--enable-memory-saver --enable-weights-cpu-backup"
                )

    def _enlist(self, member: Member) -> None:
        member.trouble = ""
        self.balancer.add(member, self.settings.requests_per_server or min(member.facts.slots, _CONNECTIONS))

    def _lose_all(self, failures: Failures[Member], what: str) -> None:
        for member, error in failures.items():
            self.lose(member, f"{what} failed: {error.message}", tainted=True)

    async def _watch(self) -> None:
        """Look at every server in service, again and again."""
        while True:
            await asyncio.sleep(self.settings.probe_seconds)
            await asyncio.gather(*[self._look(member) for member in self.balancer.places])

    async def _look(self, member: Member) -> None:
        if member.process is not None and not member.process.alive:
            self.lose(member, f"it ended: {member.process.last_words()}")
            return
        try:
            await member.client.alive(_PROBE_TIMEOUT_SECONDS)
        except InfrastructureError as error:
            self.lose(member, error.message)

    async def _mend(self, member: Member, tainted: bool) -> None:
        """Bring a server back into service, or give it up."""
        assert self._transport is not None
        self._transport.forget(member)
        while True:
            try:
                tainted = await self._revive(member, tainted)
                async with self._lock:
                    await self._bring_up_to_date(member, tainted)
                    self._enlist(member)
                logger.warning("SGLang server %s is back in service", member.client.url)
                return
            except _GivenUpError as error:
                member.trouble = f"given up: {error}"
                logger.error("SGLang server %s is %s", member.client.url, member.trouble)
                if not [m for m in self._members if not m.trouble.startswith("given up")]:
                    self.balancer.fail(f"no server is left: {error}")
                return
            except (InfrastructureError, UserError) as error:
                member.trouble, tainted = str(error), True
                logger.warning("SGLang server %s is not back yet: %s", member.client.url, error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _revive(self, member: Member, tainted: bool) -> bool:
        """Return when the server takes requests, and whether its weights must be taken for unknown."""
        process = member.process
        if process is None:
            await member.client.alive(_PROBE_TIMEOUT_SECONDS)
            return tainted
        if not tainted and process.alive:
            # One failed call does not make a server bad: it may answer by now. A dying one takes a moment to be dead.
            await asyncio.sleep(0.5)
            with contextlib.suppress(InfrastructureError):
                await member.client.alive(_PROBE_TIMEOUT_SECONDS)
                return False
        if member.restarts >= self.settings.restarts:
            raise _GivenUpError(f"started again {member.restarts} times; {member.trouble}")
        member.restarts += 1
        member.trouble = "starting again"
        member.released = set()
        await process.stop()
        process.start()
        await process.wait_ready(member.client, self.settings.startup_seconds)
        return True

    async def _bring_up_to_date(self, member: Member, tainted: bool) -> None:
        """Give the server the current weights unless it has them, and pause it if the others are."""
        assert self._transport is not None
        await member.ask()
        if tainted or member.facts.weight_version != self.label:
            await self._catch_up(member)
        if self.paused:
            await self._park(member)

    async def _catch_up(self, member: Member) -> None:
        assert self._transport is not None
        if self._weights is None:  # version 0: what servers are started with
            if member.process is None and member.facts.weight_version != self.label:
                raise InfrastructureError(SOURCE, f"it came back with weights called {member.facts.weight_version!r}")
            return
        if self._weights.version != self.version:
            raise InfrastructureError(SOURCE, "the weights have moved on; it gets the next ones")
        await member.client.pause("in_place")
        failures = await self._transport.send([member], self._weights)
        if failures:
            raise failures[member]
        await member.client.name_weights(self.label)
        await member.client.resume()


async def _all_or_none(works: list[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time; when one fails, end the others before its error goes on."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _GivenUpError(Exception):
    """A server is not worth another start."""
