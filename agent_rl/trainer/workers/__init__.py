"""Workers: they hold a model and compute on packed batches."""

from agent_rl.trainer.workers.policy import PolicyWorker
from agent_rl.trainer.workers.process import ProcessWorker
from agent_rl.trainer.workers.reference import AdaptedReference, ReferenceWorker
from agent_rl.trainer.workers.value import ValueWorker

__all__ = ["AdaptedReference", "PolicyWorker", "ProcessWorker", "ReferenceWorker", "ValueWorker"]
