"""What holds of every environment whose tasks are generated."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from random import Random

import gymnasium
import pytest

from agent_rl import ToolEnv, make
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.envs.checker import check_environment
from agent_rl.envs.generation import demonstration
from agent_rl.envs.section import EnvSection

NAMES = ("math", "sql", "shop", "household", "sokoban")
FEW = {"train_tasks": 60, "test_tasks": 50}
DOCS = Path(__file__).parents[2] / "docs" / "environments"


def small(name: str, **settings: object) -> ToolEnv:
    env = make(name, **FEW, **settings)
    assert isinstance(env, ToolEnv)
    return env


def asked(env: ToolEnv, split: str) -> set[str]:
    return {task.messages[-1]["content"] for task in env.tasks(split)}


def fingerprint(name: str) -> str:
    told = [[t.id, t.messages, t.answer, t.attributes, t.data] for s in ("train", "test") for t in small(name).tasks(s)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def transcript(messages: list[Message]) -> str:
    """Return a conversation as the pages of the documentation show it."""
    lines = []
    for message in messages:
        calls = [call["function"] for call in message.get("tool_calls", [])]
        said = [message["content"]] if message["content"] else []
        lines.append(f"{message['role']}: " + "\n".join(said + [f"{f['name']} {f['arguments']}" for f in calls]))
    return "\n".join(f"    {line}".rstrip() for text in lines for line in text.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_every_check_passes(name):
    found = list(check_environment(EnvSection(name=name, train_tasks=20, test_tasks=15)))
    assert [(f.name, f.seen) for f in found if f.passed is not True] == []


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_makes_it_by_its_id(name):
    env = gymnasium.make(f"agent_rl/{name.capitalize()}-v0", **FEW)
    observation, info = env.reset(seed=3)
    assert observation == list(env.unwrapped.tasks("train")[info["task_id"]].messages)


@pytest.mark.parametrize("name", NAMES)
def test_no_question_is_asked_twice_and_none_in_both_splits(name):
    env = small(name)
    train, test = asked(env, "train"), asked(env, "test")
    assert (len(train), len(test)) == (60, 50)
    assert not train & test
    longer = make(name, train_tasks=90, test_tasks=50)
    assert [t.messages for t in longer.tasks("train")][:60] == [t.messages for t in env.tasks("train")]


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_tasks(name):
    assert len(asked(small(name), "train") & asked(small(name, seed=1), "train")) < 10


def test_the_tasks_are_the_same_in_another_process():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_generated import NAMES, fingerprint\n"
        "print(*map(fingerprint, NAMES))"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [fingerprint(name) for name in NAMES], done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_a_conversation_as_it_is_played(name):
    shown = transcript(demonstration(small(name), Random(1)).messages)
    assert shown in (DOCS / f"{name}.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_demonstration_leaves_the_episode_of_its_environment_alone(name):
    env = small(name)
    observation, info = env.reset(options={"task": env.tasks("test")[0]})
    shown = env.demonstrate(Random(0))
    assert shown.tools == info["tools"]
    assert env.messages == observation
    rewards = [env.step(action)[1] for action in env.solution(env.task)]
    assert sum(rewards) == 1.0


def test_more_tasks_than_there_are_is_an_error_that_says_how_many():
    env = make("math", kinds=["modular"], levels=[1], test_tasks=100_000)
    with pytest.raises(UserError, match=r"env.test_tasks=100000: with these settings about \d+ can be drawn"):
        env.tasks("test")


def test_an_unknown_split_gets_the_nearest_right_one():
    with pytest.raises(UserError, match=r"unknown split 'tset', did you mean 'test'\?"):
        make("math").tasks("tset")
