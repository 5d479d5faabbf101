"""Continuous batching in this process.

Requests join and leave between steps; a step decodes one token for every request in flight. What an episode has in the
cache stays there across its turns, so that a turn computes only what is new, and a first turn begins from the longest
prefix that any row shares.

With `deterministic` on, which step a request joins at does not depend on how long tools took: an episode whose turn
ended joins again at a step fixed by that end, and the engine waits there for it. The same requests then always meet in
the same batches, and the same run twice gives the same bits.
"""

import asyncio
from collections import deque

import torch
from transformers import PreTrainedModel

from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Finish, Generation, Request, Weights
from agent_rl.rollout.engines.embedded.forward import Forward
from agent_rl.rollout.engines.embedded.rows import Rows
from agent_rl.rollout.engines.embedded.sampling import Stream
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.rollout.engines.embedded.turns import Episode, Turn


class EmbeddedEngine:
    """Generates with a model of this process. All methods belong to the event loop's thread."""

    def __init__(
        self, model: PreTrainedModel, settings: EmbeddedSettings | None = None, shared: bool = True, sync: bool = True
    ) -> None:
        """Generate with `model`, which must have been loaded with `agent_rl`'s attention.

        Args:
            model: The model, used as it is at each step.
            settings: How to generate.
            shared: The trainer trains this very model; otherwise `update_weights` copies the weights into it.
            sync: All episodes of a batch are announced before the first request, so that `deterministic` can hold.
        """
        self.settings = settings or EmbeddedSettings()
        self.version = 0
        self._own = None if shared else dict(model.named_parameters())
        self._deterministic = sync and self.settings.deterministic
        self._paused = False
        self.steps = 0
        self._forward = Forward(model, self.settings.rows)
        self._cache = self._forward.cache
        self._rows = Rows(self._cache, self.settings.min_shared_prefix)
        self._episodes: dict[str, Episode] = {}
        self._cancelled: deque[Episode] = deque()  # episodes whose turn nobody wants any more
        self._changed = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Be ready."""

    async def stop(self) -> None:
        """End the steps."""
        if self._driver is not None:
            self._driver.cancel()

    def open(self, episode: str, again: bool = False) -> None:
        """Announce an episode; it gets a row when its turn comes, in the order of announcement, but `again` before."""
        if episode in self._episodes:
            raise ValueError(f"episode '{episode}' is open already")
        self._episodes[episode] = Episode(episode)
        self._rows.announce(self._episodes[episode], first=again)
        self._changed.set()

    def close(self, episode: str) -> None:
        """Forget an episode and free its row."""
        known = self._episodes.pop(episode, None)
        if known is None:
            return
        known.resolve(Finish.ABORT)
        self._rows.leave_front(known)
        known.closed = True  # its row is freed at the next joining, at a step that does not depend on this moment
        if not self._episodes:
            self._rows.clear()
            self.steps = 0
        self._changed.set()

    async def generate(self, request: Request) -> Generation:
        """Sample one turn of an open episode.

        Raises:
            ValueError: The request cannot be served: unknown episode, no tokens, or longer than the model's context.
            InfrastructureError: The model failed.
        """
        episode = self._episodes.get(request.episode)
        if episode is None or episode.turn is not None:
            raise ValueError(f"episode '{request.episode}' is not open or has a turn in flight")
        if not request.tokens or len(request.tokens) + request.max_new_tokens > self._cache.shape.context:
            raise ValueError(
                f"{len(request.tokens)} tokens and {request.max_new_tokens} new ones do not fit the model's context of "
                f"{self._cache.shape.context}"
            )
        request.excuse.queue()
        result: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        episode.turn = Turn(request, result, Stream(request.seed))
        self._changed.set()
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            return await result
        except asyncio.CancelledError:
            if episode.turn is not None and episode.turn.request is request:
                self._cancelled.append(episode)
                self._changed.set()
            raise

    async def pause(self) -> None:
        """Take no more steps; turns in flight freeze."""
        self._paused = True

    async def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._changed.set()

    async def update_weights(self, weights: Weights) -> None:
        """Take the weights over, unless they are shared, and drop what the old ones computed."""
        if self._own is not None:
            with torch.no_grad():
                for name, tensor in weights.tensors():
                    self._own[name].copy_(tensor)
        self.version = weights.version
        self._cache.lengths[:] = 0

    def status(self) -> str:
        """Return how many episodes generate and how many are known."""
        return f"{self._rows.active} rows generate, {len(self._rows.taken)} of {self.settings.rows} are taken" + (
            ", paused" if self._paused else ""
        )

    async def _drive(self) -> None:
        """Step while episodes are open."""
        try:
            while self._episodes:
                self._changed.clear()
                if not self._advance():
                    await self._changed.wait()
                await asyncio.sleep(0)
        except Exception as error:
            for episode in self._episodes.values():
                episode.fail(InfrastructureError("engine", f"{type(error).__name__}: {error}"))
            self._rows.active = 0

    def _advance(self) -> bool:
        """Do what can be done now; return False when only an episode's next move can bring more."""
        if self._paused:
            return False
        while self._cancelled:
            self._finish(self._cancelled.popleft(), Finish.ABORT)
        rows = self._rows
        if self.steps % self.settings.join_every == 0 or not rows.active:
            if self._unfinished_business():
                return False
            rows.sweep()
            rows.admit(self.steps)
            if self._unfinished_business():
                return False
            self._join([episode for episode in rows.waiting if episode.turn is not None and episode.due <= self.steps])
        if rows.active:
            self._sample(0, rows.generating)
            self.steps += 1
            return True
        # Nobody generates: the next joining is now, whatever step it was to be.
        later = [episode.due for episode in rows.taken if not episode.closed and episode.due > self.steps]
        self.steps = min(later, default=self.steps)
        return bool(later)

    def _unfinished_business(self) -> bool:
        """Whether an episode that is due has yet to make its move; the order of things must not depend on when."""
        return self._deterministic and any(
            episode.turn is None and not episode.closed and episode.due <= self.steps for episode in self._rows.taken
        )

    def _join(self, waiting: list[Episode]) -> None:
        """Move episodes to the front, compute what is new in their turns and sample each one's first token.

        An episode that shares more with one that joins now than with any row goes into a second pass and copies.
        """
        while waiting:
            now: list[Episode] = []
            later: list[Episode] = []
            for episode in waiting:
                (now if self._rows.reuse(episode, now) else later).append(episode)
            first = self._rows.active
            for episode in now:
                assert episode.turn is not None
                episode.turn.request.excuse.place()
                self._rows.to_front(episode)
            self._sample(first, now)
            waiting = later

    def _sample(self, first: int, episodes: list[Episode]) -> None:
        """Sample a token for each of the episodes, which have the rows from `first` on; end turns that are complete."""
        turns = [episode.turn for episode in episodes if episode.turn is not None]
        drawn = zip(*self._forward(first, turns), strict=True)
        for episode, turn, (token, logprob, support) in zip(episodes, turns, drawn, strict=True):
            finish = turn.record(token, logprob, support, self.version)
            if finish is not None:
                self._finish(episode, finish)

    def _finish(self, episode: Episode, finish: Finish) -> None:
        """End a turn; its episode keeps its row, behind those that generate, and is due at the next joining."""
        self._rows.leave_front(episode)
        every = self.settings.join_every
        episode.due = (self.steps // every + 1) * every
        episode.resolve(finish)
