"""SteppedEnv: what tool calls do to a game decides its rewards and its end, not the agent's falling silent."""

from typing import Any, ClassVar

from agent_rl.core.message import Message, text_of, tool_call, tool_result, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.adapters.rows import check_split
from agent_rl.envs.base import StepResult
from agent_rl.envs.tool_env import ToolEnv

OVER = "Error: the episode is over; this was not done."


class SteppedEnv(ToolEnv):
    """An environment whose tools add to `gained` and set `terminated` and `truncated`."""

    GO_ON: ClassVar[str] = "Error: call a tool to go on."
    """The answer to a message without a call."""

    def __init__(self, **settings: Any) -> None:
        """Begin with nothing gained."""
        super().__init__(**settings)
        self.gained, self.terminated, self.truncated = 0.0, False, False

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated

    def setup(self, task: Task) -> None:
        """Begin anew."""
        self.terminated = self.truncated = False

    async def spoken(self, content: str) -> str:
        """Return the answer to a message without a call."""
        return self.GO_ON

    async def astep(self, action: Message) -> StepResult:
        """Answer the calls of one turn in their order; the reward is what they gained together."""
        self.gained = 0.0
        calls, invalid = action.get("tool_calls", []), action.get("invalid_tool_calls", [])
        answers = [await self._answer(call) for call in calls]  # one after the other: each changes the game
        for number, bad in enumerate(invalid, len(calls)):
            answers.append(tool_result(f"Error: {bad['error']}", tool_call("", {}, number)))
        if not answers:
            answers.append(user(await self.spoken(text_of(action))))
        self.messages += [action, *answers]
        return answers, self.gained, self.terminated, self.truncated, {"components": {}}


def seeded_tasks(split: str, train: int, test: int) -> TaskSet:
    """Return a task for each seed of `split`, the even ones for "train"; their messages are made at the reset."""
    check_split(split)
    first, size = (0, train) if split == "train" else (1, test)
    return TaskSet([Task(f"seed-{n}", (), data={"seed": n}) for n in range(first, first + 2 * size, 2)], split)
