"""The servers of an engine: started or given, watched, mended, and all at the same weights.

A server is in service only while it is known to answer and to hold the current weights; whatever goes wrong with one
takes it out first and is looked into afterwards, while the others go on.
"""

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from agent_rl.clients.sglang import SOURCE
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.arrival import CONNECTIONS, all_or_none, check, members_of
from agent_rl.rollout.engines.sglang.balancer import Balancer
from agent_rl.rollout.engines.sglang.member import GivenUpError, Member
from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.engines.sglang.transports import make_transport
from agent_rl.rollout.engines.sglang.transports.base import Failures, each
from agent_rl.rollout.engines.sglang.weights import CurrentWeights, MovedOnError

logger = logging.getLogger(__name__)
_RETRY_SECONDS = 2.0


class Fleet:
    """All servers of an engine. Its methods belong to one event loop.

    Attributes:
        balancer: Hands out the servers in service.
        weights: What they hold.
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
        self.weights = CurrentWeights()
        self.paused = False
        self.going = asyncio.Event()
        self._model, self._folder, self._gpus = model, folder, gpus
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
        self.weights.open(make_transport(self.settings, self._folder / "weights"))
        self._members = members_of(self.settings, self._model, self._folder, self._gpus)
        try:
            await all_or_none([member.come_up(self.settings.startup_seconds) for member in self._members])
            check(self._members, self.settings)
        except BaseException:
            await self.stop()
            raise
        self.weights.begin(self._members[0].facts.weight_version)
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
        await self.weights.close(serving)
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
        async with self._lock:
            await self.weights.prepare(weights)
            members = self.balancer.places
            self._hold()  # what is sent now would be computed from prefixes of the old weights
            self.weights.renew(weights)
            try:
                failures = await self._give(members)
            finally:
                if not self.paused:
                    self._free()
        if members and len(failures) == len(members):
            raise InfrastructureError(SOURCE, f"no server took the weights: {next(iter(failures.values())).message}")

    async def _give(self, members: list[Member]) -> Failures[Member]:
        """Give the current weights to servers; lose those that fail."""
        try:
            failures = await self.weights.give(members, self.paused)
        except BaseException as error:
            for member in members:
                self.lose(member, "an update of the weights broke off", tainted=True)
            if isinstance(error, UserError) or not isinstance(error, Exception):
                raise
            raise InfrastructureError(SOURCE, f"the weights cannot be sent: {type(error).__name__}: {error}") from error
        self._lose_all(failures, "update of the weights")
        return failures

    def _hold(self) -> None:
        self.balancer.hold()
        self.going.clear()

    def _free(self) -> None:
        self.going.set()
        self.balancer.free()

    # --- coming, going, coming back -----------------------------------------------------------------------------------

    def _enlist(self, member: Member) -> None:
        member.trouble = ""
        self.balancer.add(member, self.settings.requests_per_server or min(member.facts.slots, CONNECTIONS))

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
        self.weights.forget(member)
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
                tainted = not isinstance(error, MovedOnError)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _bring_up_to_date(self, member: Member, unknown: bool) -> None:
        """Give the server the current weights unless it is known to have them, and pause it if the others are."""
        await member.ask()
        if unknown or member.facts.weight_version != self.weights.label:
            await self.weights.catch_up(member)
        if self.paused:
            await member.park(self.settings.colocated)
