"""GiGPO: group-in-group policy optimization.

    E_i = norm(R_i)                             over the usable episodes of a group
    G_t = r_t + d r_t+1 + d^2 r_t+2 + ...       to the end of the episode
    S_t = norm(G_t)                             over all turns of the group that began in the same state
    A_t = E_i + w S_t                           for each token of turn t

with norm as in GRPO. Feng et al. 2025, Group-in-Group Policy Optimization for LLM Agent Training, arXiv:2505.10978. The
state is what the policy was told last, token by token: the prompt, or the environment's answer to the turn before. In
the paper it is the state of the environment; where two states look alike, they are one here.
"""

from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.advantages import turns
from agent_rl.trainer.algorithms.advantages.grpo import grpo
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Gigpo(Advantage):
    """Each episode compared with the others of its task, and each turn with those that began in the same state."""

    name: str = "gigpo"
    """The estimator."""
    normalize: bool = True
    """Divide by the deviations; false is the paper's variant with a factor of 1."""
    weight: float = Field(default=1.0, ge=0.0)
    """Weight of the comparison of turns."""
    discount: float = Field(default=0.95, ge=0.0, le=1.0)
    """What the reward of the next turn counts."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        episodes = batch.by_episode(grpo(batch.rewards, batch.groups, self.normalize))
        steps = step_advantages(
            batch.turn_rewards, batch.turn_episodes, batch.turn_states, self.discount, self.normalize
        )
        return episodes + self.weight * batch.by_turn(steps)


def step_advantages(
    rewards: Tensor, episodes: Tensor, states: Tensor, discount: float = 0.95, normalize: bool = True
) -> Tensor:
    """Return the advantage of each turn among those of its state, `[U]`; 0 for a state that was met once.

    Args:
        rewards: Of each turn, `[U]`.
        episodes: The episode of each turn, `[U]`; the turns of an episode lie one behind the other.
        states: The state before each turn, `[U]`, counted from 0; those of different groups differ.
        discount: What the reward of the next turn counts.
        normalize: Divide by the deviation.
    """
    return grpo(turns.returns(rewards, episodes, discount), states, normalize)
