"""Policy filtration: of each group only some episodes are learned from, chosen by the rank of their rewards.

    best          the best episode
    best_random   the best, and one of the others at random
    best_worst    the best and the worst

Zhang et al. 2024, Policy Filtration for RLHF to Mitigate Noise in Reward Models, arXiv:2409.06957 (PF-PPO): a model's
rewards are the more reliable the further out they are. There, policy and value model learn by PPO from a buffer of what
is kept, drawn with replacement by the weights of the ranks; here each chosen episode is there once, and the buffer is
the step. Of equal rewards the earlier sample ranks higher. Metrics of a step are of all its episodes.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group

Keep = Literal["all", "best", "best_random", "best_worst"]


def filtered(groups: Sequence[Group], keep: Keep, step: int) -> list[Group]:
    """Return the groups with what is learned from; `best_random` draws by the step, the place and the task."""
    if keep == "all":
        return list(groups)
    return [
        _filtered(group, keep, Random(derive(step, "filtration", place, group.task_id)))
        for place, group in enumerate(groups)
    ]


def chosen(rewards: Sequence[float], keep: Keep, random: Random) -> list[int]:
    """Return the places of the episodes that are kept, ascending; of one episode or none, all."""
    ranked = sorted(range(len(rewards)), key=lambda i: (-rewards[i], i))
    if keep == "all" or len(ranked) < 2:
        return sorted(ranked)
    others = {"best": [], "best_random": [random.choice(ranked[1:])], "best_worst": [ranked[-1]]}
    return sorted([ranked[0], *others[keep]])


def _filtered(group: Group, keep: Keep, random: Random) -> Group:
    usable = group.usable
    places = chosen(group.rewards, keep, random)
    return replace(group, trajectories=[part for place in places for part in usable[place]])
