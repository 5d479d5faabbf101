"""`cluster=ray`: the workers live in actors of Ray."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.annotate import Annotator, Learner, annotate, make_references
from agent_rl.trainer.cluster.base import WorkerLostError
from agent_rl.trainer.cluster.placement import pools_of, shape_of
from agent_rl.trainer.cluster.pool import Pool
from agent_rl.trainer.cluster.remote import RemoteAnnotator, RemoteJudge, RemoteLearner, RemotePolicy
from agent_rl.trainer.cluster.session import connected
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.rewards import make_judge, make_rewarder
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import Team, make_beside, make_policy, notes_of

logger = logging.getLogger(__name__)
_NOTES = "notes"  # all that note something in one rank, so that a batch travels there once
_JUDGE = "judge"


class RayCluster:
    """Makes pools of actors, and makes them again when one has died."""

    def __init__(self, ray: Any, config: TrainConfig, settings: RaySettings) -> None:
        """Make the workers of `config` in the cluster that `ray` is connected to."""
        self._ray, self._config, self._settings = ray, config, settings
        self._pools: list[Pool] = []
        self._restarts = 0

    @classmethod
    @contextmanager
    def open(cls, config: TrainConfig, settings: RaySettings) -> Iterator["RayCluster"]:
        """Yield the cluster; behind the block no actor of it is left.

        Raises:
            UserError: Ray is not installed, or there is no such cluster.
        """
        shape, pools = shape_of(config, settings), pools_of(config, settings)
        ranks = shape.ranks * len(pools)
        with connected(settings.address, ranks * shape.cpus, ranks * shape.gpus) as ray:
            cluster = cls(ray, config, settings)
            try:
                yield cluster
            finally:
                cluster.close()

    def team(self, checkpoint: Path | None) -> Team:
        """Return workers in new actors, as they were at a checkpoint, or at first.

        Raises:
            UserError: There is no room for them, or one cannot be made.
            WorkerLostError: One died meanwhile.
        """
        self.close()
        shape = shape_of(self._config, self._settings)
        values = self._config.model_dump(mode="json")
        values["model"]["device"] = "cuda" if shape.gpus else "cpu"
        place = checkpoint and checkpoint.absolute()
        for name, kinds in pools_of(self._config, self._settings).items():
            self._pools.append(Pool(self._ray, name, shape, partial(_make, values, place, kinds)))
        learners: list[Learner] = []
        annotators: list[Annotator] = []
        for pool in self._pools:
            learners += [RemoteLearner(pool, name) for name in pool.counted if name.startswith("learner")]
            annotators += [RemoteAnnotator(pool, name) for name in pool.counted if name == _NOTES]
        judge = next((RemoteJudge(pool, _JUDGE) for pool in self._pools if _JUDGE in pool.counted), None)
        rewarder = make_rewarder(self._config, judge)
        return Team(RemotePolicy(self._pools[0], "policy"), learners, annotators, rewarder=rewarder)

    def outlive(self, lost: WorkerLostError) -> None:
        """Say what died and let the run begin again from its newest checkpoint.

        Raises:
            UserError: It has done so `cluster.restarts` times.
        """
        self._restarts += 1
        most = self._settings.restarts
        if self._restarts > most:
            raise UserError(f"{lost}; cluster.restarts={most} are used up") from lost
        logger.warning("%s; the run goes on from its newest checkpoint (restart %d of %d)", lost, self._restarts, most)

    def close(self) -> None:
        """End all actors."""
        for pool in self._pools:
            pool.close()
        self._pools = []


@dataclass(frozen=True)
class _Notes:
    """Several workers of one rank that note something."""

    annotators: Sequence[Annotator]

    def annotate(self, batch: Batch) -> Batch:
        return annotate(batch, self.annotators)


def _make(values: Mapping[str, Any], checkpoint: Path | None, kinds: Sequence[str]) -> dict[str, Any]:
    """Return the workers of some kinds by name; called in each rank.

    The configuration comes as plain values: reading it also imports the files of a user's own algorithms, by which
    what is sent later is understood.
    """
    config = TrainConfig.model_validate(values)
    policy = make_policy(config, checkpoint) if "policy" in kinds else None
    learners = make_beside(config, checkpoint) if "learners" in kinds else []
    references = make_references(config, policy) if "reference" in kinds else []
    notes = notes_of(config, policy, references, learners)
    judge = make_judge(config) if "reward_model" in kinds else None
    made: dict[str, Any] = {"policy": policy} if policy else {}
    made |= {f"learner {number}": learner for number, learner in enumerate(learners)}
    made |= {_JUDGE: judge} if judge else {}
    return made | ({_NOTES: _Notes(notes)} if notes else {})
