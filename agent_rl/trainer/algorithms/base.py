"""What the loop and the workers know of an algorithm: an estimator of advantages and a loss, each chosen by name."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from agent_rl.core.registry import Registry
from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.batch import Batch


class Advantage(Settings):
    """An estimator of advantages, with its settings: `algorithm.advantage`."""

    name: str
    """The estimator: a registered name, or FILE.py:CLASS."""

    needs: ClassVar[frozenset[str]] = frozenset()
    """Notes that workers have to compute for each token before, such as `values`."""
    greedy: ClassVar[bool] = False
    """Whether each group needs a greedy episode: `Batch.baselines`."""

    def check(self, samples: int) -> None:
        """Refuse groups of `samples` episodes from which it could not learn.

        Raises:
            UserError: They are too small.
        """

    @abstractmethod
    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`, float64; 0 where there is nothing to learn."""

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """Return what workers beside the policy learn, by name, for each trained token, `[A]`; for most nothing."""
        return {}


@dataclass(frozen=True)
class Tokens:
    """The trained tokens of a micro batch, the sequences one behind the other.

    Attributes:
        logprobs: Log-probability (nats) under the weights that train, with a gradient, `[A]`.
        old_logprobs: Under the weights that the ratio is measured against, `[A]`.
        advantages: `[A]`.
        lengths: Trained tokens of each sequence; they sum to `A`.
        notes: What workers have computed of the batch before, by name, `[A]`.
    """

    logprobs: Tensor
    old_logprobs: Tensor
    advantages: Tensor
    lengths: list[int]
    notes: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenLoss:
    """The loss of each trained token before it is averaged, and what is worth logging of it.

    Attributes:
        loss: `[A]`.
        clipped: 1 where the gradient was taken away, `[A]`.
    """

    loss: Tensor
    clipped: Tensor


class PolicyLoss(Settings):
    """A policy loss, with its settings: `algorithm.loss`."""

    name: str
    """The loss: a registered name, or FILE.py:CLASS."""

    dense: ClassVar[bool] = False
    """Whether tokens whose advantage is 0 have a gradient as well."""
    guided: ClassVar[bool] = False
    """Whether each group needs a demonstration of the environment; the note `guided` is 1 at its tokens."""

    def prepare(self, old_logprobs: Tensor, advantages: Tensor) -> dict[str, Tensor]:
        """Return notes for each trained token of a whole mini batch, `[A]`, by name; `loss` finds them in `Tokens`.

        It is called before the mini batch is cut into micro batches: what needs all of its tokens is computed here.
        """
        return {}

    @abstractmethod
    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token; `algorithm.aggregation` says how they are averaged."""


ADVANTAGES: Registry[type[Advantage]] = Registry("advantage estimator")
LOSSES: Registry[type[PolicyLoss]] = Registry("policy loss")


def register_advantage(name: str, cls: type[Advantage]) -> None:
    """Make an estimator known as `algorithm.advantage=NAME`."""
    ADVANTAGES.register(name, cls)


def register_loss(name: str, cls: type[PolicyLoss]) -> None:
    """Make a policy loss known as `algorithm.loss=NAME`."""
    LOSSES.register(name, cls)
