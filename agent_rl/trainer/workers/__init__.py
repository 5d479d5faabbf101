"""Workers: they hold a model and compute on packed batches."""

from agent_rl.trainer.workers.policy import PolicyWorker

__all__ = ["PolicyWorker"]
