"""What the trainer made of each sampled token: what the update computed, in the order of the step's files."""

import random
from pathlib import Path

import pytest
import torch

from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.learned import read_learned
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.batches import mini_batches, noted
from agent_rl.trainer.learned import Learned

from .conftest import trajectory
from .test_policy import sample, samples, worker


def written(path: Path, learned: Learned, played: list[Trajectory], beside: list[Trajectory]) -> Path:
    file = path / "learned" / "step_000001.npz"
    learned.write(file, played, beside)
    return file


@pytest.mark.parametrize("micro_tokens", [1, 60, 10_000])
def test_an_update_tells_the_log_probabilities_of_before_it(small_model, micro_tokens):
    batch, made = samples(), worker(small_model, micro_tokens, lr=0.1)
    before = made.logprobs(batch)
    made.update(batch, AlgorithmSettings(), 3)
    assert made.computed().tolist() == pytest.approx(before.tolist(), abs=1e-5)
    assert (made.logprobs(batch) - before).abs().max() > 0.01
    made.update(batch[:2], AlgorithmSettings(), 3)
    assert len(made.computed()) == sum(sample.trained for sample in batch[:2])


def test_tokens_that_are_not_computed_have_none(small_model):
    batch = [sample(one.trajectory, 0.0 if number % 2 else 0.5) for number, one in enumerate(samples(4))]
    made = worker(small_model)
    made.update(batch, AlgorithmSettings(), 3)
    parts = made.computed().split([sample.trained for sample in batch])
    assert [bool(part.isnan().all()) for part in parts] == [False, True, False, True]
    assert not parts[0].isnan().any()
    made.update(batch, AlgorithmSettings(entropy=0.1), 3)  # which computes all
    assert not made.computed().isnan().any()


def test_the_file_is_in_the_order_of_the_trajectories_whatever_was_learned_when(tmp_path):
    batch, learned = samples(7), Learned()
    for part in mini_batches(batch, 3):
        learned.note(part, torch.cat([one.engine_logprobs for one in part]) + 1)
    silent, dropped = Trajectory("never spoke"), trajectory(random.Random(5), 0.0, turns=1)
    played = [silent, *(one.trajectory for one in reversed(batch)), dropped]
    file = written(tmp_path, learned, played, [])
    assert read_learned(file, 0) == {"logprobs": [], "advantages": []}
    for number, one in enumerate(reversed(batch), start=1):
        found = read_learned(file, number)
        assert found["logprobs"] == pytest.approx([p + 1 for p in one.trajectory.drawn_logprobs], abs=1e-6)
        assert found["advantages"] == pytest.approx(one.advantages.tolist(), abs=1e-6)
    assert set(read_learned(file, 8)["advantages"]) == {None}


def test_what_was_recomputed_before_the_step_goes_first_and_a_waiting_policy_has_nothing(tmp_path):
    batch, learned = samples(2), Learned()
    old = torch.linspace(-3, -1, sum(one.trained for one in batch), dtype=torch.float64)
    recomputed = noted(batch, {"old": old})
    learned.note(recomputed[:1], torch.zeros(batch[0].trained))
    learned.note(recomputed[1:], None)
    file = written(tmp_path, learned, [one.trajectory for one in batch], [])
    found = [value for number in range(2) for value in read_learned(file, number)["logprobs"]]
    assert found == pytest.approx(old.tolist(), abs=1e-6)
    learned = Learned()
    learned.note(batch, None)
    file = written(tmp_path, learned, [one.trajectory for one in batch], [])
    assert set(read_learned(file, 1)["logprobs"]) == {None}
    assert None not in read_learned(file, 1)["advantages"]


def test_what_was_played_beside_is_told_apart(tmp_path):
    (one, shown), learned = samples(2), Learned()
    learned.note([one, shown], torch.zeros(one.trained + shown.trained))
    file = written(tmp_path, learned, [one.trajectory], [shown.trajectory])
    assert len(read_learned(file, 0)["logprobs"]) == one.trained
    assert len(read_learned(file, 0, beside=True)["logprobs"]) == shown.trained
    with pytest.raises(KeyError):
        read_learned(written(tmp_path, learned, [one.trajectory], []), 0, beside=True)
    assert read_learned(tmp_path / "nothing.npz", 0) is None


def test_steps_that_a_resumed_run_takes_again_are_dropped(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    for step in (1, 2, 3):
        learned = Learned()
        learned.write(folder.learned_file(step), [], [])
    folder.drop_after(2)
    assert sorted(file.name for file in folder.learned.iterdir()) == ["step_000001.npz", "step_000002.npz"]
