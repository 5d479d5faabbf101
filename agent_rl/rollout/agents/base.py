"""Agents: who speaks in an episode. The environment is on the other side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent_rl.core.deadlines import Excuse
from agent_rl.core.message import Message
from agent_rl.core.outcome import StopReason
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.engines.base import Sampling


@dataclass(frozen=True)
class Plan:
    """What one episode is: a task, which sample of it, how to sample, its seed, its place in the queue, its group.

    With `baseline` it is not one of the group's samples, but what they are compared with.
    """

    name: str
    task: Task
    sample: int
    sampling: Sampling
    seed: int
    priority: int = 0
    group: str = ""
    baseline: bool = False


def group_plans(
    name: str, task: Task, samples: int, sampling: Sampling, seed: int, place: int, baseline: bool = False
) -> list[Plan]:
    """Return the plans of a group, seeded by its place below `seed`, its task and the sample.

    With `baseline` one more comes last, whose tokens are the most likely ones.
    """
    group = f"{name}/{task.id}"
    kinds = [sampling] * samples + [Sampling(temperature=0.0)] * baseline
    return [
        Plan(f"{group}/{i}", task, i, kind, derive(seed, place, task.id, i), place, group, baseline=i == samples)
        for i, kind in enumerate(kinds)
    ]


@dataclass(frozen=True)
class Action:
    """What an agent said.

    Attributes:
        message: The message.
        cut: Why it was cut short, if it was.
        prompt_tokens: Tokens of the conversation before it, and
        completion_tokens: its own, as an agent without tokens was told; 0 where the trajectory holds the tokens.
    """

    message: Message
    cut: StopReason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Agent(Protocol):
    """Says one message a turn. One agent lives as long as one episode."""

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Begin a conversation that is recorded in `trajectory`; again when the environment rewrote the context."""
        ...

    async def act(self, number: int) -> Action | None:
        """Say what is said in turn `number` of the episode, from 0; None when the episode's tokens are used up."""
        ...

    def hear(self, messages: Sequence[Message]) -> bool:
        """Take the environment's answer; False when it does not fit into the episode's tokens."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has for the one who speaks, as closely as is known."""
        ...

    def end(self) -> None:
        """Let go of what the episode held."""
        ...


MakeAgent = Callable[[Plan, Excuse], Agent]
"""Makes the agent of a plan; what the second argument counts does not count for its deadlines."""
