"""The section `algorithm`: an estimator of advantages, a policy loss, and how tokens are averaged."""

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from agent_rl.core.chosen import Chosen
from agent_rl.core.settings import Settings
from agent_rl.rollout.agents import Beside
from agent_rl.trainer.algorithms.advantages import Grpo
from agent_rl.trainer.algorithms.aggregation import Aggregation
from agent_rl.trainer.algorithms.base import ADVANTAGES, LOSSES, Advantage, PolicyLoss
from agent_rl.trainer.algorithms.batch import Batch
from agent_rl.trainer.algorithms.correction import CorrectionSettings
from agent_rl.trainer.algorithms.filtration import Keep
from agent_rl.trainer.algorithms.kl import KlSettings
from agent_rl.trainer.algorithms.losses import Clip
from agent_rl.trainer.algorithms.overlong import Overlong
from agent_rl.trainer.algorithms.supervised import SupervisedSettings


class AlgorithmSettings(Settings):
    """What is learned from episodes; `algorithm=NAME` takes all of it from a preset."""

    name: str = "grpo"
    """The preset, which runs are named after."""
    samples: PositiveInt = 8
    """Episodes per task."""
    keep: Keep = "all"
    """Which episodes of a group are learned from, by the rank of their rewards."""
    advantage: Annotated[Advantage, Chosen(Advantage, ADVANTAGES)] = Grpo()
    """The estimator of advantages."""
    loss: Annotated[PolicyLoss, Chosen(PolicyLoss, LOSSES)] = Clip()
    """The policy loss."""
    aggregation: Aggregation = "token"
    """How the losses of tokens are averaged: over all of a mini batch, over those of each sequence, ..."""
    aggregation_tokens: PositiveInt = 1024
    """With `dr_grpo`, the tokens by which the sum over a sequence is divided."""
    entropy: float = Field(default=0.0, ge=0.0)
    """Weight of the entropy (nats) that is added to what is maximised."""
    kl: KlSettings = KlSettings()
    """The distance from the model as it was at first."""
    correction: CorrectionSettings = CorrectionSettings()
    """What is done about an engine that samples from another policy than that which trains."""
    overlong: Overlong = Overlong()
    """What an episode near its limit of tokens loses."""
    supervised: SupervisedSettings = SupervisedSettings()
    """How much successful episodes are learned by heart."""

    @model_validator(mode="after")
    def _comparable(self) -> "AlgorithmSettings":
        """Refuse groups that are too small for the estimator."""
        self.advantage.check(self.samples)
        if self.loss.guided and self.correction.weights != "none":
            raise ValueError(
                f"correction.weights cannot be used with loss={self.loss.name}, which has weights of its own"
            )
        return self

    @property
    def episodes(self) -> int:
        """Episodes that are played per task: the samples, and what is played beside them."""
        return self.samples + len(self.beside)

    @property
    def beside(self) -> tuple[Beside, ...]:
        """What is played beside the samples of each task."""
        baseline: tuple[Beside, ...] = ("baseline",) if self.advantage.greedy else ()
        return (*baseline, "demonstration") if self.loss.guided else baseline

    @property
    def dense(self) -> bool:
        """Whether tokens without an advantage have a gradient as well."""
        return self.entropy > 0 or self.kl.in_loss or self.loss.dense or self.supervised.weight > 0

    @property
    def needs(self) -> frozenset[str]:
        """Notes that workers have to compute for each token before anything is learned."""
        return self.advantage.needs | self.kl.needs | self.correction.needs

    def settle(self, batch: Batch, episode_tokens: int) -> Batch:
        """Return the noted batch as the estimator is to see it, with the weights of tokens and what is learned beside.

        Args:
            batch: The episodes of a step, with what workers have noted.
            episode_tokens: The most that the trajectories of an episode may have: `rollout.limits.episode_tokens`.
        """
        marked = self.supervised.mark(batch)
        if self.loss.guided:
            marked = marked.noted(guided=batch.by_episode(batch.guided))
        settled = self.correction.weigh(self.kl.charge(self.overlong.shaped(marked, episode_tokens)))
        return settled.noted(**self.advantage.targets(settled))
