"""`agent-rl check`: prove an environment without a model."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from gymnasium.utils.env_checker import check_env

from agent_rl.core.errors import NotProvidedError
from agent_rl.core.message import Message, ToolCall, assistant, tool_call
from agent_rl.core.task import Task
from agent_rl.envs.base import AgentEnv, Finding
from agent_rl.envs.section import EnvSection
from agent_rl.envs.tool_env import ToolEnv

_PLAYED = 50


def check_environment(section: EnvSection) -> Iterator[Finding]:
    """Yield what holds of an environment; nothing is raised for what does not."""
    for check in (_gymnasium, _tasks, _repeatable, _solutions, _malformed, _own):
        try:
            yield from check(section)
        except NotProvidedError as error:
            yield Finding(check.__name__.strip("_"), None, f"not checked: {error}")
        except Exception as error:  # the environment is what is on trial
            yield Finding(check.__name__.strip("_"), False, f"{type(error).__name__}: {error}")


def _own(section: EnvSection) -> Iterator[Finding]:
    yield from section.build().check()


def _gymnasium(section: EnvSection) -> Iterator[Finding]:
    check_env(section.build(), skip_render_check=True)
    yield Finding("gymnasium", True, "gymnasium's own check_env finds nothing wrong")


def _tasks(section: EnvSection) -> Iterator[Finding]:
    env = section.build()
    ids = {split: {task.id for task in env.tasks(split)} for split in ("train", "test")}
    yield Finding("tasks", True, ", ".join(f"{len(found)} in {split}" for split, found in ids.items()) + ", ids unique")
    shared = ids["train"] & ids["test"]
    yield Finding("splits", not shared, f"{len(shared)} tasks are in both splits")


def _repeatable(section: EnvSection) -> Iterator[Finding]:
    seen = [json.dumps(section.build().reset(seed=7), default=str) for _ in range(2)]
    yield Finding("repeatable", seen[0] == seen[1], "the same seed gives the same first observation")


def _solutions(section: EnvSection) -> Iterator[Finding]:
    env = section.build()
    if not isinstance(env, ToolEnv):
        raise NotProvidedError("only a ToolEnv can show solutions")
    tasks = list(env.tasks("test"))[:_PLAYED]
    best = [_play(env, task, env.solution(task)) for task in tasks]
    wrong = [_play(env, task, [assistant("Answer: certainly not this")]) for task in tasks]
    full = sum(part.weight for part in env.rewards())
    yield Finding(
        "solution", all(r == full for r in best), f"{sum(r == full for r in best)} of {len(best)} get all of the reward"
    )
    yield Finding(
        "wrong answer", all(r < full for r in wrong), f"{sum(r < full for r in wrong)} of {len(wrong)} get less"
    )


def _malformed(section: EnvSection) -> Iterator[Finding]:
    env = section.build()
    if not isinstance(env, ToolEnv):
        raise NotProvidedError("only a ToolEnv has tools to call")
    env.reset(seed=0)
    unreadable: ToolCall = {"id": "call_1", "type": "function", "function": {"name": "no_arguments", "arguments": "{"}}
    broken = assistant("", [tool_call("no_such_tool", {}), unreadable])
    broken["invalid_tool_calls"] = [{"text": "{", "error": "not JSON"}]
    observation, reward, terminated, *_ = env.step(broken)
    answered = not terminated and len(observation) == 3 and reward == 0
    yield Finding("malformed calls", answered, f"3 malformed calls got {len(observation)} error messages")


def _play(env: AgentEnv, task: Task, actions: Iterable[Message]) -> float:
    """Return the reward of playing `actions`, each made when the one before has been answered."""
    env.reset(options={"task": task})
    rewards: list[Any] = [env.step(action)[1] for action in actions]
    return float(sum(rewards))
