"""Workers: they hold a model and compute on packed batches."""

from agent_rl.trainer.workers.generative import GenerativeReward
from agent_rl.trainer.workers.policy import PolicyWorker
from agent_rl.trainer.workers.process import ProcessWorker
from agent_rl.trainer.workers.reference import AdaptedReference, ReferenceWorker
from agent_rl.trainer.workers.scalar import ScalarReward
from agent_rl.trainer.workers.value import ValueWorker

__all__ = [
    "AdaptedReference",
    "GenerativeReward",
    "PolicyWorker",
    "ProcessWorker",
    "ReferenceWorker",
    "ScalarReward",
    "ValueWorker",
]
