"""The servers of an engine: started or given, watched, mended, and all at the same weights.

A server is in service only while it is known to answer and to hold the current weights; whatever goes wrong with one
takes it out first and is looked into afterwards, while the others go on.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from agent_rl.clients.sglang import SOURCE, SglangClient
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.balancer import Balancer
from agent_rl.rollout.engines.sglang.member import GivenUpError, Member
from agent_rl.rollout.engines.sglang.server import launch
from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.engines.sglang.transports import Transport, make_transport
from agent_rl.rollout.engines.sglang.transports.base import Failures, each

logger = logging.getLogger(__name__)
_CONNECTIONS = 1024
_RETRY_SECONDS = 2.0


class _MovedOnError(InfrastructureError):
    """The trainer has changed the weights that a server would need; nothing is wrong with the server."""


class Fleet:
    """All servers of an engine. Its methods belong to one event loop.

    Attributes:
        balancer: Hands out the servers in service.
        version: The version of the current weights.
        label: Their name at the servers.
        versions: The versions of all names that a token may carry.
        paused: Whether between `pause` and `resume`.
        going: Set while servers sample: neither paused nor given weights.
    """

    def __init__(self, settings: SglangSettings, model: str, folder: Path, gpus: bool) -> None:
        """Prepare.

        Args:
            settings: Of the engine.
            model: Folder or hub's name of the model that servers of ours start with.
            folder: For logs and weights.
            gpus: Whether servers of ours run on GPUs.
        """
        self.settings = settings
        self.balancer: Balancer[Member] = Balancer(settings.recovery_seconds)
        self.version = 0
        self.label = ""
        self.versions: dict[str, int] = {}
        self.paused = False
        self.going = asyncio.Event()
        self._model, self._folder, self._gpus = model, folder, gpus
        # Names that no other run gives: a server may still hold what one of them called version 17.
        self._prefix = uuid.uuid4().hex[:8]
        self._weights: Weights | None = None
        self._transport: Transport | None = None
        self._members: list[Member] = []
        self._lock = asyncio.Lock()  # weights, pauses and returns into service happen one after the other
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def longest(self) -> int:
        """Most tokens of a prompt and its continuation, at every server."""
        return min(member.facts.longest for member in self._members)

    @property
    def urls(self) -> list[str]:
        """Where the servers listen."""
        return [member.client.url for member in self._members]

    def troubles(self) -> list[str]:
        """Return a line for each server that is out of service."""
        return [f"{member.client.url} {member.trouble}" for member in self._members if member.trouble]

    async def start(self) -> None:
        """Start or find all servers; when one fails, none is left.

        Raises:
            UserError: They do not belong together or cannot do what is asked.
            InfrastructureError: One did not come up.
        """
        self._transport = make_transport(self.settings, self._folder / "weights")
        self._members = self._given() or self._own()
        try:
            await _all_or_none([member.come_up(self.settings.startup_seconds) for member in self._members])
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
        """Let go of everything; given servers are left running and unpaused."""
        for member in self._members:  # what fails from now on is not mended
            member.trouble = member.trouble or "stopped"
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        serving = self.balancer.places
        if self._transport is not None:
            await self._transport.close(serving)
        if self.paused:
            await each([member for member in serving if member.process is None], lambda member: member.unpark())
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

    # --- pauses and weights -------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """Let no server sample; colocated ones release their memory."""
        async with self._lock:
            self._hold()
            self.paused = True
            failures = await each(self.balancer.places, lambda member: member.park(self.settings.colocated))
            self._lose_all(failures, "pause")

    async def resume(self) -> None:
        """Let all servers go on."""
        async with self._lock:
            self._lose_all(await each(self.balancer.places, lambda member: member.unpark()), "resume")
            self.paused = False
            self._free()

    async def update(self, weights: Weights) -> None:
        """Give `weights` to every server in service; those that fail leave it.

        Raises:
            UserError: They are not weights of the servers' model.
            InfrastructureError: They cannot be got, or no server took them.
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

    async def _give(self, members: list[Member], weights: Weights) -> Failures[Member]:
        """Give weights to paused or unpaused servers and name them; lose those that fail."""
        assert self._transport is not None
        try:
            failures = await each(members, self._open_for_weights)
            failures |= await self._transport.send([m for m in members if m not in failures], weights)
            await each(members, self._close_for_weights, failures)
        except BaseException as error:
            for member in members:
                self.lose(member, "an update of the weights broke off", tainted=True)
            if isinstance(error, UserError) or not isinstance(error, Exception):
                raise
            raise InfrastructureError(SOURCE, f"the weights cannot be sent: {type(error).__name__}: {error}") from error
        self._lose_all(failures, "update of the weights")
        return failures

    async def _open_for_weights(self, member: Member) -> None:
        if self.paused:
            await member.hold_weights()
        else:
            await member.client.pause("in_place")

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

    # --- coming, going, coming back -----------------------------------------------------------------------------------

    def _given(self) -> list[Member]:
        return [Member(self._client(url), None) for url in self.settings.urls]

    def _own(self) -> list[Member]:
        logs = [self._folder / f"sglang_{number}.log" for number in range(self.settings.servers)]
        processes = [launch(self.settings, i, self._model, log, self._gpus) for i, log in enumerate(logs)]
        return [Member(self._client(process.url), process) for process in processes]

    def _client(self, url: str) -> SglangClient:
        slots = self.settings.requests_per_server or _CONNECTIONS
        return SglangClient(url, slots, self.settings.request_seconds, self.settings.update_seconds)

    def _check(self) -> None:
        """Refuse servers that do not belong together or cannot do what is asked.

        Raises:
            UserError: They cannot.
        """
        names = {member.facts.weight_version for member in self._members}
        if len(names) > 1:
            raise UserError(f"engine.urls: the servers hold different weights: {', '.join(sorted(names))}")
        replicated = [member for member in self._members if member.facts.replicas > 1]
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

        async def look(member: Member) -> None:
            if reason := await member.look():
                self.lose(member, reason)

        while True:
            await asyncio.sleep(self.settings.probe_seconds)
            await asyncio.gather(*[look(member) for member in self.balancer.places])

    async def _mend(self, member: Member, tainted: bool) -> None:
        """Bring a server back into service, or give it up."""
        assert self._transport is not None
        self._transport.forget(member)
        unknown = tainted  # its weights
        while True:
            try:
                unknown |= await member.revive(tainted, self.settings.restarts, self.settings.startup_seconds)
                async with self._lock:
                    await self._bring_up_to_date(member, unknown)
                    self._enlist(member)
                logger.warning("SGLang server %s is back in service", member.client.url)
                return
            except GivenUpError as error:
                member.trouble, member.given_up = f"given up: {error}", True
                logger.error("SGLang server %s is %s", member.client.url, member.trouble)
                if all(other.given_up for other in self._members):
                    self.balancer.fail(f"no server is left: {error}")
                return
            except (InfrastructureError, UserError) as error:
                if member.trouble != str(error):
                    logger.warning("SGLang server %s is not back yet: %s", member.client.url, error)
                member.trouble, unknown = str(error), True
                tainted = not isinstance(error, _MovedOnError)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _bring_up_to_date(self, member: Member, unknown: bool) -> None:
        """Give the server the current weights unless it is known to have them, and pause it if the others are."""
        await member.ask()
        if unknown or member.facts.weight_version != self.label:
            await self._catch_up(member)
        if self.paused:
            await member.park(self.settings.colocated)

    async def _catch_up(self, member: Member) -> None:
        assert self._transport is not None
        if self._weights is None:  # version 0: what servers are started with
            if member.facts.weight_version != self.label:
                raise InfrastructureError(SOURCE, f"it came back with weights called {member.facts.weight_version!r}")
            return
        moved_on = _MovedOnError(SOURCE, "the weights have moved on; it gets the next ones")
        if self._weights.version != self.version or not self._lasting():
            raise moved_on
        await member.client.pause("in_place")
        failures = await self._transport.send([member], self._weights)
        if failures:
            raise failures[member]
        if not self._lasting():  # the trainer changed them while they were sent
            raise moved_on
        await member.client.name_weights(self.label)
        await member.client.resume()

    def _lasting(self) -> bool:
        """Whether the weights can still be sent: the disk keeps its version, a trainer's tensors change."""
        assert self._transport is not None and self._weights is not None
        return self._transport.keeps or self._weights.current


async def _all_or_none(works: list[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time; when one fails, end the others before its error goes on."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
