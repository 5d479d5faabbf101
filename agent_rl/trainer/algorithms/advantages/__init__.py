"""Estimators of advantages, one file each: the formula and the paper, a plain function on tensors, its settings."""

from agent_rl.trainer.algorithms.advantages.gae import AdaptiveGae, Gae, adaptive_lam, gae
from agent_rl.trainer.algorithms.advantages.gdpo import Gdpo, gdpo
from agent_rl.trainer.algorithms.advantages.gigpo import Gigpo, step_advantages
from agent_rl.trainer.algorithms.advantages.grpo import Grpo, grpo
from agent_rl.trainer.algorithms.advantages.opo import Opo, opo
from agent_rl.trainer.algorithms.advantages.pass_at_k import PassAtK, pass_at_k
from agent_rl.trainer.algorithms.advantages.prime import Prime, process_returns
from agent_rl.trainer.algorithms.advantages.reinforce_plus_plus import ReinforcePlusPlus, reinforce_plus_plus
from agent_rl.trainer.algorithms.advantages.remax import Remax, remax
from agent_rl.trainer.algorithms.advantages.rloo import Rloo, rloo
from agent_rl.trainer.algorithms.advantages.turn_grpo import TurnGrpo, turn_grpo
from agent_rl.trainer.algorithms.advantages.win_rate import WinRate, win_rate
from agent_rl.trainer.algorithms.base import register_advantage

register_advantage("gae", Gae)
register_advantage("gae_adaptive", AdaptiveGae)
register_advantage("gdpo", Gdpo)
register_advantage("gigpo", Gigpo)
register_advantage("grpo", Grpo)
register_advantage("opo", Opo)
register_advantage("pass_at_k", PassAtK)
register_advantage("prime", Prime)
register_advantage("reinforce_plus_plus", ReinforcePlusPlus)
register_advantage("remax", Remax)
register_advantage("rloo", Rloo)
register_advantage("turn_grpo", TurnGrpo)
register_advantage("win_rate", WinRate)

__all__ = [
    "AdaptiveGae",
    "Gae",
    "Gdpo",
    "Gigpo",
    "Grpo",
    "Opo",
    "PassAtK",
    "Prime",
    "ReinforcePlusPlus",
    "Remax",
    "Rloo",
    "TurnGrpo",
    "WinRate",
    "adaptive_lam",
    "gae",
    "gdpo",
    "grpo",
    "opo",
    "pass_at_k",
    "process_returns",
    "reinforce_plus_plus",
    "remax",
    "rloo",
    "step_advantages",
    "turn_grpo",
    "win_rate",
]
