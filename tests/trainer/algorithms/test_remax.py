"""ReMax against its formula; what it asks of a rollout; groups whose greedy episode failed."""

import pytest

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.trajectory import Group, StopReason
from agent_rl.rollout.feed import Rollout
from agent_rl.trainer.algorithms import ADVANTAGES, AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Remax
from agent_rl.trainer.metrics import rollout_metrics
from agent_rl.trainer.settings import TrainConfig

from .bandit import learn
from .conftest import group


def compared(rewards: list[float], baseline: float, seed: int = 0, failed: bool = False) -> Group:
    """Return a group with a greedy episode of two parts, the second of which bears the reward."""
    made, (first, second) = group(rewards, seed), group([0.0, baseline], seed + 100).trajectories
    first.sample = second.sample = len(rewards)
    first.stop, second.part = StopReason.REWRITTEN, 1
    if failed:
        first.failure = second.failure = InfrastructureError("engine", "gone").failure()
    return Group(made.task_id, made.trajectories, [first, second])


def test_each_episode_is_compared_with_the_greedy_one_of_its_task():
    batch = make_batch([compared([0.0, 1.0, 0.25], 0.5), compared([2.0], 0.0, 1)])
    parts = Remax().advantages(batch).split(batch.lengths)
    assert [set(part.tolist()) for part in parts] == [{-0.5}, {0.5}, {-0.25}, {2.0}]
    assert batch.baselines.tolist() == [0.5, 0.5, 0.5, 0.0]


def test_the_greedy_episode_is_no_sample_and_counts_apart():
    groups = [compared([0.0, 1.0], 1.0), compared([1.0, 1.0], 0.0, 1)]
    batch = make_batch(groups)
    greedy = {id(t) for g in groups for t in g.baseline}
    assert len(batch.trajectories) == 4 and not greedy & {id(t) for t in batch.trajectories}
    metrics = rollout_metrics(Rollout(groups, []), 0, 1.0)
    assert (metrics["reward/mean"], metrics["success/mean"]) == (0.75, 0.75)
    assert (metrics["baseline/reward"], metrics["baseline/success"], metrics["baseline/failed"]) == (0.5, 0.5, 0.0)
    assert not any(name.startswith("baseline") for name in rollout_metrics(Rollout([group([1.0])], []), 0, 1.0))


def test_without_its_greedy_episode_a_group_teaches_nothing_but_its_rewards_are_known():
    failed = compared([0.0, 1.0], 1.0, failed=True)
    assert not failed.informative and make_batch([failed]).trajectories == []
    metrics = rollout_metrics(Rollout([failed, compared([1.0], 1.0, 1)], []), 0, 1.0)
    assert metrics["reward/mean"] == pytest.approx(2 / 3) and metrics["baseline/failed"] == 1.0
    assert metrics["baseline/reward"] == 1.0


def test_a_group_says_something_where_it_differs_from_its_greedy_episode():
    assert compared([1.0, 1.0], 0.0).informative and not compared([1.0, 1.0], 1.0).informative
    assert compared([1.0], 0.0).informative and compared([0.0, 1.0], 1.0).informative


def test_one_without_a_baseline_knows_none_and_an_empty_step_nothing():
    assert make_batch([group([1.0, 0.0])]).baselines.isnan().all()
    assert Remax().advantages(make_batch([])).tolist() == []


def test_a_rollout_must_have_room_for_the_greedy_episode():
    config = {"engine": {"name": "embedded", "rows": 8}, "rollout": {"concurrency": 16}, "eval": {"samples": 1}}
    TrainConfig(**config, algorithm=AlgorithmSettings(samples=8))
    with pytest.raises(ValueError, match="concurrency=16 is too small"):
        TrainConfig(**config, algorithm=AlgorithmSettings(samples=8, advantage="remax"))


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="remax", samples=4)) > 0.9


def test_no_other_estimator_asks_for_greedy_episodes():
    asking = [name for name in ADVANTAGES if AlgorithmSettings(advantage=name).episodes != AlgorithmSettings().samples]
    assert asking == ["remax"]
