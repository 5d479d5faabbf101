"""GDPO against its formula, computed in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Gdpo, gdpo

from .bandit import learn
from .conftest import group


def scored(right: list[float], short: list[float], seed: int = 0) -> Group:
    made = group([0.0] * len(right), seed)
    for t, r, s in zip(made.trajectories, right, short, strict=True):
        t.components = {"right": r, "short": s}
    return made


def test_components_are_normalised_by_themselves_summed_and_normalised_again():
    rng = np.random.default_rng(0)
    components, groups = [rng.normal(size=30), 100 * rng.normal(size=30)], rng.integers(4, size=30)
    total = np.zeros(30)
    for values, weight in zip(components, [1.0, 0.25], strict=True):
        for number in range(4):
            mine = groups == number
            total[mine] += weight * (values[mine] - values[mine].mean()) / (values[mine].std() + 1e-6)
    expected = (total - total.mean()) / (total.std() + 1e-6)
    found = gdpo([torch.from_numpy(values) for values in components], [1.0, 0.25], torch.from_numpy(groups))
    assert found.numpy() == pytest.approx(expected, rel=1e-12)


def test_only_components_with_a_weight_count_and_without_weights_each_counts_1():
    batch = make_batch([scored([0.0, 1.0, 1.0], [5.0, 2.0, 9.0]), scored([1.0, 0.0], [0.0, 3.0], 1)])
    one = Gdpo(weights={"right": 3.0}).advantages(batch).tolist()
    assert one == pytest.approx(batch.by_episode(gdpo([batch.components["right"]], [3.0], batch.groups)).tolist())
    both = Gdpo(weights={"right": 1.0, "short": 1.0}).advantages(batch)
    assert torch.equal(Gdpo().advantages(batch), both)


def test_better_in_both_is_more_than_better_in_one():
    batch = make_batch([scored([1.0, 0.0], [1.0, 0.0]), scored([1.0, 0.0], [0.0, 0.0], 1)])
    first = [float(part[0]) for part in Gdpo().advantages(batch).split(batch.lengths)]
    assert first[1] < first[3] < 0 < first[2] < first[0]  # GRPO gives 1 and -1 in either group


def test_a_component_that_no_episode_has_is_named():
    batch = make_batch([scored([1.0, 0.0], [0.0, 1.0])])
    with pytest.raises(UserError, match=r"no reward component 'rigth', did you mean 'right'\? \(there are: right, sho"):
        Gdpo(weights={"rigth": 1.0}).advantages(batch)
    with pytest.raises(UserError, match=r"no reward components to learn from \(there are: none\)"):
        Gdpo().advantages(make_batch([group([0.0, 1.0])]))


def test_episodes_that_were_all_cut_short_may_lack_what_is_scored_at_their_end():
    made = scored([1.0, 0.0], [0.0, 1.0])
    for t in made.trajectories:
        t.stop = StopReason.TURN_LENGTH
        del t.components["right"]
    batch = make_batch([made])
    both = Gdpo(weights={"right": 1.0, "short": 1.0}).advantages(batch)
    assert torch.equal(both, Gdpo(weights={"short": 1.0}).advantages(batch)) and both.any()
    assert not Gdpo(weights={"right": 1.0}).advantages(batch).any()


def test_equal_components_and_nothing_teach_nothing():
    assert Gdpo().advantages(make_batch([scored([0.1] * 3, [0.3] * 3)])).any().item() is False
    assert Gdpo(weights={"right": 1.0}).advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="gdpo")) > 0.9
