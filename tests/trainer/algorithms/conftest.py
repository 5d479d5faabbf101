"""Groups of episodes made by hand."""

import random

from agent_rl.core.trajectory import Group

from ..conftest import trajectory


def group(rewards: list[float], seed: int = 0) -> Group:
    rng = random.Random(seed)
    made = [trajectory(rng, reward) for reward in rewards]
    for sample, one in enumerate(made):
        one.sample = sample
    return Group(f"t{seed}", made)
