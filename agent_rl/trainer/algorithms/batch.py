"""What an estimator sees of a step: its episodes as flat tensors.

Shapes: `E` usable episodes, `T` trajectories that sampled anything, `U` turns, `A` trained tokens. Turns and tokens of
all trajectories lie one behind the other. An episode that became several trajectories is one episode.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import nan
from typing import NamedTuple

import torch
from torch import Tensor

from agent_rl.core.trajectory import Group, Origin, Trajectory


@dataclass(frozen=True)
class Batch:
    """The usable episodes of a step.

    Attributes:
        trajectories: Those that sampled anything, the parts of an episode and the episodes of a group side by side.
        groups: The group of each episode, `[E]`, counted from 0.
        rewards: The reward of each episode, `[E]`, float64.
        components: The reward components of each episode by name, before weighting, `[E]`, float64.
        episodes: The episode of each trajectory, `[T]`.
        turn_rewards: The reward of each turn, `[U]`, float64.
        turn_trajectories: The trajectory of each turn, `[U]`.
        turn_states: What the policy read just before each turn, `[U]`: turns of a group have the same number when the
            same tokens were put in front of them last.
        turns: The turn of each trained token, `[A]`.
        guided: 1 where the environment itself has shown the episode, `[E]`, float64.
        baselines: The reward of the greedy episode that each is compared with, `[E]`, float64; NaN where there is none.
        notes: What workers have computed for each trained token, by name, `[A]`, such as `reference`, `values`.
    """

    trajectories: list[Trajectory]
    groups: Tensor
    rewards: Tensor
    components: dict[str, Tensor]
    episodes: Tensor
    turn_rewards: Tensor
    turn_trajectories: Tensor
    turn_states: Tensor
    turns: Tensor
    baselines: Tensor
    guided: Tensor
    notes: dict[str, Tensor] = field(default_factory=dict)

    @property
    def lengths(self) -> list[int]:
        """Trained tokens of each trajectory, `[T]`."""
        return torch.bincount(self.turn_trajectories[self.turns], minlength=len(self.trajectories)).tolist()

    @property
    def engine_logprobs(self) -> Tensor:
        """Log-probability (nats) with which the engine sampled each trained token, `[A]`, float64."""
        return _floats(logprob for trajectory in self.trajectories for logprob in trajectory.drawn_logprobs)

    @property
    def old_logprobs(self) -> Tensor:
        """Log-probability (nats) that ratios are measured against, `[A]`: the note `old`, or the engine's."""
        old = self.notes.get("old")
        return self.engine_logprobs if old is None else old

    @property
    def episode_lengths(self) -> Tensor:
        """Trained tokens of each episode, `[E]`; they lie one behind the other."""
        return torch.bincount(self.turn_episodes[self.turns], minlength=len(self.rewards))

    @property
    def token_rewards(self) -> Tensor:
        """The reward of each turn at its last token, 0 at the others, `[A]`, float64."""
        last = torch.bincount(self.turns, minlength=len(self.turn_rewards)).cumsum(0) - 1
        return torch.zeros(len(self.turns), dtype=torch.float64).index_add(0, last, self.turn_rewards)

    @property
    def turn_episodes(self) -> Tensor:
        """The episode of each turn, `[U]`."""
        return self.episodes[self.turn_trajectories]

    @property
    def turn_groups(self) -> Tensor:
        """The group of each turn, `[U]`."""
        return self.groups[self.turn_episodes]

    def by_episode(self, values: Tensor) -> Tensor:
        """Return a value of each episode, `[E]`, at each of its trained tokens, `[A]`."""
        return self.by_turn(values[self.turn_episodes])

    def by_turn(self, values: Tensor) -> Tensor:
        """Return a value of each turn, `[U]`, at each of its trained tokens, `[A]`."""
        return values[self.turns]

    def noted(self, **notes: Tensor) -> "Batch":
        """Return the batch with what a worker has computed."""
        return replace(self, notes=self.notes | notes)


def make_batch(groups: Sequence[Group]) -> Batch:
    """Return what there is to learn from in the groups of a step."""
    usable = [(i, episode) for i, group in enumerate(groups) for episode in [*group.comparable, *group.shown]]
    trajectories = [(e, part) for e, (_, parts) in enumerate(usable) for part in parts if part.action_logprobs]
    names = sorted({name for _, episode in usable for part in episode for name in part.components})
    turns = [(t, turn) for t, (_, trajectory) in enumerate(trajectories) for turn in _turns(trajectory)]
    states: dict[tuple[int, tuple[int, ...]], int] = {}
    bases = [nan if group.baseline_reward is None else group.baseline_reward for group in groups]
    shown = ((usable[trajectories[t][0]][0], turn.shown) for t, turn in turns)
    return Batch(
        trajectories=[trajectory for _, trajectory in trajectories],
        groups=torch.tensor([number for number, _ in usable], dtype=torch.long),
        rewards=_floats(sum(part.reward for part in episode) for _, episode in usable),
        components={
            name: _floats(sum(part.components.get(name, 0.0) for part in episode) for _, episode in usable)
            for name in names
        },
        episodes=torch.tensor([e for e, _ in trajectories], dtype=torch.long),
        turn_rewards=_floats(turn.reward for _, turn in turns),
        turn_trajectories=torch.tensor([t for t, _ in turns], dtype=torch.long),
        turn_states=torch.tensor([states.setdefault(state, len(states)) for state in shown], dtype=torch.long),
        turns=torch.tensor([u for u, (_, turn) in enumerate(turns) for _ in range(turn.size)], dtype=torch.long),
        baselines=_floats(bases[number] for number, _ in usable),
        guided=_floats(episode is groups[number].demonstration for number, episode in usable),
    )


class _Turn(NamedTuple):
    """A turn: its reward, the tokens that were put in front of it, and how many it sampled."""

    reward: float
    shown: tuple[int, ...]
    size: int


def _turns(trajectory: Trajectory) -> Iterator[_Turn]:
    rewards = iter(trajectory.turns)
    for before, segment in pairwise(trajectory.segments):
        if segment.origin is Origin.ACTION:
            yield _Turn(next(rewards).reward, before.tokens, len(segment.tokens))


def _floats(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
