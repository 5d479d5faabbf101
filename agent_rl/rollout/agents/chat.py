"""The agent that is measured from outside: a hosted model that takes messages and gives one back."""

from collections.abc import Sequence
from typing import Any

from agent_rl.clients.openai_answers import Completion, ContextLengthError
from agent_rl.core.context import estimated_tokens
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import InfrastructureError, StopReason
from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.agents.base import Action, Plan
from agent_rl.rollout.engines.openai.engine import OpenAIEngine

_BROKEN_OFF = ("abort", "content_filter", "error")


class ChatAgent:
    """A hosted model. Its trajectories have no tokens, so that nothing can be trained on them.

    The limits that count tokens hold by what the endpoint reports, after the fact: an episode ends when a turn and the
    conversation before it have reached `episode_tokens`. They do not hold where an endpoint reports nothing.
    """

    def __init__(self, engine: OpenAIEngine, limits: Limits, plan: Plan) -> None:
        """Speak for `plan`."""
        self._engine, self._limits, self._plan = engine, limits, plan

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Take the first messages."""
        self._messages, self._tools = list(messages), tools
        self._used = 0

    async def act(self, number: int) -> Action | None:
        """Ask for a turn; None when the conversation has used up its tokens, or outgrew what the model can read.

        Raises:
            UserError: The endpoint answers no request like this one until the user mends something.
            InfrastructureError: It did not answer, or broke the turn off.
        """
        room = self._limits.episode_tokens - self._used
        if room <= 0:
            return None
        try:
            with waiting_for("the engine"):
                said = await self._engine.complete(
                    self._messages,
                    self._tools,
                    most=min(room, self._limits.turn_tokens),
                    sampling=self._plan.sampling,
                    seed=derive(self._plan.seed, "turn", number),
                    seconds=self._limits.turn_seconds,
                )
        except ContextLengthError:
            if not number:  # the limits do not fit the model, which is no result of it
                raise
            return None
        if said.finish in _BROKEN_OFF:
            raise InfrastructureError("openai", f"turn {number + 1} was broken off by the endpoint: {said.finish}")
        self._messages.append(said.message)
        self._used = said.prompt_tokens + said.completion_tokens
        return Action(said.message, self._cut(said, room), said.prompt_tokens, said.completion_tokens)

    def hear(self, messages: Sequence[Message]) -> bool:
        """Take the environment's answer; False when the episode's tokens are used up already."""
        self._messages += messages
        return self._used < self._limits.episode_tokens

    def count_tokens(self, text: str) -> int:
        """Estimate the number of tokens of a text: a hosted model's tokenizer is not known."""
        return estimated_tokens(text)

    def end(self) -> None:
        """Hold nothing."""

    def _cut(self, said: Completion, room: int) -> StopReason | None:
        if said.finish != "length":
            return None
        return StopReason.TURN_LENGTH if room > self._limits.turn_tokens else StopReason.EPISODE_LENGTH
