"""The log of an evaluation, beside one that lm-evaluation-harness writes itself, and in the hands of its readers."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_rl.core.message import assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Group, Trajectory, Turn
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.lm_eval_log import sanitized, write_log
from agent_rl.evaluation.recorded import read_recorded
from agent_rl.evaluation.results import Subject, summarize

MINE = """
from agent_rl import Task, ToolEnv
from agent_rl.core.message import user


class Mine(ToolEnv):
    def tasks(self, split):
        return [Task(f"t-{n}", (user(f"{n} + 1?"),), str(n + 1), {"odd": n % 2}) for n in range(4)]
"""


def episode(task: int, sample: int, reward: float, failed: bool = False) -> Trajectory:
    call = tool_call("add", {"a": task, "b": 1})
    return Trajectory(
        f"t-{task}", sample,
        attributes={"odd": task % 2},
        turns=[Turn(0.0, 1, 0, 0.1, 0.1), Turn(reward, 0, 0, 0.1, 0.1)],
        messages=[
            user(f"{task} + 1?"),
            assistant("I add.", [call]), tool_result(str(task + 1), call), assistant(str(task + 1)),
        ],
        components={"right": reward}, stop=StopReason.ANSWERED, seconds=0.5, tools=[],
        failure=Failure(Cause.INFRASTRUCTURE, "add", "gone") if failed else None,
    )  # fmt: skip


@pytest.fixture
def logged(tmp_path: Path) -> list[Path]:
    """The files of a log of four tasks with two episodes each, all those of the third failed."""
    (tmp_path / "mine.py").write_text(MINE)
    rewards = [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0)]
    groups = [
        Group(f"t-{task}", [episode(task, sample, reward, task == 2) for sample, reward in enumerate(pair)])
        for task, pair in enumerate(rewards)
    ]
    subject = Subject(f"{tmp_path}/mine.py:Mine", "runs/a:b", "test", 2, 1.0, 7, 1.0)
    folder = EvaluationFolder(tmp_path / "base")
    folder.record(groups, summarize(groups, subject))
    config = {"env": {"name": subject.env, "wrappers": []}, "rollout": {"limits": {"turn_tokens": 64}}}
    (folder.path / "config.yaml").write_text(yaml.safe_dump(config))
    (folder.path / "run.json").write_text(json.dumps({"started": "2026-01-02T03:04:05+00:00", "commit": "abc"}))
    return write_log(read_recorded(folder.path), tmp_path / "log")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of a log that the package writes of a model that says nothing new."""
    datasets = pytest.importorskip("datasets")
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(evaluator, "add_env_info", lambda results: None)  # it takes ten seconds to describe the machine
    rows = [{"a": n} for n in range(4)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    task = {
        "task": "sums", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(tmp_path / "rows.json")}},
        "output_type": "generate_until", "test_split": "test",
        "doc_to_text": "{{a}} + 1?", "doc_to_target": "{{a + 1}}",
        "repeats": 2, "generation_kwargs": {"until": ["\n"], "do_sample": True, "temperature": 1.0},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(task))
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs"))
    results = evaluator.simple_evaluate(
        "dummy", tasks=[str(tmp_path / "sums.yaml")], task_manager=TaskManager(include_defaults=False),
        evaluation_tracker=tracker, bootstrap_iters=100,
    )  # fmt: skip
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    tracker.save_results_samples("sums", samples["sums"])
    found = sorted((tmp_path / "theirs").rglob("*.json*"))
    return [next(file for file in found if file.name.startswith(kind)) for kind in ("results_", "samples_")]


def read(files: list[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return json.loads(files[0].read_text()), [json.loads(line) for line in files[1].read_text().splitlines()]


def test_fields_and_their_types_are_those_of_the_package(logged: list[Path], theirs: list[Path]) -> None:
    ours, our_samples = read(logged)
    real, real_samples = read(theirs)
    assert set(real) - set(ours) == {"total_evaluation_time_seconds"}
    assert set(ours) - set(real) == {"agent_rl_version"}
    for key in set(ours) & set(real) - {"git_hash", "fewshot_as_multiturn"}:  # which may be null there
        assert type(ours[key]) is type(real[key]), key
    assert set(ours["config"]) == set(real["config"]) and set(ours["config"]["model_args"]) == {"model"}
    assert set(ours["configs"]["mine"]) <= set(real["configs"]["sums"])
    assert set(ours["n-samples"]["mine"]) == set(real["n-samples"]["sums"])
    plain = {"name", "alias", "sample_len"}
    assert plain <= set(ours["results"]["mine"]) and plain <= set(real["results"]["sums"])
    for sample in our_samples:
        assert set(sample) - set(sample["metrics"]) == set(real_samples[0]) - set(real_samples[0]["metrics"])
        for key in set(sample) - set(sample["metrics"]):
            assert type(sample[key]) is type(real_samples[0][key]), key
        assert all(isinstance(sample[metric], float) for metric in sample["metrics"])
        assert set(sample["arguments"]["gen_args_0"]) == set(real_samples[0]["arguments"]["gen_args_0"])
        assert [len(responses) for responses in sample["resps"]] == [2] == [len(r) for r in real_samples[0]["resps"]]


def test_the_packages_readers_take_it(logged: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from lm_eval import utils

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    results, samples = read(logged)
    names = [str(file) for file in logged]
    assert utils.get_results_filenames(names) == names[:1] and utils.get_sample_results_filenames(names) == names[1:]
    assert utils.get_file_task_name(logged[1].name) == "mine"
    assert utils.get_file_datetime(logged[1].name) == utils.get_file_datetime(logged[0].name).removesuffix(".json")
    assert logged[0].parent.name == utils.sanitize_model_name("runs/a:b") == sanitized("runs/a:b")
    table = utils.make_table(results)
    assert "|mine " in table and "|success" in table and "0.5000|±  |0.2887|" in table
    loaded = datasets.load_dataset("json", data_files=names[1], split="train")
    assert loaded["doc_id"] == [0, 1, 3] and loaded["reward"] == [0.5, 1.0, 0.0]
    whole = datasets.load_dataset("json", data_files=names[0], split="train")
    assert whole[0]["results"]["mine"]["reward,none"] == 0.5
    hashes = "".join(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples)
    assert results["task_hashes"] == {"mine": utils.hash_string(hashes)}


def test_means_and_errors_are_the_packages(logged: list[Path]) -> None:
    from lm_eval.api.metrics import mean, mean_stderr

    results, samples = read(logged)
    assert results["n-samples"]["mine"] == {"original": 4, "effective": 3}
    for metric in samples[0]["metrics"]:
        values = [sample[metric] for sample in samples]
        shown = results["results"]["mine"]
        assert math.isclose(shown[f"{metric},none"], mean(values), abs_tol=1e-12)
        assert math.isclose(shown[f"{metric}_stderr,none"], mean_stderr(values), abs_tol=1e-12)
    assert samples[1]["target"] == "2" and samples[1]["filtered_resps"] == [["2", "2"]]
