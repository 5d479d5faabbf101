"""lm-evaluation-harness: its generation tasks as an environment, over data of our own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import agent_rl
from agent_rl.core.errors import NotProvidedError, UserError
from agent_rl.core.message import assistant
from agent_rl.envs.adapters import lm_eval_bridge
from agent_rl.envs.adapters.lm_eval import LmEval
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection

SUMS: dict[str, Any] = {
    "task": "sums",
    "dataset_path": "json",
    "output_type": "generate_until",
    "training_split": "train",
    "test_split": "test",
    "fewshot_split": "train",
    "num_fewshot": 2,
    "description": "Add.\n\n",
    "doc_to_text": "Question: {{a}} + {{b}}\nAnswer:",
    "doc_to_target": "{{a + b}}",
    "generation_kwargs": {"until": ["\n\n", "Question:"], "do_sample": False},
    "filter_list": [
        {
            "name": "strict",
            "filter": [{"function": "regex", "regex_pattern": r"^\s*(-?\d+)$"}, {"function": "take_first"}],
        },
        {
            "name": "last",
            "filter": [
                {"function": "regex", "regex_pattern": r"(-?\d+)", "group_select": -1},
                {"function": "take_first"},
            ],
        },
    ],
    "metric_list": [
        {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True},
        {"metric": "ter", "aggregation": "ter", "higher_is_better": False},
    ],
}


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.getbasetemp() / "datasets")
    yield
    lm_eval_bridge.load.cache_clear()


def written(folder: Path, **changes: Any) -> str:
    """Write the task, with changes, and its data; return the file."""
    files = {}
    for first, split in ((0, "train"), (1000, "test")):
        rows = [{"a": first + 7 * i, "b": 3 * i} for i in range(12)]
        files[split] = str(folder / f"{split}.json")
        Path(files[split]).write_text(json.dumps(rows))
    task = SUMS | {"dataset_kwargs": {"data_files": files}} | changes
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in task.items() if value is not None}))
    return str(file)


def test_check_finds_nothing_wrong(tmp_path: Path) -> None:
    findings = list(check_environment(EnvSection(name="lm_eval", task=written(tmp_path))))
    assert [finding for finding in findings if finding.passed is False] == []
    assert {"repeatable", "solution", "wrong answer"} <= {finding.name for finding in findings if finding.passed}


def test_prompts_and_scores_are_those_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval import evaluator
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    said = ["1000", " 1010\n\nno, 7", "it is 1020", "Question: 1030", "1040.", ""]

    class Script(LM):
        """Says the same to the same tasks."""

        tokenizer_name = "none"

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            answers = []
            for request, text in zip(requests, said * 2, strict=True):
                for stop in request.args[1]["until"]:
                    text = text.split(stop)[0]
                answers.append(text)
            return answers

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            return json.dumps(chat_history)

    monkeypatch.setattr(evaluator, "add_env_info", lambda results: None)  # it takes ten seconds to describe the machine
    file = written(tmp_path)
    theirs = evaluator.simple_evaluate(
        Script(), tasks=[file], task_manager=TaskManager(include_defaults=False), apply_chat_template=True,
        fewshot_as_multiturn=True, bootstrap_iters=0,
    )  # fmt: skip
    samples = theirs["samples"]["sums"]
    env = LmEval(task=file)
    tasks = env.task_set("test")
    assert len(samples) == 2 * len(tasks) == 24
    for sample in samples:
        task = tasks[sample["doc_id"]]
        assert list(task.messages) == json.loads(sample["arguments"][0][0])
        env.reset(options={"task": task})
        _, reward, terminated, _, info = env.step(assistant((said * 2)[sample["doc_id"]]))
        ours = info["components"]
        assert terminated and ours[f"exact_match,{sample['filter']}"] == sample["exact_match"]
        assert reward == ours["exact_match,strict"]
    means = [
        sum(sample["exact_match"] for sample in samples if sample["filter"] == kind) / 12 for kind in ("strict", "last")
    ]
    assert means == [theirs["results"]["sums"][f"exact_match,{kind}"] for kind in ("strict", "last")] == [1 / 6, 1 / 3]


def test_a_training_task_is_no_example_in_its_own_prompt(tmp_path: Path) -> None:
    for shots, count in ((None, 2), (10, 10), (0, 0)):
        tasks = LmEval(task=written(tmp_path, fewshot_split="train"), shots=shots).task_set("train")
        assert len(tasks) == 12
        for task in tasks:
            asked = [message["content"] for message in task.messages if message["role"] == "user"]
            assert len(asked) == len(set(asked)) == count + 1


def test_the_reward_may_be_of_another_metric_and_filter(tmp_path: Path) -> None:
    env = LmEval(task=written(tmp_path), filter="last")
    env.reset(options={"split": "test", "task_id": "sums-test-1"})
    assert env.step(assistant("it is 1010"))[1] == 1.0
    env = LmEval(task=written(tmp_path), metric="ter", filter="last")
    env.reset(options={"split": "test", "task_id": "sums-test-1"})
    _, reward, _, _, info = env.step(assistant("it is 7"))
    assert reward == -info["components"]["ter,last"] == -100.0  # an error rate: less of it is better


@pytest.mark.parametrize(("setting", "hint"), [({"metric": "exact_mach"}, "exact_match"), ({"filter": "lst"}, "last")])
def test_an_unknown_metric_or_filter_is_named(tmp_path: Path, setting: dict[str, str], hint: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{hint}'"):
        LmEval(task=written(tmp_path), **setting)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"output_type": "multiple_choice", "generation_kwargs": None, "filter_list": None,
          "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
          "doc_to_choice": ["yes", "no"], "doc_to_target": 0}, "compares probabilities"),
        ({"unsafe_code": True}, "runs generated code"),
        ({"gen_prefix": "It is"}, "gen_prefix"),
        ({"dataset_kwargs": {"data_files": {"train": "no.json"}}}, "no.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_adapted_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        LmEval(task=written(tmp_path, **changes))


def test_votes_over_several_responses_are_left_out(tmp_path: Path) -> None:
    votes = [{"function": "take_first_k", "k": 8}, {"function": "majority_vote"}, {"function": "take_first"}]
    env = LmEval(task=written(tmp_path, filter_list=[{"name": "maj@8", "filter": votes}, SUMS["filter_list"][0]]))
    env.reset(seed=0)
    assert set(env.step(assistant("7"))[4]["components"]) == {"exact_match,strict", "ter,strict"}


def test_without_a_training_split_there_is_none(tmp_path: Path) -> None:
    env = LmEval(task=written(tmp_path, training_split=None))
    with pytest.raises(NotProvidedError, match="sums has no training split"):
        env.task_set("train")


def test_an_unknown_file_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match=r"there is no file no\.yaml"):
        agent_rl.make("lm_eval", task="no.yaml")
