"""ToolEnv: the agent calls tools until it answers in plain text, or a tool finishes; then the rewards are computed."""

import asyncio
from typing import Any, ClassVar

import gymnasium

from agent_rl.core.message import Message, ToolCall, text_of, tool_call, tool_result
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, told
from agent_rl.core.task import Task
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult
from agent_rl.envs.reward import Reward
from agent_rl.tools.tool import Tool


class ToolEnv(AgentEnv):
    """An environment made of tools (`@tool`), rewards (`@reward`) and tasks (`tasks(split)`)."""

    task: Task
    messages: list[Message]
    _tools: ClassVar[list[str]] = []
    _rewards: ClassVar[list[str]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note the names of the class's tools and rewards, its bases' first, in the order of declaration."""
        super().__init_subclass__(**kwargs)
        declared: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            declared |= vars(base)
        cls._tools = [name for name, value in declared.items() if isinstance(value, Tool)]
        cls._rewards = [name for name, value in declared.items() if isinstance(value, Reward)]

    def tools(self) -> list[Tool]:
        """Return the tools of the episode: by default every `@tool` of the class, in the order of declaration."""
        return [getattr(self, name) for name in self._tools]

    def rewards(self) -> list[Reward]:
        """Return the reward components: every `@reward` of the class."""
        return [getattr(self, name) for name in self._rewards]

    def setup(self, task: Task) -> None:
        """Make what an episode of `task` needs, before its first observation: a board, a database, a secret."""

    def finish(self) -> None:
        """End the episode with the turn that is being answered: what a tool calls that has reached the goal."""
        self._finished = True

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode. `info` names the task and describes the tools for the chat template."""
        gymnasium.Env.reset(self, seed=seed)
        self.task = self.pick(options)
        self.messages = list(self.task.messages)
        self._finished = False
        if type(self).setup is not ToolEnv.setup:
            await in_thread(lambda: self.setup(self.task))
        return list(self.messages), {"task_id": self.task.id, "tools": [tool.schema() for tool in self.tools()]}

    async def astep(self, action: Message) -> StepResult:
        """Answer the tool calls of `action`, all at once and in order; without any, end with the reward."""
        self.messages.append(action)
        calls = action.get("tool_calls", [])
        invalid = action.get("invalid_tool_calls", [])
        if not calls and not invalid:
            return self._end([], action)
        results = await self._answers(calls)
        errors = [
            tool_result(f"Error: {bad['error']}", tool_call("", {}, len(calls) + i)) for i, bad in enumerate(invalid)
        ]
        observation = [*results, *errors]
        self.messages.extend(observation)
        if self._finished:
            return self._end(observation, action)
        return observation, 0.0, False, False, {"components": {}}

    def _end(self, observation: list[Message], action: Message) -> StepResult:
        """Score the episode, whose last turn was `action`."""
        components = self._score(action)
        reward = sum(part.weight * components[part.name] for part in self.rewards())
        return observation, reward, True, False, {"components": components}

    async def _answers(self, calls: list[ToolCall]) -> list[Message]:
        """Call the tools of one turn side by side; when one fails, the others are not left running."""
        answers = [asyncio.ensure_future(self._answer(call)) for call in calls]
        try:
            return await asyncio.gather(*answers)
        finally:
            for answer in answers:
                answer.cancel()

    async def _answer(self, call: ToolCall) -> Message:
        tools = {tool.name: tool for tool in self.tools()}
        name = call["function"]["name"]
        if name not in tools:
            known = ", ".join(tools) or "none"
            return tool_result(f"Error: there is no tool '{name}' (there are: {known})", call)
        return await tools[name].call(call)

    def _score(self, action: Message) -> dict[str, float]:
        episode = {"task": self.task, "answer": text_of(action), "messages": self.messages}
        return {part.name: _scored(part, episode) for part in self.rewards()}


def _scored(part: Reward, episode: dict[str, Any]) -> float:
    try:
        return part(**episode)
    except EpisodeError:
        raise
    except Exception as error:
        raise BrokenEnvironmentError(part.name, told(error)) from error
