"""A verl project's rows and reward functions, written as verl writes them, used here as they are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import Table, parquet

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call, tool_result
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.envs.adapters.verl import solution, turns
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection

REWARDS = """
import helper  # a neighbour of this file

def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return helper.ends(solution_str, ground_truth)

async def detailed(data_source, solution_str, ground_truth, extra_info, bonus=0.0):
    right = solution_str.endswith(ground_truth)
    return {"score": right + bonus, "acc": right, "turns": extra_info["num_turns"], "said": solution_str}

def broken(**rest):
    raise ValueError("no such thing")

def none(**rest):
    return None
"""


def row(number: int, split: str = "train") -> dict[str, Any]:
    return {
        "data_source": "openai/gsm8k" if number % 2 else "sums",
        "prompt": [{"role": "user", "content": f"{number}+1?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": str(number + 1)},
        "extra_info": {"split": split, "index": number},
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "my.py").write_text(REWARDS)
    (tmp_path / "helper.py").write_text("def ends(text, end):\n    return float(text.endswith(end))\n")
    parquet.write_table(Table.from_pylist([row(i) for i in range(20)]), tmp_path / "train.parquet")
    parquet.write_table(Table.from_pylist([row(i, "test") for i in range(50, 55)]), tmp_path / "test.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row(i)) + "\n" for i in range(10)))
    return tmp_path


@pytest.fixture
def made(project: Path) -> Callable[..., AgentEnv]:
    def make(function: str = "compute_score", **settings: Any) -> AgentEnv:
        given = {"data": project / "train.parquet", "reward": f"{project}/my.py:{function}"} | settings
        return agent_rl.make("verl", **given)

    return make


def test_check_finds_nothing_wrong(project: Path) -> None:
    section = EnvSection(name="verl", data=str(project / "train.parquet"), reward=f"{project}/my.py:compute_score")
    assert [finding for finding in check_environment(section) if finding.passed is False] == []


def test_rows_become_tasks_and_the_last_ones_are_held_out(made: Callable[..., AgentEnv]) -> None:
    env = made()
    train, test = env.tasks("train"), env.tasks("test")
    assert (len(train), [task.id for task in test]) == (18, ["test-18", "test-19"])
    assert train[1].messages == ({"role": "user", "content": "1+1?"},)
    assert train[1].attributes == {"data_source": "openai/gsm8k", "ability": "math"}
    assert train[1].answer == "2"


def test_test_rows_may_have_files_of_their_own(made: Callable[..., AgentEnv], project: Path) -> None:
    env = made(data=(project / "train.parquet", project / "rows.jsonl"), test_data=project / "test.parquet")
    assert (len(env.tasks("train")), len(env.tasks("test"))) == (30, 5)


def test_compute_score_is_the_reward(made: Callable[..., AgentEnv]) -> None:
    env = made()
    for said, score in (("It is 4", 1.0), ("5", 0.0)):
        env.reset(options={"task_id": "train-3"})
        assert env.step(assistant(said))[1:] == (score, True, False, {"components": {"score": score}})


def test_a_dictionary_of_scores_is_reported_by_name(made: Callable[..., AgentEnv]) -> None:
    env = made("detailed", reward_kwargs={"bonus": 0.5})
    env.reset(options={"task_id": "train-3"})
    _, reward, _, _, info = env.step(assistant("4"))
    assert reward == 1.5
    assert info["components"] == {"score": 1.5, "acc": 1.0, "turns": 2.0}


@pytest.mark.parametrize("function", ["broken", "none"])
def test_a_reward_function_that_fails_is_no_reward(made: Callable[..., AgentEnv], function: str) -> None:
    env = made(function)
    env.reset(seed=0)
    with pytest.raises(BrokenEnvironmentError, match="compute_score"):
        env.step(assistant("4"))


def test_the_solution_is_the_text_of_all_turns() -> None:
    call = tool_call("add", {})
    thoughtful = assistant("4")
    thoughtful["reasoning_content"] = "three and one"
    said = [assistant("Let me see.", [call]), tool_result("3", call), tool_result("1", call), thoughtful]
    assert solution(said) == "Let me see.\n3\n1\n<think>\nthree and one\n</think>\n\n4"
    assert turns(said) == 4  # the prompt, two messages of the agent, one round of answers


def test_wrong_files_are_the_users_to_mend(made: Callable[..., AgentEnv], project: Path) -> None:
    (project / "odd.jsonl").write_text('{"prompt": "no list of messages"}\n' * 3)
    (project / "one.jsonl").write_text(json.dumps(row(1)))
    for name, message in (("odd.jsonl", "'prompt'"), ("one.jsonl", "too few"), ("no.jsonl", "there is no file")):
        with pytest.raises(UserError, match=message):
            made(data=project / name).tasks("train")
    with pytest.raises(UserError, match=r"unknown split 'tset', did you mean 'test'"):
        made().tasks("tset")
    for reward in ("nowhere", "no.py:compute_score", f"{project}/my.py:no_such", "no_module:compute_score"):
        with pytest.raises(UserError, match=r"env\.reward"):
            made(reward=reward)


def test_tools_need_verl_itself(made: Callable[..., AgentEnv], project: Path) -> None:
    (project / "tools.yaml").write_text("tools: []\n")
    with pytest.raises(UserError, match="needs the package verl"):
        made(tools=project / "tools.yaml")
