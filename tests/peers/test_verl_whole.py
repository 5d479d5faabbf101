"""verl as it is, its `__init__` and all: its own data set and tools beside ours, on the same project.

It runs in a process of its own, because `import verl` brings torch and Ray, and the other tests put empty packages in
verl's place.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.peers.test_verl import lay_out

SCRIPT = """
import json, sys
from pathlib import Path
import verl
from omegaconf import OmegaConf
from verl.utils.dataset.rl_dataset import RLHFDataset
import agent_rl
from agent_rl.core.message import assistant, tool_call

folder = Path(sys.argv[1])
data = str(folder / "train.parquet")
config = OmegaConf.create({"cache_dir": str(folder / "cache"), "filter_overlong_prompts": False})
theirs = RLHFDataset(data_files=data, tokenizer=None, config=config)
env = agent_rl.make("verl", data=data, reward=f"{folder}/my.py:compute_score", tools=folder / "tools.yaml")
ours = [*env.tasks("train"), *env.tasks("test")]
env.reset(options={"task_id": "train-3"})
looked = env.step(assistant("", [tool_call("look_up", {"name": "it"})]))[0][0]["content"]
reward = env.step(assistant("It is word3."))[1]
print(json.dumps({
    "version": verl.__version__,
    "theirs": [theirs[i]["raw_prompt"] for i in range(len(theirs))],
    "ours": [list(task.messages) for task in ours],
    "their_rules": [theirs[i]["reward_model"] for i in range(len(theirs))],
    "our_rules": [task.data["reward_model"] for task in ours],
    "looked": looked, "reward": reward, "protocol": verl.DataProto.__module__,
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    missing = [name for name in ("torch", "tensordict", "datasets") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"verl's __init__ and its data set need {', '.join(missing)}")
    folder = lay_out(tmp_path_factory.mktemp("project"))
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_our_tasks_are_the_rows_of_verls_own_data_set(seen: dict[str, Any]) -> None:
    assert len(seen["theirs"]) == 10
    assert seen["ours"] == seen["theirs"]
    assert seen["our_rules"] == seen["their_rules"]


def test_tools_and_rewards_work_where_verl_is_whole(seen: dict[str, Any]) -> None:
    assert (seen["version"], seen["protocol"]) == ("0.9.1", "verl.protocol")
    assert seen["looked"] == "Here word3 ['name'] 1"
    assert seen["reward"] == 1.0
