"""verl: its tools and its own compute_score."""

from pathlib import Path
from typing import Any

import pytest

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.envs.adapters.verl_tools import load_tools
from agent_rl.envs.base import AgentEnv

pytestmark = pytest.mark.usefixtures("verl_without_its_engines")

TOOLS = '''
from verl.tools.base_tool import BaseTool
from verl.tools.schemas import ToolResponse


class Shelf(BaseTool):
    """Keeps what it was created with, for as long as verl keeps an instance."""

    open = {}

    async def create(self, instance_id=None, create_kwargs=None, **kwargs):
        instance_id, response = await super().create(instance_id)
        self.open[instance_id] = create_kwargs
        return instance_id, response

    async def execute(self, instance_id, parameters, **kwargs):
        if parameters["name"] == "bug":
            raise KeyError("bug")
        found = self.open[instance_id]["shelf"].get(parameters["name"], "nothing")
        text = f"{self.config['greeting']} {found} {sorted(parameters)} {len(self.open)}"
        return ToolResponse(text=text), 0.25, {}

    async def release(self, instance_id, **kwargs):
        del self.open[instance_id]
'''
YAML = """
tools:
  - class_name: "shelf_tools.Shelf"
    config: {type: native, greeting: Here,}
    tool_schema:
      type: function
      function:
        name: look_up
        description: Look something up.
        parameters:
          type: object
          properties:
            name: {type: string, description: What to look up.}
            kind: {type: string, enum: [book, film]}
          required: [name]
"""
REWARD = """
def compute_score(data_source, solution_str, ground_truth, extra_info):
    return {"score": float(ground_truth in solution_str), "tools": sum(extra_info["tool_rewards"])}
"""


def lay_out(folder: Path) -> Path:
    """Write a verl project into `folder`: rows, a tool and a reward."""
    from pyarrow import Table, parquet

    rows = [
        {
            "data_source": "openai/gsm8k",
            "prompt": [{"role": "user", "content": f"What is {i}?"}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": f"word{i}"},
            "extra_info": {
                "index": i,
                "need_tools_kwargs": True,
                "tools_kwargs": {"look_up": {"create_kwargs": {"shelf": {"it": f"word{i}"}}}},
            },
        }
        for i in range(10)
    ]
    parquet.write_table(Table.from_pylist(rows), folder / "train.parquet")
    (folder / "shelf_tools.py").write_text(TOOLS)
    (folder / "tools.yaml").write_text(YAML)
    (folder / "my.py").write_text(REWARD)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("project"))


@pytest.fixture
def env(project: Path) -> AgentEnv:
    return agent_rl.make(
        "verl", data=project / "train.parquet", reward=f"{project}/my.py:compute_score", tools=project / "tools.yaml"
    )


def look(name: str, **rest: Any) -> Any:
    return assistant("", [tool_call("look_up", {"name": name, **rest})])


def test_the_tools_of_a_yaml_file_are_offered_as_written(env: AgentEnv) -> None:
    _, info = env.reset(options={"task_id": "train-3"})
    [tool] = info["tools"]
    assert tool["function"]["name"] == "look_up"
    assert tool["function"]["parameters"]["properties"]["kind"] == {"type": "string", "enum": ["book", "film"]}


def test_a_tool_is_created_with_the_rows_arguments_executed_and_released(env: AgentEnv) -> None:
    env.reset(options={"task_id": "train-3"})
    for _ in range(2):
        assert env.step(look("it"))[0][0]["content"] == "Here word3 ['name'] 1"
    assert env.step(look("it", kind="film"))[0][0]["content"] == "Here word3 ['kind', 'name'] 1"
    _, reward, terminated, _, info = env.step(assistant("It is word3."))
    assert (reward, terminated, info["components"]) == (1.0, True, {"score": 1.0, "tools": 0.75})


def test_wrong_arguments_are_answered_and_bugs_are_failures(env: AgentEnv) -> None:
    env.reset(seed=0)
    assert env.step(look("it", kind="song"))[0][0]["content"].startswith("Error: argument 'kind'")
    with pytest.raises(BrokenEnvironmentError, match="KeyError"):
        env.step(look("bug"))


def test_its_own_compute_score_is_the_default(project: Path) -> None:
    from verl.utils.reward_score import default_compute_score

    env = agent_rl.make("verl", data=project / "train.parquet")
    env.reset(options={"task_id": "train-3"})
    _, reward, terminated, *_ = env.step(assistant("So: #### word3"))
    assert terminated and reward == default_compute_score("openai/gsm8k", "So: #### word3", "word3")
    assert default_compute_score("openai/gsm8k", "So: #### 12", "12") == 1.0


def test_a_wrong_yaml_file_is_the_users_to_mend(tmp_path: Path) -> None:
    for text, message in (
        ("tools: [{class_name: no_such.Tool, config: {type: native}}]", "no_such"),
        ("tools: [{class_name: json.JSONDecoder, config: {type: mcp}}]", "only 'native'"),
        ("other: 1", "KeyError"),
    ):
        file = tmp_path / f"{abs(hash(text))}.yaml"
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            load_tools(file)
