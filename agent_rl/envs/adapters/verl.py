"""The environment `verl`: a verl project's data, reward function and tools, as they are."""

import functools
import inspect
import itertools
import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
from pydantic import Field

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, text_of
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, told
from agent_rl.core.rows import Row, read_rows
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.adapters.rows import found, split_rows
from agent_rl.envs.adapters.verl_tools import as_ours, load_tools
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.tool import Tool

_ROLES = ("system", "user", "assistant", "tool")


class VerlSettings(Settings):
    """Settings of the environment `verl`."""

    data: Path | tuple[Path, ...]
    """The file of training rows, or several: .parquet, .jsonl or .json with verl's columns."""
    test_data: Path | tuple[Path, ...] | None = None
    """The rows of the split "test"; left out, they are the last ones of `data`."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """The part of `data` that is the split "test" where `test_data` is left out."""
    reward: str = "verl.utils.reward_score:default_compute_score"
    """The function `compute_score(data_source, solution_str, ground_truth, extra_info)`, plain or async."""
    reward_kwargs: dict[str, Any] = Field(default_factory=dict)
    """What it is handed beside."""
    tools: Path | None = None
    """verl's YAML file of tools."""
    prompt_key: str = "prompt"
    """The column of the first messages."""


class Verl(ToolEnv):
    """A verl project's rows, compute_score and tools (env.data=train.parquet env.reward=my.py:compute_score)."""

    Settings = VerlSettings
    settings: VerlSettings

    def __init__(self, **settings: Any) -> None:
        """Find the reward function and the tools.

        Raises:
            UserError: One of them cannot be found.
        """
        super().__init__(**settings)
        self._compute_score: Callable[..., Any] = found(self.settings.reward, "env.reward")
        self._declared = load_tools(self.settings.tools) if self.settings.tools else ()
        self._tools_now: list[Tool] = []
        self._tool_rewards: list[float] = []

    def tasks(self, split: str) -> TaskSet:
        """Return the rows of `split` as tasks; figures are broken down by `data_source`."""
        given = self.settings
        return _task_set(split, _files(given.data), _files(given.test_data), given.held_out, given.prompt_key)

    def tools(self) -> list[Tool]:
        """Return the tools of the YAML file, bound to the episode."""
        return self._tools_now

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode; the row's `tools_kwargs` are handed to the tools."""
        gymnasium.Env.reset(self, seed=seed)
        task = self.pick(options)
        kwargs = (task.data.get("extra_info") or {}).get("tools_kwargs") or {}
        self._tool_rewards = []
        self._tools_now = [
            as_ours(tool, (kwargs.get(tool.name) or {}).get("create_kwargs") or {}, self._tool_rewards.append)
            for tool in self._declared
        ]
        return await super().areset(options={"task": task})

    async def astep(self, action: Message) -> StepResult:
        """Answer tool calls; a message without any ends the episode with the score."""
        observation, _, terminated, truncated, info = await super().astep(action)
        if not terminated:
            return observation, 0.0, False, truncated, info
        score, components = await self._scored()
        return observation, score, True, False, {"components": components}

    async def _scored(self) -> tuple[float, dict[str, float]]:
        """Return the score and, by name, all numbers that `compute_score` returned."""
        said = self.messages[len(self.task.messages) :]
        extra = deepcopy(self.task.data.get("extra_info") or {})
        extra |= {"num_turns": turns(said), "tool_rewards": list(self._tool_rewards), "rollout_reward_scores": {}}
        given = {
            "data_source": self.task.data.get("data_source"),
            "solution_str": solution(said),
            "ground_truth": (self.task.data.get("reward_model") or {}).get("ground_truth"),
            "extra_info": extra,
        } | self.settings.reward_kwargs
        try:
            if inspect.iscoroutinefunction(self._compute_score):
                result = await self._compute_score(**given)
            else:
                result = await in_thread(lambda: self._compute_score(**given))
            parts = dict(result) if isinstance(result, dict) else {"score": result}
            score = float(parts.pop("score"))
        except EpisodeError:
            raise
        except Exception as error:
            raise BrokenEnvironmentError("compute_score", told(error)) from error
        return score, {"score": score} | {name: float(value) for name, value in parts.items() if _is_number(value)}


def solution(said: list[Message]) -> str:
    """Return what verl hands to `compute_score`: the text of all turns, thoughts and tools' answers included."""
    return "\n".join(_text(message) for message in said)


def turns(said: list[Message]) -> int:
    """Return verl's number of turns: the prompt, each message of the agent, and the answers to it together."""
    agents = [message["role"] == "assistant" for message in said]
    answered = sum(was and not now for was, now in itertools.pairwise(agents))
    return 1 + sum(agents) + answered


def _text(message: Message) -> str:
    thought = message.get("reasoning_content")
    said = text_of(message)
    return said if thought is None else f"<think>\n{thought}\n</think>\n\n{said}"


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float) and math.isfinite(value)


def _files(given: Path | tuple[Path, ...] | None) -> tuple[Path, ...]:
    return (given,) if isinstance(given, Path) else given or ()


@functools.cache
def _task_set(split: str, data: tuple[Path, ...], test: tuple[Path, ...], held_out: float, prompt_key: str) -> TaskSet:
    train_rows, test_rows = ([row for file in files for row in read_rows(file)] for files in (data, test))
    first = 0 if test or split == "train" else len(split_rows("train", train_rows, None, held_out))
    rows = split_rows(split, train_rows, test_rows if test else None, held_out)
    return TaskSet([_task(f"{split}-{first + i}", row, prompt_key) for i, row in enumerate(rows)], split)


def _task(name: str, row: Row, prompt_key: str) -> Task:
    """Return a row as a task; all its columns are kept for the reward.

    Raises:
        UserError: It has no messages, or some that are not text.
    """
    messages = row.get(prompt_key)
    readable = isinstance(messages, list) and all(
        isinstance(m, dict) and m.get("role") in _ROLES and isinstance(m.get("content"), str) for m in messages
    )
    if not readable or not messages:
        raise UserError(f"env.data: the column '{prompt_key}' of row {name} is no list of messages made of text")
    prompt: tuple[Message, ...] = tuple({"role": m["role"], "content": m["content"]} for m in messages)
    truth = (row.get("reward_model") or {}).get("ground_truth")
    attributes = {key: row[key] for key in ("data_source", "ability") if isinstance(row.get(key), str)}
    return Task(name, prompt, truth if isinstance(truth, str) else "", attributes, row)
