"""Policy losses, one file each: the formula and the paper, a plain function on tensors, its settings."""

from agent_rl.trainer.algorithms.base import register_loss
from agent_rl.trainer.algorithms.losses.cispo import Cispo, cispo
from agent_rl.trainer.algorithms.losses.clip import Clip, clip
from agent_rl.trainer.algorithms.losses.clip_cov import ClipCov
from agent_rl.trainer.algorithms.losses.covariance import covariance
from agent_rl.trainer.algorithms.losses.gmpo import Gmpo, gmpo
from agent_rl.trainer.algorithms.losses.gspo import Gspo, gspo
from agent_rl.trainer.algorithms.losses.kl_cov import KlCov, kl_cov
from agent_rl.trainer.algorithms.losses.luffy import Luffy, luffy
from agent_rl.trainer.algorithms.losses.reinforce import Reinforce, reinforce
from agent_rl.trainer.algorithms.losses.sapo import Sapo, sapo
from agent_rl.trainer.algorithms.losses.sppo import Sppo, sppo

for _kind in (Cispo, Clip, ClipCov, Gmpo, Gspo, KlCov, Luffy, Reinforce, Sapo, Sppo):
    register_loss(_kind.model_fields["name"].default, _kind)

__all__ = [
    "Cispo",
    "Clip",
    "ClipCov",
    "Gmpo",
    "Gspo",
    "KlCov",
    "Luffy",
    "Reinforce",
    "Sapo",
    "Sppo",
    "cispo",
    "clip",
    "covariance",
    "gmpo",
    "gspo",
    "kl_cov",
    "luffy",
    "reinforce",
    "sapo",
    "sppo",
]
