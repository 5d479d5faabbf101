"""The agent that shows how it is done: it speaks the environment's own solution of the task, in exact tokens."""

from typing import TYPE_CHECKING

from agent_rl.core.deadlines import Excuse
from agent_rl.core.limits import Limits
from agent_rl.core.outcome import BrokenEnvironmentError, StopReason
from agent_rl.core.trajectory import Origin, Segment
from agent_rl.rollout.agents.base import Action, Plan
from agent_rl.rollout.agents.scripted import Follower
from agent_rl.rollout.agents.token import TokenAgent
from agent_rl.rollout.engines.base import Engine

if TYPE_CHECKING:
    from agent_rl.rollout.renderer import Renderer  # loads transformers


def token_agent(engine: Engine, renderer: "Renderer", limits: Limits, plan: Plan, excuse: Excuse) -> TokenAgent:
    """Return the agent of a plan: the policy, or, for a demonstration, one that shows how it is done."""
    kind = DemonstratingAgent if plan.kind == "demonstration" else TokenAgent
    return kind(engine, renderer, limits, plan, excuse)


class DemonstratingAgent(Follower, TokenAgent):
    """Speaks messages instead of sampling; its tokens have the log-probability 0, as if nothing else could be said."""

    async def act(self, number: int) -> Action | None:
        """Say the next message; None when it does not fit into the episode's tokens.

        Raises:
            BrokenEnvironmentError: There is no next message, or the call format cannot write it.
        """
        message = self.line(number)
        try:
            tokens = self._renderer.action(message, self._tokens)
        except ValueError as error:
            raise BrokenEnvironmentError("environment", f"its solution cannot be written: {error}") from error
        if len(self._tokens) + len(tokens) > self._limits.episode_tokens:
            return None
        self._append(Segment(Origin.ACTION, tuple(tokens), (0.0,) * len(tokens), (0,) * len(tokens)))
        said = self._renderer.parse(tokens, self._trajectory.tools or ())
        return Action(said, StopReason.TURN_LENGTH if len(tokens) > self._limits.turn_tokens else None)
