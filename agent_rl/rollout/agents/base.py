"""Agents: who speaks in an episode. The environment is on the other side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from agent_rl.core.deadlines import Excuse
from agent_rl.core.message import Message
from agent_rl.core.outcome import StopReason
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.engines.base import Sampling

Beside = Literal["baseline", "demonstration"]
_GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True)
class Plan:
    """What one episode is: a task, which sample of it, how to sample, its seed, its place in the queue, its group.

    One of another `kind` is not one of the group's samples, but is played beside them.
    """

    name: str
    task: Task
    sample: int
    sampling: Sampling
    seed: int
    priority: int = 0
    group: str = ""
    kind: Literal["sample", "baseline", "demonstration"] = "sample"


def group_plans(
    name: str, task: Task, samples: int, sampling: Sampling, seed: int, place: int, beside: Sequence[Beside] = ()
) -> list[Plan]:
    """Return the plans of a group, seeded by its place below `seed`, its task and the sample.

    What is played `beside` the samples comes last: a baseline, whose tokens are the most likely ones, or a
    demonstration, whose tokens the environment gives.
    """
    group = f"{name}/{task.id}"
    plans = [
        Plan(f"{group}/{sample}", task, sample, sampling, derive(seed, place, task.id, sample), place, group)
        for sample in range(samples + len(beside))
    ]
    others = [replace(plan, kind=kind, sampling=_GREEDY) for plan, kind in zip(plans[samples:], beside, strict=True)]
    return plans[:samples] + others


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
