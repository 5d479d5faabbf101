"""Scripted episodes, by which `agent-rl check` tries an environment."""

import asyncio
import itertools
from collections.abc import Iterable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from agent_rl.core import scopes
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.message import Message, ToolCall, assistant, tool_call
from agent_rl.core.task import Task
from agent_rl.envs.answers import checked_reset, checked_step
from agent_rl.envs.base import AgentEnv, Observation

WRONG = assistant("Answer: certainly not this")
_SEED = 7
_UNREADABLE = ("{", "[1]", '"text"', '{"a": }', '{"a": 1} {"a": 1}')
_numbers = itertools.count()
_PLAIN = ("string", "integer", "number", "boolean")


@dataclass(frozen=True)
class Step:
    """What came of an action; the first step of an episode, its reset, has an action without content."""

    action: Message
    observation: Observation
    reward: float = 0.0
    over: bool = False
    components: dict[str, float] = field(default_factory=dict, compare=False)


def play(env: AgentEnv, task: Task | None, actions: Iterable[Message]) -> list[Step]:
    """Play `actions`, each asked for when the one before has been answered, until they or the episode end.

    Raises:
        BrokenEnvironmentError: The environment returned something that the contract does not allow.
    """
    steps = [Step(assistant(""), checked_reset(env.reset(seed=_SEED, options=_options(task)))[0])]
    for action in actions:
        steps.append(_step(action, env.step(action)))
        if steps[-1].over:
            break
    return steps


def play_awaiting(env: AgentEnv, task: Task | None, actions: Iterable[Message]) -> list[Step]:
    """Do what `play` does by the asynchronous twins."""

    async def playing() -> list[Step]:
        steps = [Step(assistant(""), checked_reset(await env.areset(seed=_SEED, options=_options(task)))[0])]
        for action in actions:
            steps.append(_step(action, await env.astep(action)))
            if steps[-1].over:
                break
        return steps

    return asyncio.run(playing())


def play_counted(env: AgentEnv, task: Task | None, actions: Iterable[Message]) -> tuple[list[Step], dict[str, float]]:
    """Do what `play` does in an episode of its own, which closes what it keeps; return what it counted too."""
    context = EpisodeContext(f"check/{next(_numbers)}")

    def playing() -> list[Step]:
        enter(context)
        return play(env, task, actions)

    try:
        return copy_context().run(playing), context.counters
    finally:
        asyncio.run(scopes.end(context.episode))


def malformed(env: AgentEnv) -> list[Message]:
    """Return the turns of a policy that makes every mistake in calling tools, one after the other and all at once.

    The last turn says nothing and calls nothing.
    """
    tools = env.reset(seed=_SEED)[1].get("tools", [])
    mistakes = [call for tool in tools for call in _mistaken(tool["function"])]
    mistakes.append(tool_call("no_such_tool", {}))
    unreadable = assistant("I call nothing that can be read")
    unreadable["invalid_tool_calls"] = [{"text": "{", "error": "not JSON"}]
    together = assistant("", [call | {"id": f"call_{i}"} for i, call in enumerate(mistakes)])
    together["invalid_tool_calls"] = unreadable["invalid_tool_calls"]
    return [*(assistant("", [call]) for call in mistakes), unreadable, together, assistant("")]


def _mistaken(function: dict[str, Any]) -> list[ToolCall]:
    """Return calls of a function, described by its schema, whose arguments it cannot take."""
    calls = [_call(function["name"], written) for written in _UNREADABLE]
    calls.append(tool_call(function["name"], {"no_such_argument": 1}))
    parameters = function.get("parameters", {})
    if parameters.get("required"):
        calls.append(tool_call(function["name"], {}))
    plain = [name for name, kind in parameters.get("properties", {}).items() if kind.get("type") in _PLAIN]
    if plain:
        calls.append(tool_call(function["name"], {name: {"deep": [[]]} for name in plain}))
    return calls


def _call(name: str, written: str) -> ToolCall:
    return {"id": "call_0", "type": "function", "function": {"name": name, "arguments": written}}


def _step(action: Message, answer: Any) -> Step:
    observation, reward, terminated, truncated, info = checked_step(answer)
    return Step(action, list(observation), reward, terminated or truncated, info.get("components", {}))


def _options(task: Task | None) -> dict[str, Any]:
    return {} if task is None else {"task": task}
