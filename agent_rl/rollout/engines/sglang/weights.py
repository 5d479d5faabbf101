"""The weights of a fleet: their names at the servers, and how servers get them, all at once or one that comes back."""

import uuid

from agent_rl.clients.sglang import SOURCE
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.member import Member
from agent_rl.rollout.engines.sglang.transports import Transport
from agent_rl.rollout.engines.sglang.transports.base import Failures, each


class MovedOnError(InfrastructureError):
    """The trainer has changed the weights that a server would need; nothing is wrong with the server."""


class CurrentWeights:
    """The weights that every server in service holds.

    Attributes:
        version: Their version.
        label: Their name at the servers.
        versions: The versions of all names that a token may carry.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self.version = 0
        self.label = ""
        self.versions: dict[str, int] = {}
        # Names that no other run gives: a server may still hold what one of them called version 17.
        self._prefix = uuid.uuid4().hex[:8]
        self._weights: Weights | None = None
        self._transport: Transport | None = None

    def open(self, transport: Transport) -> None:
        """Let servers get weights by `transport`."""
        self._transport = transport

    async def close(self, serving: list[Member]) -> None:
        """Let go of everything; `serving` are the servers still in service."""
        if self._transport is not None:
            await self._transport.close(serving)

    def forget(self, member: Member) -> None:
        """A server was lost; if it comes back it knows nothing of what was before."""
        self._way.forget(member)

    def begin(self, label: str) -> None:
        """Version 0 is what the servers were started with and call `label`."""
        self.label = label
        self.versions[label] = 0

    async def prepare(self, weights: Weights) -> None:
        """Do what can be done before the servers stop for weights.

        Raises:
            UserError: They are not weights of the servers' model.
            InfrastructureError: They cannot be got.
        """
        await self._way.prepare(weights)

    def renew(self, weights: Weights) -> None:
        """Let `weights` be the current ones, under a name of their own."""
        self.version, self._weights = weights.version, weights
        self.label = f"{self._prefix}-{weights.version}"
        self.versions[self.label] = weights.version

    async def give(self, members: list[Member], paused: bool) -> Failures[Member]:
        """Give the current weights to servers, paused or not, and name them; return those that failed."""
        assert self._weights is not None

        async def begin(member: Member) -> None:
            if paused:
                await member.hold_weights()
            else:
                await member.client.pause("in_place")

        async def end(member: Member) -> None:
            await member.client.name_weights(self.label)
            if not paused:
                await member.client.resume()

        failures = await each(members, begin)
        failures |= await self._way.send([member for member in members if member not in failures], self._weights)
        await each(members, end, failures)
        return failures

    async def catch_up(self, member: Member) -> None:
        """Give the current weights to one server that is out of service, and let it go on.

        Raises:
            MovedOnError: They cannot be had any more; it is to wait for the next ones.
            InfrastructureError: It did not take them.
        """
        if self._weights is None:  # version 0: what servers are started with
            if member.facts.weight_version != self.label:
                raise InfrastructureError(SOURCE, f"it came back with weights called {member.facts.weight_version!r}")
            return
        moved_on = MovedOnError(SOURCE, "the weights have moved on; it gets the next ones")
        if self._weights.version != self.version or not self._lasting():
            raise moved_on
        await member.client.pause("in_place")
        failures = await self._way.send([member], self._weights)
        if failures:
            raise failures[member]
        if not self._lasting():  # the trainer changed them while they were sent
            raise moved_on
        await member.client.name_weights(self.label)
        await member.client.resume()

    @property
    def _way(self) -> Transport:
        assert self._transport is not None, "open has not been called"
        return self._transport

    def _lasting(self) -> bool:
        """Whether the weights can still be sent: the disk keeps its version, a trainer's tensors change."""
        return self._way.keeps or (self._weights is not None and self._weights.current)
