"""Two gloo ranks learn what one process learns, and go on from what either left."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from agent_rl.models.loading import load_model
from agent_rl.models.settings import ModelSettings
from agent_rl.trainer.workers import ReferenceWorker

from . import scenarios
from .scenarios import ON_RANKS, SCENARIOS, Result

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
_SAVED = ("saved", "continued", "saved_behind", "continued_from_behind")
IN_FLOAT32 = ["in_float32", "together_in_float32", "scored", "together_scores", *_SAVED]
TOGETHER = [name for name in SCENARIOS if name.startswith("together")]
TOLERANCE = dict.fromkeys(TOGETHER, 1e-12) | dict.fromkeys(IN_FLOAT32, 1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ranks")
    for name in ("one", "two"):
        (made / name).mkdir()
    return made


@pytest.fixture(scope="module")
def one(folder: Path) -> dict[str, Result]:
    """Return what each scenario is in one process."""
    return {name: scenario(folder / "one") for name, scenario in SCENARIOS.items()}


@pytest.fixture(scope="module")
def two(folder: Path, one: dict[str, Result]) -> list[dict[str, Any]]:
    """Return what each scenario is on each of two ranks; they are started once."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.trainer.ranks.scenarios"]
    with (folder / "log").open("wb") as log:
        ranks = [
            subprocess.Popen([*command, str(rank), folder / "two"], cwd=ROOT, env=environment, stdout=log, stderr=log)
            for rank in range(2)
        ]
        for rank in ranks:
            rank.wait(600)
    assert [rank.returncode for rank in ranks] == [0, 0], (folder / "log").read_text()
    return [torch.load(folder / "two" / f"{rank}.pt", weights_only=False) for rank in range(2)]


def result(two: list[dict[str, Any]], name: str) -> Result:
    """Return what both ranks say of a scenario."""
    for of_rank in two:
        failed = [f"{which}: {told}" for which, told in of_rank.items() if isinstance(told, str)]
        assert name in of_rank and not isinstance(of_rank[name], str), "\n".join(failed)
    first, second = (of_rank[name] for of_rank in two)
    for metrics, others in zip(first.get("metrics", []), second.get("metrics", []), strict=True):
        assert metrics == pytest.approx(others, rel=0, abs=0, nan_ok=True)
    for kind in ("weights", "notes"):
        for key, tensor in first.get(kind, {}).items():
            assert torch.equal(tensor, second[kind][key])
    return first


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-12))


@pytest.mark.parametrize("name", SCENARIOS)
def test_metrics_notes_and_weights_are_those_of_one_process_on_every_rank(one, two, name):
    found, expected, tolerance = result(two, name), one[name], TOLERANCE.get(name, 1e-9)
    assert len(found["metrics"]) == len(expected["metrics"])
    for metrics, others in zip(found["metrics"], expected["metrics"], strict=True):
        assert metrics == pytest.approx(others, rel=10 * tolerance, abs=tolerance, nan_ok=True)
    for kind in ("weights", "notes"):
        assert found.get(kind, {}).keys() == expected.get(kind, {}).keys()
        for key, tensor in expected.get(kind, {}).items():
            assert off(found[kind][key], tensor) < tolerance, key


def test_something_was_learned_in_them(one, two):
    before = scenarios.weights(scenarios.model())
    for name in ("clip_with_a_reference", "one_sample", "offloaded", "adapters", "together_with_shared_prompts"):
        moved = result(two, name)["weights"]
        assert any(off(moved[key], tensor) > 1e-3 for key, tensor in before.items()), name
    still = result(two, "nothing_to_learn")["weights"]
    assert all(torch.equal(still[key], tensor) for key, tensor in before.items())


def test_what_is_not_a_number_on_one_rank_is_skipped_by_both(two):
    metrics = result(two, "not_a_number_on_one_rank")["metrics"]
    assert [each["policy/skipped_updates"] for each in metrics[:2]] == [1.0, 0.0]


