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
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel

from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Finish, Generation, Request, Weights
from agent_rl.rollout.engines.embedded.cache import Extension, RowCache, Shape
from agent_rl.rollout.engines.embedded.sampling import Stream, draw
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings


@dataclass
class _Turn:
    """A request in flight and what it has sampled."""

    request: Request
    result: asyncio.Future[Generation]
    stream: Stream
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)


@dataclass
class _Episode:
    """An episode the engine knows: its row, its turn, and the step it is due at."""

    name: str
    row: int | None = None
    turn: _Turn | None = None
    due: int = 0
    closed: bool = False


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
        config = model.config.get_text_config()
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = Shape(config.num_hidden_layers, config.num_key_value_heads, width, config.max_position_embeddings)
        self._decoder = model.get_decoder()
        self._head = model.get_output_embeddings()
        self._cache = RowCache(shape, self.settings.rows, model.dtype, model.device)
        self._episodes: dict[str, _Episode] = {}
        self._rows: list[_Episode] = []  # the episode of each row in use
        self._unplaced: deque[_Episode] = deque()  # episodes that were announced and have no row yet
        self._cancelled: deque[_Episode] = deque()  # episodes whose turn nobody wants any more
        self._active = 0  # rows in front that generate
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
        self._episodes[episode] = _Episode(episode)
        (self._unplaced.appendleft if again else self._unplaced.append)(self._episodes[episode])
        self._changed.set()

    def close(self, episode: str) -> None:
        """Forget an episode and free its row."""
        known = self._episodes.pop(episode, None)
        if known is None:
            return
        if known.turn is not None:
            self._resolve(known, Finish.ABORT)
        self._leave_front(known)
        known.closed = True  # its row is freed at the next joining, at a step that does not depend on this moment
        if not self._episodes:
            self._rows, self._active, self.steps = [], 0, 0
            self._unplaced.clear()
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
        episode.turn = _Turn(request, result, Stream(request.seed))
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
        return f"{self._active} rows generate, {len(self._rows)} of {self.settings.rows} are taken" + (
            ", paused" if self._paused else ""
        )

    # --- the steps ---------------------------------------------------------------------------------------------------

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
                if episode.turn is not None and not episode.turn.result.done():
                    episode.turn.result.set_exception(InfrastructureError("engine", f"{type(error).__name__}: {error}"))
                    episode.turn = None
            self._active = 0

    def _advance(self) -> bool:
        """Do what can be done now; return False when only an episode's next move can bring more."""
        if self._paused:
            return False
        while self._cancelled:
            self._finish(self._cancelled.popleft(), Finish.ABORT)
        if self.steps % self.settings.join_every == 0 or not self._active:
            if self._unfinished_business():
                return False
            self._sweep()
            self._admit()
            if self._unfinished_business():
                return False
            waiting = [e for e in self._rows[self._active :] if e.turn is not None and e.due <= self.steps]
            self._join(waiting)
        if self._active:
            self._decode()
            return True
        # Nobody generates: the next joining is now, whatever step it was to be.
        later = [e.due for e in self._rows if not e.closed and e.due > self.steps]
        self.steps = min(later, default=self.steps)
        return bool(later)

    def _unfinished_business(self) -> bool:
        """Whether an episode that is due has yet to make its move; the order of things must not depend on when."""
        return self._deterministic and any(
            episode.turn is None and not episode.closed and episode.due <= self.steps for episode in self._rows
        )

    def _sweep(self) -> None:
        """Free the rows of closed episodes: the last row in use moves into the hole."""
        for hole in sorted((e.row for e in self._rows if e.closed and e.row is not None), reverse=True):
            last = self._rows.pop()
            if last.row != hole:
                self._cache.copy_prefix(len(self._rows), hole, int(self._cache.lengths[len(self._rows)]))
                self._rows[hole], last.row = last, hole

    def _admit(self) -> None:
        """Give free rows to episodes that have none, in the order in which they were announced."""
        while self._unplaced and len(self._rows) < self.settings.rows:
            episode = self._unplaced.popleft()
            if episode.closed:
                continue
            episode.row = len(self._rows)
            episode.due = self.steps
            self._cache.lengths[episode.row] = 0
            self._rows.append(episode)

    def _join(self, waiting: list[_Episode]) -> None:
        """Move episodes to the front, compute what is new in their turns and sample each one's first token.

        An episode that shares more with one that joins now than with any row goes into a second pass and copies.
        """
        while waiting:
            now: list[_Episode] = []
            later: list[_Episode] = []
            for episode in waiting:
                (now if self._reuse(episode, now) else later).append(episode)
            first = self._active
            for episode in now:
                assert episode.row is not None and episode.turn is not None
                episode.turn.request.excuse.place()
                self._exchange(episode.row, self._active)
                self._active += 1
            self._forward(first, now)
            waiting = later

    def _reuse(self, episode: _Episode, joining: list[_Episode]) -> bool:
        """Bring into the row what the cache has of the episode's tokens; False when waiting would bring more."""
        assert episode.turn is not None and episode.row is not None
        tokens = np.asarray(episode.turn.request.tokens)
        own = _common(self._cache.tokens[episode.row, : self._cache.lengths[episode.row]], tokens)
        row, shared = (episode.row, own) if own else self._cache.longest_prefix(tokens, len(self._rows))
        if not own:
            soon = max((_common(np.asarray(o.turn.request.tokens), tokens) for o in joining if o.turn), default=0)
            if soon > shared and soon >= self.settings.min_shared_prefix:
                return False
        usable = min(shared, len(tokens) - 1)  # the last token is always computed: its logits are needed
        if row != episode.row and usable >= self.settings.min_shared_prefix:
            self._cache.copy_prefix(row, episode.row, usable)
        else:
            self._cache.lengths[episode.row] = usable if row == episode.row else 0
        return True

    def _decode(self) -> None:
        self._forward(0, self._rows[: self._active])
        self.steps += 1

    @torch.inference_mode()
    def _forward(self, first: int, episodes: list[_Episode]) -> None:
        """Compute what rows `[first, first + B)` have not computed yet and sample a token for each."""
        turns = [episode.turn for episode in episodes if episode.turn is not None]
        starts = self._cache.lengths[first : first + len(episodes)].copy()
        new = [_uncomputed(turn, int(start)) for turn, start in zip(turns, starts, strict=True)]
        counts = np.array([len(tokens) for tokens in new])
        self._cache.reserve(int((starts + counts).max()) + 1)
        tokens = np.zeros((len(new), int(counts.max())), dtype=np.int64)
        for i, row in enumerate(new):
            tokens[i, : len(row)] = row
            self._cache.tokens[first + i, starts[i] : starts[i] + len(row)] = row
        extension = Extension(self._cache, first, starts, counts)
        ids = torch.from_numpy(tokens).to(self._cache.data.device)
        hidden = self._decoder(
            input_ids=ids, position_ids=extension.positions, use_cache=False, slots=extension
        ).last_hidden_state
        self._cache.lengths[first : first + len(episodes)] = starts + counts
        last = hidden[torch.arange(len(new)), torch.from_numpy(counts - 1)]
        sampled, logprobs = draw(
            self._head(last), [turn.request.sampling for turn in turns], [turn.stream.next() for turn in turns]
        )
        self._record(episodes, sampled.tolist(), logprobs.tolist())

    def _record(self, episodes: list[_Episode], tokens: list[int], logprobs: list[float]) -> None:
        """Append what was sampled and end the turns that are complete."""
        for episode, token, logprob in zip(episodes, tokens, logprobs, strict=True):
            turn = episode.turn
            assert turn is not None
            turn.tokens.append(token)
            turn.logprobs.append(logprob)
            turn.versions.append(self.version)
            if token in turn.request.stop_tokens:
                self._finish(episode, Finish.STOP)
            elif len(turn.tokens) == turn.request.max_new_tokens:
                self._finish(episode, Finish.LENGTH)

    # --- rows and turns ----------------------------------------------------------------------------------------------

    def _finish(self, episode: _Episode, finish: Finish) -> None:
        """End a turn; its episode keeps its row, behind those that generate, and is due at the next joining."""
        self._leave_front(episode)
        every = self.settings.join_every
        episode.due = (self.steps // every + 1) * every
        self._resolve(episode, finish)

    def _leave_front(self, episode: _Episode) -> None:
        if episode.row is not None and episode.row < self._active:
            self._active -= 1
            self._exchange(episode.row, self._active)

    def _exchange(self, one: int, other: int) -> None:
        self._cache.swap(one, other)
        rows = self._rows
        rows[one], rows[other] = rows[other], rows[one]
        rows[one].row, rows[other].row = one, other

    @staticmethod
    def _resolve(episode: _Episode, finish: Finish) -> None:
        turn, episode.turn = episode.turn, None
        if turn is not None and not turn.result.done():
            turn.result.set_result(Generation(turn.tokens, turn.logprobs, finish, turn.versions))


def _uncomputed(turn: _Turn, start: int) -> list[int]:
    """Return the turn's tokens from position `start` on."""
    known = len(turn.request.tokens)
    return turn.tokens[start - known :] if start >= known else turn.request.tokens[start:] + turn.tokens


def _common(one: np.ndarray, other: np.ndarray) -> int:
    """Return the length of the longest common prefix of two `[S]` arrays."""
    limit = min(len(one), len(other))
    differs = one[:limit] != other[:limit]
    return int(differs.argmax()) if differs.any() else limit
