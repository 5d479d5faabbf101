"""What the loop knows of an algorithm."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from agent_rl.core.trajectory import Group


@dataclass(frozen=True)
class TokenLoss:
    """The loss of each trained token before it is averaged, and what is worth logging of it.

    Attributes:
        loss: `[A]`.
        clipped: 1 where the clip took the gradient away, `[A]`.
    """

    loss: Tensor
    clipped: Tensor


class Algorithm(Protocol):
    """An advantage estimator and a policy loss."""

    @property
    def samples(self) -> int:
        """Episodes per task."""
        ...

    def advantages(self, group: Group) -> list[float]:
        """Return the advantage of each trajectory of a group; 0 for one that is not usable."""
        ...

    def loss(self, logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor) -> TokenLoss:
        """Return the loss of trained tokens, `[A]` each; their mean over a mini batch is what is minimised."""
        ...
