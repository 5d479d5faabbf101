"""The environment `gymnasium`: any environment of Gymnasium, played in words."""

import warnings
from typing import Any, Literal

import gymnasium
from pydantic import Field, PositiveInt, create_model

from agent_rl.core.context import count
from agent_rl.core.errors import UserError
from agent_rl.core.message import system, user
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.adapters import texts
from agent_rl.envs.adapters.actions import Actions, IllegalActionError
from agent_rl.envs.adapters.stepped import OVER, SteppedEnv, seeded_tasks
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import Tool

_MARK = "action:"


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


class Gymnasium(SteppedEnv):
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
        self._mask: Any = None

    def tasks(self, split: str) -> TaskSet:
        """Return a task for each seed of `split`; the first messages are made at the reset."""
        return seeded_tasks(split, self.settings.train, self.settings.test)

    def tools(self) -> list[Tool]:
        """Return the tool `act`, unless the agent acts by text."""
        return [self._act] if self.settings.says == "tool" else []

    def setup(self, task: Task) -> None:
        """Reset the environment with the task's seed."""
        super().setup(task)
        observed, info = self._env.reset(seed=task.data["seed"])
        shown = self._shown(observed, info)
        self.messages = [system(self._told()), user(shown)]

    async def spoken(self, content: str) -> str:
        """Take the action that a message without a call says, where the agent acts by text."""
        if self.settings.says == "tool":
            return self.GO_ON
        marked = content.casefold().rfind(_MARK)
        return await in_thread(lambda: self._play(content[marked + len(_MARK) :] if marked >= 0 else content))

    def close(self) -> None:
        """Close the environment of Gymnasium."""
        self._env.close()

    def _play(self, action: Any) -> str:
        """Take one action and return what is seen then; an illegal one is answered and changes nothing."""
        if self.over:
            return OVER
        try:
            legal = self._actions.read(action, self._mask)
        except IllegalActionError as error:
            count("illegal_actions")
            return f"Error: {error}"
        observed, reward, self.terminated, self.truncated, info = self._env.step(legal)
        self.gained += float(reward)
        return self._shown(observed, info)

    def _shown(self, observed: Any, info: dict[str, Any]) -> str:
        """Return an observation in words, with the legal actions where the environment says which they are."""
        self._mask = info.get("action_mask")
        drawn = self._env.render() if self._env.render_mode == "ansi" else None
        shown = texts.frame(drawn) if isinstance(drawn, str) else texts.value(observed)
        if self._mask is None or self.over:
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
        return Tool("act", f"Take an action: {self._actions.listed()}", arguments, self._play, ToolPolicy(replay=False))


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
