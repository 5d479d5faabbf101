"""ToolEnv: the agent calls tools until it answers in plain text, or a tool finishes; then the rewards are computed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
from pydantic import NonPositiveFloat, PositiveInt, ValidationError

from agent_rl.core.deadlines import waiting_for
from agent_rl.core.message import Message, ToolCall, text_of, tool_call, tool_result
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, told
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import AgentEnv, CommonSettings, ResetResult, StepResult
from agent_rl.envs.reward import Per, Reward
from agent_rl.tools.tool import Tool
from agent_rl.tools.toolset import ToolSet, instance


class MalformedPolicy(Settings):
    """What malformed calls lead to beside an error as their answer: unreadable ones, unknown tools, wrong arguments."""

    penalty: NonPositiveFloat = 0.0
    """Reward of each malformed call, 0 or negative; it counts in the turn in which the call was made."""
    stop_after: PositiveInt | None = None
    """Malformed calls after which the episode ends and is scored as it stands; null for never."""


class ToolSettings(CommonSettings):
    """What every environment made of tools can be told."""

    malformed: MalformedPolicy = MalformedPolicy()
    """What malformed calls lead to; what is not given here is as the environment declares it."""


class ToolEnv(AgentEnv):
    """An environment made of tools (`@tool`), rewards (`@reward`) and tasks (`tasks(split)`)."""

    toolsets: Sequence[type[ToolSet]] = ()
    """Tools with a state that lives as long as they say; they come after the class's own."""
    Common = ToolSettings
    common: ToolSettings
    malformed: MalformedPolicy = MalformedPolicy()
    """What malformed calls lead to, unless the settings `malformed.…` say otherwise."""
    task: Task
    messages: list[Message]
    _states: Sequence[ToolSet] = ()
    _tools: ClassVar[list[str]] = []
    _rewards: ClassVar[list[str]] = []

    def __init__(self, **settings: Any) -> None:
        """Validate `settings`; those of `malformed` go before the class's."""
        super().__init__(**settings)
        given = self.common.malformed
        said = {name: getattr(given, name) for name in given.model_fields_set}
        self.malformed = type(self).malformed.model_copy(update=said)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note the names of the class's tools and rewards, its bases' first, in the order of declaration."""
        super().__init_subclass__(**kwargs)
        declared: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            declared |= vars(base)
        cls._tools = [name for name, value in declared.items() if isinstance(value, Tool)]
        cls._rewards = [name for name, value in declared.items() if isinstance(value, Reward)]

    def tools(self) -> list[Tool]:
        """Return the tools of the episode: by default every `@tool` of the class in the order of declaration."""
        return [getattr(self, name) for name in self._tools] + [
            tool for state in self._states for tool in state.tools()
        ]

    def rewards(self) -> list[Reward]:
        """Return the reward components: every `@reward` of the class."""
        return [getattr(self, name) for name in self._rewards]

    def best_reward(self, task: Task) -> float:
        """Return the sum of the positive weights of the rewards per episode, whose best score is taken to be 1."""
        return sum(part.weight for part in self.rewards() if part.per == "episode" and part.weight > 0)

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
        if self.toolsets:
            self._states = await in_thread(lambda: [instance(cls) for cls in self.toolsets])
        self._mistakes = 0
        if type(self).setup is not ToolEnv.setup:
            await in_thread(lambda: self.setup(self.task))
        return list(self.messages), {"task_id": self.task.id, "tools": [tool.schema() for tool in self.tools()]}

    async def astep(self, action: Message) -> StepResult:
        """Answer the tool calls of `action`, all at once and in order; without any, the episode ends."""
        self.messages.append(action)
        calls = action.get("tool_calls", [])
        invalid = action.get("invalid_tool_calls", [])
        results = await self._answers(calls) if calls else []
        errors = [
            tool_result(f"Error: {bad['error']}", tool_call("", {}, len(calls) + i)) for i, bad in enumerate(invalid)
        ]
        observation = [*results, *errors]
        self.messages.extend(observation)
        reward, components = self._punished(calls, len(invalid))
        over = self._finished or not (calls or invalid)
        kinds: tuple[Per, ...] = ("turn", "episode") if over else ("turn",)
        turn = {"task": self.task, "answer": text_of(action), "messages": self.messages}
        turn |= {"action": action, "observation": observation}
        for part in self.rewards():
            if part.per in kinds:
                components[part.name] = await _scored(part, turn)
                reward += part.weight * components[part.name]
        return observation, reward, over, False, {"components": components}

    def _punished(self, calls: list[ToolCall], unreadable: int) -> tuple[float, dict[str, float]]:
        """Return the reward of a turn's malformed calls and how many there were, where either matters; maybe finish."""
        policy = self.malformed
        if not policy.penalty and policy.stop_after is None:
            return 0.0, {}
        tools = {tool.name: tool for tool in self.tools()}
        mistakes = unreadable + sum(_is_mistaken(call, tools) for call in calls)
        self._mistakes += mistakes
        if policy.stop_after is not None and self._mistakes >= policy.stop_after:
            self.finish()
        return policy.penalty * mistakes, {"malformed": float(mistakes)}

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


def _is_mistaken(call: ToolCall, tools: Mapping[str, Tool]) -> bool:
    """Return whether a call names no tool, or has arguments that its tool does not take."""
    tool = tools.get(call["function"]["name"])
    if tool is None:
        return True
    try:
        tool.arguments.model_validate_json(call["function"]["arguments"])
    except ValidationError:
        return True
    return False


async def _scored(part: Reward, turn: dict[str, Any]) -> float:
    try:
        with waiting_for(part.name):
            return await part(**turn)
    except EpisodeError:
        raise
    except Exception as error:
        raise BrokenEnvironmentError(part.name, told(error)) from error
