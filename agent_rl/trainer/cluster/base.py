"""What a cluster is, and how to come by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from agent_rl.core.errors import UserError
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import Team


class WorkerLostError(UserError):
    """The process of a worker, or its machine, is gone, and what it held with it."""


class Cluster(Protocol):
    """Decides where the workers of a run live."""

    def team(self, checkpoint: Path | None) -> Team:
        """Return the workers as they were at a checkpoint, or at first; those handed out before are gone then.

        Raises:
            UserError: One cannot be made.
        """
        ...

    def outlive(self, lost: WorkerLostError) -> None:
        """Let the run begin again from its newest checkpoint.

        Raises:
            UserError: It has done so too often.
        """
        ...


@contextmanager
def open_cluster(config: TrainConfig) -> Iterator[Cluster]:
    """Yield the cluster of a run; behind the block nothing of it is left.

    Raises:
        UserError: It cannot be had.
    """
    if isinstance(config.cluster, RaySettings):
        from agent_rl.trainer.cluster.actors import RayCluster

        with RayCluster.open(config, config.cluster) as cluster:
            yield cluster
    else:
        from agent_rl.trainer.cluster.inline import InlineCluster

        yield InlineCluster(config)


def lost_worker(error: BaseException) -> WorkerLostError | None:
    """Return the loss of a worker that `error` tells of, be it itself or what caused it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, WorkerLostError):
        cause = cause.__cause__
    return cause
