"""The environment `skyrl_gym`: a text environment of SkyRL-Gym over its rows."""

import functools
import math
from pathlib import Path
from typing import Any

import gymnasium
from pydantic import Field, PositiveInt

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, text_of
from agent_rl.core.rows import Row, read_rows
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.adapters.rows import found, split_rows
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult

_ROLES = ("system", "user", "assistant")


class SkyRLGymSettings(Settings):
    """Settings of the environment `skyrl_gym`."""

    data: Path
    """The file of training rows (.parquet, .jsonl, .json): `prompt`, `env_class`, and what the environment needs."""
    test_data: Path | None = None
    """The rows of the split "test"; left out, they are the last ones of `data`."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """The part of `data` that is the split "test" where `test_data` is left out."""
    id: str | None = None
    """SkyRL-Gym's id of the environment, or `FILE.py:CLASS`; left out, the row's `env_class`."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The `env_config` that the environment is made with."""
    max_turns: PositiveInt = 8
    """Turns that the environment is told it may take."""


class SkyRLGym(AgentEnv):
    """A text environment of SkyRL-Gym over its rows (env.id=gsm8k env.data=train.parquet)."""

    Settings = SkyRLGymSettings
    settings: SkyRLGymSettings

    def __init__(self, **settings: Any) -> None:
        """Nothing of SkyRL-Gym is made before the reset."""
        super().__init__(**settings)
        self._env: Any = None

    def tasks(self, split: str) -> TaskSet:
        """Return the rows of `split` as tasks."""
        return _task_set(split, self.settings.data, self.settings.test_data, self.settings.held_out)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Make the environment of the row and let it begin."""
        gymnasium.Env.reset(self, seed=seed)
        task = self.pick(options)
        self.close()
        self._env = self._made(task)
        messages, _ = self._env.init([dict(message) for message in task.messages])
        return _messages(messages), {"task_id": task.id}

    def step(self, action: Message) -> StepResult:
        """Hand the text of `action` over; at the end the environment's own metrics are components."""
        result = self._env.step(text_of(action))
        done = bool(result["done"])
        components = _numbers(result.get("metadata")) | (_numbers(self._env.get_metrics()) if done else {})
        return _messages(result["observations"]), float(result["reward"]), done, False, {"components": components}

    def close(self) -> None:
        """Close the environment of SkyRL-Gym."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _made(self, task: Task) -> Any:
        try:
            import skyrl_gym
        except ImportError as error:
            raise UserError(f"env=skyrl_gym needs the package skyrl-gym: {error}") from error
        extras = {key: value for key, value in task.data.items() if key not in ("prompt", "env_class")}
        given = {"env_config": self.settings.config, "extras": extras | {"max_turns": self.settings.max_turns}}
        name = self.settings.id or task.data.get("env_class")
        if not name:
            raise UserError(f"env.id is not set, and row {task.id} has no env_class")
        if ":" in name:
            return found(name, "env.id")(**given)
        try:
            return skyrl_gym.make(name, **given)
        except skyrl_gym.error.Error as error:
            raise UserError(f"env.id={name}: {error}") from error


def _messages(given: Any) -> list[Message]:
    return [{"role": message["role"], "content": message["content"]} for message in given]


def _numbers(given: Any) -> dict[str, float]:
    """Return what is a number."""
    numbers = {name: value for name, value in (given or {}).items() if isinstance(value, bool | int | float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


@functools.cache
def _task_set(split: str, data: Path, test: Path | None, held_out: float) -> TaskSet:
    rows = split_rows(split, read_rows(data), read_rows(test) if test else None, held_out)
    return TaskSet([_task(f"{split}-{i}", row) for i, row in enumerate(rows)], split)


def _task(name: str, row: Row) -> Task:
    prompt = row.get("prompt")
    readable = isinstance(prompt, list) and all(
        isinstance(m, dict) and m.get("role") in _ROLES and isinstance(m.get("content"), str) for m in prompt
    )
    if not readable or not prompt:
        raise UserError(f"env.data: the column 'prompt' of row {name} is no list of messages made of text")
    attributes = {key: row[key] for key in ("data_source", "env_class") if isinstance(row.get(key), str)}
    return Task(name, tuple(_messages(prompt)), attributes=attributes, data=row)
