"""The engine over SGLang servers."""

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from agent_rl.clients.http import UnreachableError
from agent_rl.clients.sglang import Answer, new_id
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Generation, Request, Weights
from agent_rl.rollout.engines.sglang.answers import check_request, read, sampling_params
from agent_rl.rollout.engines.sglang.fleet import Fleet
from agent_rl.rollout.engines.sglang.member import Member
from agent_rl.rollout.engines.sglang.settings import SglangSettings

# An abort that meets a request which the server has received but not begun is lost, and every later one with it.
_BEFORE_ABORT_SECONDS = 0.1
_AFTER_ABORT_SECONDS = 30.0


class SglangEngine:
    """Generates with SGLang servers, ours or given ones. All methods belong to one event loop."""

    def __init__(self, settings: SglangSettings, model: str, vocabulary: int, folder: Path) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            settings: See there.
            model: The folder (Hugging Face format) or the hub's name of the model that servers of ours start with.
            vocabulary: Rows of its embedding: a server that is sent a token beyond them dies.
            folder: For logs and, with `weight_transport=disk`, weights; given servers must see it under the same path.
        """
        self.settings = settings
        self._vocabulary = vocabulary
        self._fleet = Fleet(settings, model, folder, gpus=torch.cuda.is_available())

    @property
    def version(self) -> int:
        """The version of the weights that requests are sampled with now."""
        return self._fleet.weights.version

    @property
    def urls(self) -> list[str]:
        """Where the servers listen, in service or not."""
        return self._fleet.urls

    async def start(self) -> None:
        """Start the servers, or find the given ones.

        Raises:
            UserError: The settings do not fit the servers.
            InfrastructureError: One did not come up; the last lines of its log are in the text.
        """
        await self._fleet.start()

    async def stop(self) -> None:
        """End servers of ours; leave given ones running, unpaused."""
        await self._fleet.stop()

    def open(self, episode: str, again: bool = False) -> None:
        """Nothing to do: an episode gets a server with its first request."""

    def close(self, episode: str) -> None:
        """Forget where the episode's prefix is cached."""
        self._fleet.balancer.forget(episode)

    async def pause(self) -> None:
        """Sample nothing until `resume`: requests in flight freeze, or end as aborted when colocated."""
        await self._fleet.pause()

    async def resume(self) -> None:
        """Go on after `pause`."""
        await self._fleet.resume()

    async def update_weights(self, weights: Weights) -> None:
        """Sample with `weights` from the next token on, requests in flight included.

        These keep the keys and values that older weights computed; later requests compute theirs anew. `weights` must
        stay as they are until the next call: a server that comes back gets them again.

        Raises:
            InfrastructureError: The weights cannot be got, or no server took them.
        """
        await self._fleet.update(weights)

    def status(self) -> str:
        """Return how many servers serve, what runs and waits, and what is wrong with the others."""
        balancer, troubles = self._fleet.balancer, self._fleet.troubles()
        serving = len(balancer.places)
        state = ", paused" if self._fleet.paused else ""
        words = f"sglang: {serving} of {serving + len(troubles)} servers{state}, {balancer.running} requests running, "
        return "; ".join([words + f"{balancer.waiting} waiting", *troubles])

    async def generate(self, request: Request) -> Generation:
        """Sample one turn.

        Raises:
            ValueError: The request can never be served: no tokens, unknown ones, or more than a server takes.
            InfrastructureError: It was not served by `attempts` servers, or an answer was not true.
        """
        check_request(request, self._vocabulary, self._fleet.longest)
        arrival = self._fleet.balancer.arrival()
        tokens: list[int] = []
        logprobs: list[float] = []
        versions: list[int] = []
        began: int | None = None
        while True:
            # A model's own end-of-text ends generations also where the request does not name it: go on behind it.
            said, go_on = await self._attempt(request, tokens, arrival)
            tokens, logprobs = tokens + said.tokens, logprobs + said.logprobs
            versions = versions + said.weight_versions
            began = said.began if began is None else began
            if not go_on:
                return Generation(tokens, logprobs, said.finish, versions, began)

    async def _attempt(self, request: Request, done: list[int], arrival: int) -> tuple[Generation, bool]:
        """Ask one server after the other until one answers."""
        failures = 0
        new = request.max_new_tokens - len(done)
        while True:
            request.excuse.queue()
            member = await self._fleet.balancer.take(request.episode, request.priority, arrival)
            request.excuse.place()
            rid = new_id()
            began = self._fleet.weights.version
            params = sampling_params(request, new, member.facts.seeds)
            call = asyncio.create_task(
                member.client.generate(rid, request.tokens + done, params, self._fleet.weights.label), name=rid
            )
            call.add_done_callback(partial(self._give_back, member))
            try:
                answer = await asyncio.shield(call)
            except asyncio.CancelledError:
                self._fleet.background(self._abort(member, rid, call))
                raise
            except UnreachableError as error:
                self._fleet.lose(member, error.message)
                failures += 1
                if failures == self.settings.attempts:
                    raise InfrastructureError(error.source, f"{failures} attempts: {error.message}") from error
                continue
            said, go_on = read(answer, rid, request, new, self._vocabulary, self._fleet.weights.versions)
            return replace(said, began=began), go_on

    def _give_back(self, member: Member, call: "asyncio.Task[Answer]") -> None:
        self._fleet.balancer.give_back(member)
        if not call.cancelled():
            call.exception()  # nobody may be left who asks for it

    async def _abort(self, member: Member, rid: str, call: "asyncio.Task[Answer]") -> None:
        """End a request that nobody waits for; its place is taken until the server has let go of it."""
        try:
            await asyncio.sleep(_BEFORE_ABORT_SECONDS)
            await self._fleet.going.wait()  # a paused server loses aborts of requests that it has not begun
            if not call.done():
                with contextlib.suppress(InfrastructureError):
                    await member.client.abort(rid)
                await asyncio.wait([call], timeout=_AFTER_ABORT_SECONDS)
        finally:
            call.cancel()  # closes the connection, which the server notices within seconds
            await asyncio.gather(call, return_exceptions=True)
