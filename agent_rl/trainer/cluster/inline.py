"""`cluster=inline`: the workers live in this process."""

from pathlib import Path

from agent_rl.trainer.annotate import make_references
from agent_rl.trainer.cluster.base import WorkerLostError
from agent_rl.trainer.rewards import make_judge, make_rewarder
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import Team, make_beside, make_policy, notes_of


class InlineCluster:
    """Hands out the workers themselves."""

    def __init__(self, config: TrainConfig) -> None:
        """Make the workers of `config`."""
        self._config = config

    def team(self, checkpoint: Path | None) -> Team:
        """Return the workers as they were at a checkpoint, or at first."""
        policy = make_policy(self._config, checkpoint)
        learners = make_beside(self._config, checkpoint)
        notes = notes_of(self._config, policy, make_references(self._config, policy), learners)
        rewarder = make_rewarder(self._config, make_judge(self._config))
        return Team(policy, learners, notes, policy.model, rewarder)

    def outlive(self, lost: WorkerLostError) -> None:
        """Never happens: a worker that dies takes this process with it."""
        raise lost
