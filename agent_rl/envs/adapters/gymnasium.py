"""The environment `gymnasium`: any environment of Gymnasium, played in words."""

import warnings
from typing import Any, Literal

import gymnasium
from pydantic import Field, PositiveInt, create_model

from agent_rl.core.context import count
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.message import Message, system, tool_call, tool_result, user
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.adapters import texts
from agent_rl.envs.adapters.actions import Actions, IllegalActionError
from agent_rl.envs.base import StepResult
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.tool import Tool


class GymnasiumSettings(Settings):
    """Settings of the environment `gymnasium`."""

    id: str = "FrozenLake-v1"
    """Gymnasium's id of the environment; `MODULE:ID` imports the module first."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """What is handed to `gymnasium.make`, such as `{is_slippery:false}`."""
    says: Literal["tool", "text"] = "tool"
    """How the agent acts: by calling the tool `act`, or by text that ends with `Action: …` or is the action itself."""
    instructions: str | None = None
    """What the agent is told of the game; left out, what the environment's own documentation says."""
    train: PositiveInt = 1000
    """Tasks of the split "train": the even seeds from 0."""
    test: PositiveInt = 100
    """Tasks of the split "test": the odd seeds from 1."""


class Gymnasium(ToolEnv):
    """Any environment of Gymnasium, played in words (env.id=FrozenLake-v1)."""

    Settings = GymnasiumSettings
    settings: GymnasiumSettings

    def __init__(self, **settings: Any) -> None:
        """Make the environment of Gymnasium.

        Raises:
            UserError: It cannot be made, or its actions cannot be said.
        """
        super().__init__(**settings)
        self._env = _made(self.settings)
        cls, space = type(self._env.unwrapped), self._env.action_space
        discrete = isinstance(space, gymnasium.spaces.Discrete)
        names = texts.action_names(cls, int(space.start), int(space.n)) if discrete else {}  # type: ignore[attr-defined]
        self._actions = Actions(space, names)
        self._act = self._tool()
        self._reward, self._terminated, self._truncated, self._mask = 0.0, False, False, None

    def tasks(self, split: str) -> TaskSet:
        """Return a task for each seed of `split`; the first messages are made at the reset."""
        if split not in ("train", "test"):
            raise UserError(f"unknown split '{split}'{nearest(split, ('train', 'test'))} (there are: train, test)")
        size, first = (self.settings.train, 0) if split == "train" else (self.settings.test, 1)
        seeds = range(first, first + 2 * size, 2)
        return TaskSet([Task(f"seed-{seed}", (), data={"seed": seed}) for seed in seeds], split)

    def tools(self) -> list[Tool]:
        """Return the tool `act`, unless the agent acts by text."""
        return [self._act] if self.settings.says == "tool" else []

    def setup(self, task: Task) -> None:
        """Reset the environment with the task's seed."""
        observed, info = self._env.reset(seed=task.data["seed"])
        self._terminated = self._truncated = False
        shown = self._shown(observed, info)
        self.messages = [system(self._told()), user(shown)]

    async def astep(self, action: Message) -> StepResult:
        """Play the actions of one turn in their order; the reward is Gymnasium's, summed over them."""
        self._reward = 0.0
        answers = await self._replies(action)
        self.messages += [action, *answers]
        return answers, self._reward, self._terminated, self._truncated, {"components": {}}

    def close(self) -> None:
        """Close the environment of Gymnasium."""
        self._env.close()

    async def _replies(self, action: Message) -> list[Message]:
        if self.settings.says == "text":
            content = action["content"]
            said = content[content.casefold().rfind("action:") + len("action:") :] if _marked(content) else content
            return [user(await in_thread(lambda: self._play(said.strip())))]
        calls, invalid = action.get("tool_calls", []), action.get("invalid_tool_calls", [])
        if not calls and not invalid:
            return [user("Error: call the tool act to go on.")]
        answers = [await self._answer(call) for call in calls]  # one after the other: each changes the game
        errors = (
            tool_result(f"Error: {bad['error']}", tool_call("", {}, len(calls) + i)) for i, bad in enumerate(invalid)
        )
        return [*answers, *errors]

    def _play(self, action: Any) -> str:
        """Take one action and return what is seen then; an illegal one is answered and changes nothing."""
        if self._terminated or self._truncated:
            return "Error: the game is over; this action was not taken."
        try:
            legal = self._actions.read(action, self._mask)
        except IllegalActionError as error:
            count("illegal_actions")
            return f"Error: {error}"
        observed, reward, self._terminated, self._truncated, info = self._env.step(legal)
        self._reward += float(reward)
        return self._shown(observed, info)

    def _shown(self, observed: Any, info: dict[str, Any]) -> str:
        """Return an observation in words, with the legal actions where the environment says which they are."""
        self._mask = info.get("action_mask")
        drawn = self._env.render() if self._env.render_mode == "ansi" else None
        shown = texts.frame(drawn) if isinstance(drawn, str) else texts.value(observed)
        if self._mask is None or self._terminated or self._truncated:
            return shown
        return f"{shown}\nLegal actions: {self._actions.listed(self._mask)}"

    def _told(self) -> str:
        """Return the first message: the rules, the actions and how to say one."""
        rules, name = self.settings.instructions, self._env.spec.name if self._env.spec else ""
        if rules is None:
            rules = texts.rules(name, type(self._env.unwrapped), self._env.render_mode == "ansi")
        how = "Call the tool act" if self.settings.says == "tool" else "End each message with `Action: …`"
        return f"{rules}\n\n{how} with one of these actions: {self._actions.listed()}".strip()

    def _tool(self) -> Tool:
        arguments = create_model("act_arguments", __config__={"extra": "forbid"}, action=(self._actions.kind, ...))
        return Tool("act", f"Take an action: {self._actions.listed()}", arguments, self._play)


def _marked(content: str) -> bool:
    return "action:" in content.casefold()


def _made(settings: GymnasiumSettings) -> gymnasium.Env[Any, Any]:
    """Make the environment, with text frames if it draws any."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(settings.id, **settings.kwargs)
            if "ansi" in env.metadata.get("render_modes", []) and "render_mode" not in settings.kwargs:
                env.close()
                env = gymnasium.make(settings.id, render_mode="ansi", **settings.kwargs)
            return env
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise UserError(f"env.id={settings.id}: {' '.join(str(error).split())}") from error
