"""Saved episodes played again: the environment hears what the policy said then, and rewards it as it does now."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agent_rl.core.context import current
from agent_rl.core.message import Message, ToolCall
from agent_rl.core.outcome import BrokenEnvironmentError, StopReason
from agent_rl.core.trajectory import Trajectory
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.rollout.agents import Action

_CUT = (StopReason.TURN_LENGTH, StopReason.EPISODE_LENGTH)


class ReplayingAgent:
    """Says what was said in a saved episode, and refuses to go on where it is answered otherwise than then."""

    def __init__(self, saved: Sequence[Trajectory], count_tokens: Callable[[str], int]) -> None:
        """Say what the policy said in `saved`, the parts of an episode."""
        self._parts, self._count = deque(saved), count_tokens
        self._turns: deque[tuple[Message, list[Message]]] = deque()
        self._said = 0
        self.heard: list[Message] = []

    @property
    def last(self) -> bool:
        """Whether nothing was said after what was said last."""
        return not (self._turns or self._parts)

    @property
    def ended(self) -> bool:
        """Whether the environment ended the episode after what was said last."""
        return self.last and self._stop is StopReason.ANSWERED

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Begin the next part.

        Raises:
            BrokenEnvironmentError: Its prompt is another one than it was.
        """
        part = self._parts.popleft() if self._parts else None
        if part is None:
            raise _differs(f"the context is rewritten after turn {self._said}, as it was not then")
        self._stop, self._stepped = part.stop, bool(part.turns and part.turns[-1].environment_seconds)
        prompt, turns = taken_apart(part)
        self._turns = deque(turns)
        if not same(messages, prompt):
            raise _differs("its prompt is another one than it was")

    async def act(self, number: int) -> Action | None:
        """Say the next message.

        Raises:
            BrokenEnvironmentError: The episode had ended here.
        """
        if not self._turns:
            if self._stop is StopReason.EPISODE_LENGTH:
                return None
            raise _differs(f"it goes on after turn {number}, where it had ended")
        message, self.heard = self._turns.popleft()
        self._said += 1
        cut = self.last and self._stop in _CUT and not self.heard and not self._stepped
        return Action(message, self._stop if cut else None)

    def hear(self, messages: Sequence[Message]) -> bool:
        """Take the environment's answer.

        Raises:
            BrokenEnvironmentError: It is another one than it was.
        """
        if not same(messages, self.heard):
            raise _differs(f"turn {self._said} is answered otherwise than it was")
        return not (self.last and self._stop is StopReason.EPISODE_LENGTH)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self._count(text)

    def end(self) -> None:
        """Hold nothing."""


def taken_apart(part: Trajectory) -> tuple[list[Message], list[tuple[Message, list[Message]]]]:
    """Return the prompt of a trajectory, and what the policy said in each turn with the answers to it."""
    spoken = [place for place, message in enumerate(part.messages) if message["role"] == "assistant"]
    own = spoken[-len(part.turns) :] if part.turns else []
    ends = [*own[1:], len(part.messages)]
    turns = [(part.messages[at], part.messages[at + 1 : end]) for at, end in zip(own, ends, strict=True)] if own else []
    return part.messages[: own[0]] if own else part.messages, turns


def rewarded(saved: Sequence[Trajectory], played: Sequence[Trajectory]) -> list[Trajectory]:
    """Return a saved episode with the rewards and the end that it got when it was played again, or its failure."""
    failure = played[-1].failure
    if failure is None and not same([p.messages for p in played], [p.messages for p in saved]):
        failure = _differs(f"turn {sum(len(p.turns) for p in played)} is answered otherwise than it was").failure()
    if failure is not None:
        return [replace(part, stop=StopReason.FAILED, failure=failure) for part in saved]
    return [
        replace(
            part,
            turns=[replace(t, reward=new.reward) for t, new in zip(part.turns, again.turns, strict=True)],
            components=again.components,
            stop=part.stop if part.stop is StopReason.EPISODE_LENGTH is not again.stop else again.stop,
        )
        for part, again in zip(saved, played, strict=True)
    ]


def same(one: object, other: object) -> bool:
    """Return whether two things are the same once they are written as JSON, as what was saved has been."""
    return bool(json.loads(json.dumps(one)) == json.loads(json.dumps(other)))


def with_saved_answers(env: AgentEnv, agents: dict[str, ReplayingAgent]) -> AgentEnv:
    """Return `env`, a `ToolEnv` perhaps in wrappers, with the answers that the episode's agent knows for its tools'."""
    inner = env.unwrapped
    assert isinstance(inner, ToolEnv)  # see check_stateless

    async def answers(calls: list[ToolCall]) -> list[Message]:
        agent = agents[current().episode]
        if agent.ended:
            inner.finish()  # a tool may have done it
        return [message for message in agent.heard if message["role"] == "tool"][: len(calls)]

    inner._answers = answers  # type: ignore[method-assign]
    return env


def _differs(what: str) -> BrokenEnvironmentError:
    return BrokenEnvironmentError("rescore", what)
