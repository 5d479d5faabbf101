"""What supervised training learns from: demonstrations that an environment makes, or examples that are there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

import yaml
from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.manifest import newest_whole
from agent_rl.core.rows import numbered_rows
from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Trajectory
from agent_rl.envs.base import AgentEnv
from agent_rl.models.loading import load_tokenizer
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.conversations import read_conversation, sequence
from agent_rl.trainer.sft_settings import SftConfig

Example = tuple[list[int], list[bool]]
"""The tokens of a conversation, and a mask that is true at those that are trained."""


class Source(Protocol):
    """Hands out batches."""

    steps: int
    """How many there are."""

    def batch(self, step: int) -> list[Example]:
        """Return the examples of a step, counted from 0."""
        ...


class Demonstrations:
    """Demonstrations of an environment, of which none comes twice."""

    def __init__(self, config: SftConfig, env: AgentEnv, renderer: Renderer) -> None:
        """Let `env` demonstrate."""
        self.steps = config.sft.steps or config.sft.default_steps
        self._config, self._env, self._renderer = config, env, renderer

    def batch(self, step: int) -> list[Example]:
        """Return the examples of a step, counted from 0."""
        shown = [self._env.demonstrate(self._stream(step, number)) for number in range(self._config.sft.batch)]
        return [sequence(demonstration, self._renderer) for demonstration in shown]

    def _stream(self, step: int, number: int) -> Random:
        return Random(derive(self._config.seed, "sft", step, number))


class Examples:
    """Examples that are there, in another order every epoch."""

    def __init__(self, examples: Sequence[Example], config: SftConfig) -> None:
        """Deal out `examples`, at least one."""
        self._examples, self._size, self._seed = examples, config.sft.batch, config.seed
        self._each = math.ceil(len(examples) / self._size)
        self.steps = config.sft.steps or self._each * (config.sft.epochs or 1)

    def batch(self, step: int) -> list[Example]:
        """Return the examples of a step, counted from 0; the last one of an epoch may have fewer."""
        epoch, part = divmod(step, self._each)
        order = list(range(len(self._examples)))
        Random(derive(self._seed, "sft/order", epoch)).shuffle(order)
        return [self._examples[i] for i in order[part * self._size : (part + 1) * self._size]]


@dataclass
class Read:
    """What was read from `sft.data`.

    Attributes:
        examples: To train on.
        unfit: How many were longer than `most` tokens, and are left out.
        unlike: How many episodes of a run failed or had too small a reward, and are left out.
        most: Tokens that an example may have.
    """

    examples: list[Example]
    most: int
    unfit: int = 0
    unlike: int = 0

    def add(self, tokens: list[int], mask: list[bool]) -> None:
        """Take an example in if it fits."""
        if len(tokens) > self.most:
            self.unfit += 1
        else:
            self.examples.append((tokens, mask))

    def __str__(self) -> str:
        """Say what was read in a line."""
        left = [f"{self.unfit} longer than {self.most} tokens"] * bool(self.unfit)
        left += [f"{self.unlike} that failed or had less reward"] * bool(self.unlike)
        trained = sum(sum(mask) for _, mask in self.examples)
        said = f"{len(self.examples)} examples, {sum(len(tokens) for tokens, _ in self.examples)} tokens"
        return f"{said}, {trained} of them trained" + (f"; left out: {', '.join(left)}" if left else "")


def read_data(config: SftConfig, renderer: Renderer, context: int) -> Read:
    """Return the examples of `sft.data`: a run, or a file of conversations.

    Args:
        config: Says which, and what is left out.
        renderer: Makes tokens of conversations; those of a run are used as they were sampled.
        context: Tokens that the model reads.

    Raises:
        UserError: There is none, a row is no conversation (the message says which), or nothing is left.
    """
    place, most = Path(str(config.sft.data)), min(context, config.sft.max_tokens or context)
    read = Read([], most)
    if place.is_dir():
        _read_run(RunFolder.open(place), config.sft.min_reward, renderer.tokenizer, read)
    elif config.sft.min_reward is not None:
        raise UserError("'sft.min_reward' has no effect on a file: the trajectories of a run have rewards")
    else:
        _read_file(place, renderer, read)
    if not read.examples:
        raise UserError(f"{place} has nothing to train on: {read}")
    return read


def _read_file(file: Path, renderer: Renderer, read: Read) -> None:
    for number, row in numbered_rows(file):
        try:
            read.add(*sequence(read_conversation(row), renderer))
        except (ValueError, UserError) as error:
            raise UserError(f"{file}, line {number}: {error}") from error


def _read_run(folder: RunFolder, min_reward: float | None, tokenizer: PreTrainedTokenizerBase, read: Read) -> None:
    _same_tokens(folder, tokenizer)
    for file in sorted(folder.trajectories.glob("step_*.jsonl.zst")):
        try:
            for episode in _episodes(read_trajectories(file)):
                reward = sum(part.reward for part in episode)
                good = min_reward is None or reward >= min_reward
                if not (good and all(part.usable for part in episode)):
                    read.unlike += 1
                    continue
                for part in episode:
                    if any(part.loss_mask):
                        read.add(part.tokens, part.loss_mask)
        except UserError:
            raise
        except Exception as error:  # zstandard, json and dataclasses raise types of their own for damaged files
            raise UserError(f"the trajectories in {file} cannot be read: {error}") from error


def _episodes(trajectories: Iterator[Trajectory]) -> Iterator[list[Trajectory]]:
    """Yield the parts of each episode, which lie side by side."""
    episode: list[Trajectory] = []
    for trajectory in trajectories:
        if episode and trajectory.part == 0:
            yield episode
            episode = []
        episode.append(trajectory)
    if episode:
        yield episode


def _same_tokens(folder: RunFolder, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a run whose tokens mean other texts to the model."""
    kept = newest_whole(folder.checkpoints)
    if kept is None:
        recorded = yaml.safe_load(folder.config_yaml.read_text(encoding="utf-8"))
        path = recorded["model"]["path"]
    else:
        path = str(kept)
    if load_tokenizer(ModelSettings(path=path)).get_vocab() != tokenizer.get_vocab():
        raise UserError(f"the tokens of {folder.path} are those of another tokenizer than the model's")