@pytest.mark.parametrize(("left", "begun"), [("saved", "continued"), ("saved_behind", "continued_from_behind")])
def test_a_saved_state_continues_as_if_it_had_never_stopped(two, left, begun):
    went_on, came_back = result(two, left), result(two, begun)
    assert came_back["metrics"] == went_on["metrics"]
    assert all(torch.equal(came_back["weights"][key], tensor) for key, tensor in went_on["weights"].items())


def test_two_ranks_continue_what_one_process_saved_and_the_other_way_round(one, two, folder):
    for found in (result(two, "saved_by_one"), scenarios.continued(folder / "two")):
        for metrics, others in zip(found["metrics"], one["saved"]["metrics"], strict=True):
            assert metrics == pytest.approx(others, rel=1e-4, abs=1e-5)
        for key, tensor in one["saved"]["weights"].items():
            assert off(found["weights"][key], tensor) < 1e-5


def test_the_checkpoint_is_a_plain_model_and_adapters_beside_it_are_peft_s(folder, two):
    plain, _ = result(two, "adapters"), folder
    at = folder / "two" / "adapters"
    assert {file.name for file in at.iterdir() if file.is_file()} >= {"config.json", "model.safetensors", "trainer.pt"}
    from peft import PeftModel

    loaded = PeftModel.from_pretrained(scenarios.model(), at / "adapter").merge_and_unload()
    for key, tensor in scenarios.weights(loaded).items():
        assert off(tensor, plain["weights"][key]) < 1e-9


def test_lower_precision_is_that_of_layers_alone(one, two):
    found = result(two, "computed_in_bfloat16")
    assert found["computed"] == {torch.bfloat16} and found["kept"] == {torch.float32}
    first, exact = found["metrics"][0], one["in_float32"]["metrics"][0]
    assert first["policy/loss"] == pytest.approx(exact["policy/loss"], rel=0.02)
    assert first["policy/grad_norm"] == pytest.approx(exact["policy/grad_norm"], rel=0.05)
    assert first != exact


def test_each_rank_keeps_a_part_of_every_matrix(two):
    every = {name: parameter.numel() for name, parameter in scenarios.model().named_parameters()}
    kept = [of_rank["parts_of_the_weights"]["parts"] for of_rank in two]
    assert all(kept[0][name] + kept[1][name] == size for name, size in every.items())
    assert all(sum(of_rank.values()) < 0.6 * sum(every.values()) for of_rank in kept)


def test_rank_0_alone_reads_a_model(two):
    found, other = (of_rank["read_by_rank_0_alone"] for of_rank in two)
    assert (found["read"], other["read"]) == (["tiny"], [])
    assert (found["began"], other["began"]) == ({"cpu"}, {"meta"})
    read, tokenizer = load_model(ModelSettings(path="tiny", device="cpu"))
    assert found["vocabulary"] == other["vocabulary"] == len(tokenizer)
    alone = ReferenceWorker(read, 60, 1.0).annotate(scenarios.step(2)).notes["reference"]
    for each in (found, other):
        assert all(torch.equal(each["weights"][key], tensor) for key, tensor in scenarios.weights(read).items())
        assert each["reference"].tolist() == pytest.approx(alone.tolist(), rel=1e-6)


def test_heads_that_cannot_be_shared_out_are_refused(two):
    for of_rank in two:
        told = of_rank["heads_that_cannot_be_shared_out"]["told"]
        assert "worker.sequence_parallel=2 does not go with 3 attention heads over 2" in told


def test_a_failure_of_rank_0_is_told_to_all(two):
    assert [of_rank["failures_are_told_to_all"]["told"] for of_rank in two] == ["there is no such thing"] * 2


def test_no_scenario_is_left_out(two):
    assert all(of_rank.keys() == (SCENARIOS | ON_RANKS).keys() for of_rank in two)
