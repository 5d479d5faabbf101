"""Episodes whose agent says what it was told to say: a real `Episode`, and no model."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agent_rl import Task, ToolEnv
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message, assistant, user
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.agents import Plan
from agent_rl.rollout.agents.base import Action
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.episode import Episode

TASK = Task("t", (user("Go on."),), "")


class Talker:
    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = [*messages, assistant("done")]

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        pass

    async def act(self, number: int) -> Action:
        return Action(self._messages[number])

    def hear(self, messages: Sequence[Message]) -> bool:
        return True

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def end(self) -> None:
        pass


async def play(
    make_env: Callable[[], ToolEnv],
    *messages: Message,
    name: str = "e/0",
    group: str = "e",
    task: Task = TASK,
    **limits: Any,
) -> Trajectory:
    plan = Plan(name, task, 0, Sampling(), 0, group=group)
    (trajectory,) = await Episode(plan, make_env, Talker(messages), Limits(**limits)).play()
    return trajectory


def answers(trajectory: Trajectory) -> list[str]:
    return [message["content"] for message in trajectory.messages if message["role"] == "tool"]


def run(*episodes: Any) -> list[Trajectory]:
    async def together() -> list[Trajectory]:
        return await asyncio.gather(*episodes)

    return asyncio.run(together())
