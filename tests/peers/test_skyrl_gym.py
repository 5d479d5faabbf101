"""SkyRL-Gym: its own environments, over rows as SkyRL writes them."""

import json
from pathlib import Path
from typing import Any

import pytest

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection

MINE = """
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput


class Echo(BaseTextEnv):
    def __init__(self, env_config=None, extras={}):
        super().__init__()
        self.word, self.max_turns = env_config["word"], extras["max_turns"]

    def init(self, prompt):
        return [*prompt, {"role": "user", "content": f"Say {self.word}."}], {}

    def step(self, action):
        self.turns += 1
        right = action == self.word
        return BaseTextEnvStepOutput(
            observations=[] if right else [{"role": "user", "content": "Again."}],
            reward=float(right), done=right or self.turns == self.max_turns, metadata={"length": len(action)},
        )

    def get_metrics(self):
        return {"turns": self.turns}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "data_source": "gsm8k",
            "env_class": "gsm8k" if i % 2 else "gsm8k_multi_turn",
            "prompt": [{"role": "user", "content": f"{i}+1?"}],
            "reward_spec": {"method": "rule", "ground_truth": str(i + 1)},
            "extra_info": {"split": "train", "index": i},
        }
        for i in range(20)
    ]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_check_finds_nothing_wrong(data: Path) -> None:
    findings = list(check_environment(EnvSection(name="skyrl_gym", data=str(data))))
    assert [finding for finding in findings if finding.passed is False] == []


def test_its_gsm8k_scores_one_answer(data: Path) -> None:
    env = agent_rl.make("skyrl_gym", data=data)
    for said, reward in (("#### 4", 1.0), ("4", 0.0)):
        messages, _ = env.reset(options={"task_id": "train-3"})
        assert messages == [{"role": "user", "content": "3+1?"}]
        assert env.step(assistant(said))[:4] == ([], reward, True, False)


def test_its_multi_turn_gsm8k_rewards_each_turn(data: Path) -> None:
    env = agent_rl.make("skyrl_gym", data=data, max_turns=4)
    env.reset(options={"task_id": "train-2"})
    answers, reward, terminated, *_ = env.step(assistant("#### 9"))
    assert answers[0]["role"] == "user" and reward == pytest.approx(0.2 / 4) and not terminated
    _, reward, terminated, _, info = env.step(assistant("#### 3"))
    assert (reward, terminated, info["components"]["steps"]) == (1.0, True, 2.0)


def test_an_environment_of_a_users_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    env = agent_rl.make("skyrl_gym", data=data, id=f"{tmp_path}/mine.py:Echo", config={"word": "blue"}, max_turns=2)
    assert env.reset(seed=0)[0][-1]["content"] == "Say blue."
    assert env.step(assistant("red"))[0] == [{"role": "user", "content": "Again."}]
    _, reward, terminated, _, info = env.step(assistant("blue"))
    assert (reward, terminated, info["components"]) == (1.0, True, {"length": 4.0, "turns": 2.0})


def test_an_unknown_environment_is_the_users_to_mend(data: Path) -> None:
    with pytest.raises(UserError, match=r"env\.id"):
        agent_rl.make("skyrl_gym", data=data, id="no_such").reset(seed=0)
