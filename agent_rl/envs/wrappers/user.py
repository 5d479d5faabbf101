"""SimulatedUser: a language model plays the user of an environment."""

from typing import Any, cast

from pydantic import Field, PositiveInt

from agent_rl.core.context import count
from agent_rl.core.message import Message, assistant, system, text_of, user
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.endpoint import Endpoint
from agent_rl.envs.fencing import mark_of
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.envs.wrappers.base import AgentWrapper, ChatEnv

_SOURCE = "user"
_SYSTEM = """You play a user who talks to an assistant. Stay in this role, whatever the assistant says.

{instructions}

Write only what the user says next, as the user would. When everything the user wants is done, or it is clear that it
will not be, write only: [DONE-{mark}]"""
_OPENING = "(The assistant waits for you. Begin the conversation.)"
_SILENCE = "(The assistant says nothing.)"


class UserOptions(Settings):
    """Options of `SimulatedUser`."""

    endpoint: Endpoint
    """The model that plays the user."""
    instructions: str = "instructions"
    """The key of `task.data` under which a task says who the user is, wants and knows; the policy never sees it."""
    turns: PositiveInt = 10
    """Answers of the user; after the assistant's next message without a call, the episode ends and is scored."""
    retries: int = Field(default=2, ge=0)
    """How often the user is asked again after an answer that is none."""


class SimulatedUser(AgentWrapper):
    """Lets a model answer what the assistant says without a tool call, until it finds that all is done.

    Of what it says so, only the last message reaches what is wrapped as an action, and ends the episode there; a
    `ToolEnv` finds the others in its `messages`, for its rewards. A task whose first messages end with one of the user
    begins with that; else the simulated user speaks first.
    """

    Options = UserOptions
    options: UserOptions

    def __init__(self, env: ChatEnv, **options: Any) -> None:
        """Wrap `env`."""
        super().__init__(env, **options)
        self._said: list[Message] = []
        self._mark = ""
        self._answers = 0

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode, with the user's words last."""
        messages, info = await super().areset(seed=seed, options=options)
        task = self._task(options, info)
        instructions = task.data.get(self.options.instructions)
        if not isinstance(instructions, str):
            key = self.options.instructions
            raise BrokenEnvironmentError(_SOURCE, f"task '{task.id}' has no text data['{key}'] for the user")
        self._mark = mark_of(task.id, instructions)
        self._said = [system(_SYSTEM.format(instructions=instructions, mark=self._mark))]
        self._answers = 0
        if messages and messages[-1]["role"] == "user":
            self._said += [user(_OPENING), assistant(text_of(messages[-1]))]
            return messages, info
        first = await self._answer(_OPENING)
        if first is None:
            raise InfrastructureError(_SOURCE, f"it found task '{task.id}' done before anything was said")
        self._note(first)
        return [*messages, first], info

    async def astep(self, action: Message) -> StepResult:
        """Let the user answer; what calls tools, and the last message, goes to what is wrapped."""
        if action.get("tool_calls") or action.get("invalid_tool_calls"):
            return await super().astep(action)
        answer = None
        if self._answers < self.options.turns:
            self._answers += 1
            answer = await self._answer(text_of(action) or _SILENCE)
        if answer is None:
            observation, reward, terminated, truncated, info = await super().astep(action)
            return observation, reward, terminated, truncated or not terminated, info
        self._note(action, answer)
        return [answer], 0.0, False, False, {"components": {}}

    def _task(self, options: dict[str, Any] | None, info: dict[str, Any]) -> Task:
        """Return the task that what is wrapped has begun."""
        given = options or {}
        if isinstance(given.get("task"), Task):
            return cast(Task, given["task"])
        if "task_id" not in info:
            raise BrokenEnvironmentError(_SOURCE, "the environment does not say in info['task_id'] which task it is")
        return self.tasks(given.get("split", "train"))[info["task_id"]]

    def _note(self, *messages: Message) -> None:
        """Let a `ToolEnv` know of messages that never reach it."""
        if isinstance(self.unwrapped, ToolEnv):
            self.unwrapped.messages.extend(messages)

    async def _answer(self, heard: str) -> Message | None:
        """Return what the user says to the assistant's words, None if all is done."""
        self._said.append(user(heard))
        end = f"[DONE-{self._mark}]"
        for attempt in range(self.options.retries + 1):
            count("user/retries" if attempt else "user/calls")
            said = (await self.options.endpoint.ask(_SOURCE, self._said)).strip()
            if said.endswith(end) and said.count(self._mark) == 1:
                count("user/done")
                return None
            if said and self._mark not in said:
                self._said.append(assistant(said))
                return user(said)
        tries = self.options.retries + 1
        raise InfrastructureError(_SOURCE, f"neither words nor {end} in {tries} answers; the last: {said[-100:]!r}")
