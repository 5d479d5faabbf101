"""Rescoring: saved episodes get the rewards of now, and only where they are still the same episodes."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group, Trajectory, Turn
from agent_rl.evaluation.recorded import groups_of
from agent_rl.evaluation.results import read_results
from agent_rl.rollout.store import read_trajectories
from agent_rl.trainer.settings import TrainConfig

MINE = '''
from agent_rl import Task, ToolEnv, reward, tool
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.settings import Settings
from agent_rl.envs.base import AgentEnv


class Own(Settings):
    offset: int = 0
    """What the tool is off by."""
    last: bool = False
    """Whether the tool ends the episode."""
    broken: int = -1
    """The task whose tool is broken."""


class Mine(ToolEnv):
    """Looks a number up and says it."""

    Settings = Own

    def tasks(self, split):
        return [Task(f"{split}-{n}", (user(f"Look {n} up."),), str(n), {"odd": n % 2}) for n in range(6)]

    @tool
    def look(self, n: int) -> str:
        """Look up.

        Args:
            n: What.
        """
        if n == self.settings.broken:
            raise InfrastructureError("look", "the service is gone")
        self.looked = n
        if self.settings.last:
            self.finish()
        return str(n + self.settings.offset)

    def solution(self, task):
        yield assistant("", [tool_call("look", {"n": int(task.answer)})])
        yield assistant(self.messages[-1]["content"])

    @reward
    def said(self, task, messages) -> float:
        return float(messages[-1]["content"] == task.answer)


class Stricter(Mine):
    """Wants large numbers."""

    @reward
    def said(self, task, messages) -> float:
        return float(messages[-1]["content"] == task.answer and int(task.answer) >= 4)

    @reward(per="turn", weight=-0.125)
    def called(self, action) -> float:
        return float("tool_calls" in action)


class ByState(Mine):
    """Is pleased by what its tool has done."""

    @reward
    def looked_up(self) -> float:
        return float(self.looked >= 0)


class ByLog(Mine):
    """Counts what its tool has noted."""

    def setup(self, task):
        self.log = []

    @tool
    def look(self, n: int) -> str:
        """Look up.

        Args:
            n: What.
        """
        self.log.append(n)
        return str(n)

    @reward
    def brief(self, answer) -> float:
        return self._count() and float(len(answer) < 3)

    def _count(self):
        return len(self.log)


class ByHand(AgentEnv):
    """Makes its own rewards."""

    def tasks(self, split):
        return Mine().tasks(split)

    def reset(self, *, seed=None, options=None):
        return list(self.pick(options).messages), {}

    def step(self, action):
        return [], 1.0, True, False, {}
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    return "mine.py:Mine"


def played(*words: str) -> Path:
    """Evaluate; return the folder."""
    assert main(["eval", "engine=scripted", "n=2", "out=base", *words]) == 0
    return Path("base")


def rescored(*words: str) -> dict[str, Any]:
    """Rescore what `played` left; return the changes."""
    assert main(["rescore", *words, "out=again"]) == 0
    found: dict[str, Any] = json.loads(Path("again/changes.json").read_text())
    return found


def episodes(folder: str | Path) -> list[Trajectory]:
    return list(read_trajectories(Path(folder) / "episodes.jsonl.zst"))


@pytest.mark.parametrize("env", ["countdown", "frozen_lake", "sokoban", "[guess,countdown]"])
def test_without_a_change_everything_stays_what_it_was(
    env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = episodes(played(f"env={env}", "tasks=4"))
    found = rescored("base")
    assert (found["changed"], found["lost"]) == (0, 0)
    assert episodes("again") == before


def test_a_changed_reward_changes_the_figures_and_nothing_else(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = played(f"env={mine}")
    files = {path: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    found = rescored("base", "env=mine.py:Stricter")
    assert (found["changed"], found["lost"]) == (12, 0)
    assert found["changes"][0] == {"task": "test-0", "sample": 0, "before": 1.0, "after": -0.125}
    assert "12 of 12 rewards changed, in 6 tasks: test-0, test-1" in capsys.readouterr().out
    assert {path: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == files
    results = read_results(Path("again"))
    assert results.mean("reward") == pytest.approx(2 / 6 - 0.125) and results.mean("reward/called") == 1.0
    assert results.subject == replace(read_results(folder).subject, env="mine.py:Stricter")
    for old, new in zip(episodes("base"), episodes("again"), strict=True):
        assert [turn.reward for turn in new.turns] == [-0.125, float(new.task_id >= "test-4")]
        assert old.messages == new.messages and old.seconds == new.seconds and old.stop == new.stop


def test_another_success_needs_no_other_environment(mine: str) -> None:
    played(f"env={mine}")
    assert rescored("base", "success_at=2")["changed"] == 0
    assert (read_results(Path("base")).mean("success"), read_results(Path("again")).mean("success")) == (1.0, 0.0)


def test_what_is_answered_otherwise_now_is_another_episode(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    played(f"env={mine}")
    found = rescored("base", "env.offset=1", "rollout.retries=0")
    assert (found["changed"], found["lost"]) == (0, 12)
    assert read_results(Path("again")).failures_by_cause == {"environment/rescore": 12}
    assert "12 of them: turn 1 is answered otherwise than it was" in capsys.readouterr().out


def test_saved_answers_are_taken_where_the_tools_are_not_to_run_again(mine: str) -> None:
    before = episodes(played(f"env={mine}", "env.last=true"))
    found = rescored("base", "env.offset=1", "answers=saved")
    assert (found["changed"], found["lost"]) == (0, 0)  # and the episode ends where the tool had ended it
    assert episodes("again") == before and before[0].stop is StopReason.ANSWERED and len(before[0].turns) == 1


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ("ByState", "'looked_up' asks for none"),
        ("ByLog", "'brief' looks at 'log', which the tools change"),
        ("ByHand", "by @reward alone"),
    ],
)
def test_rewards_that_do_not_hang_on_messages_need_the_tools(
    mine: str, env: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    played(f"env={mine}")
    assert main(["rescore", "base", f"env=mine.py:{env}", "answers=saved"]) == 1
    error = capsys.readouterr().err
    assert problem in error and "answers=again" in error and error.count("\n") == 1


def test_failures_stay_failures(mine: str) -> None:
    played(f"env={mine}", "env.broken=3", "rollout.failure_budget=0.5", "rollout.retries=0")
    found = rescored("base", "env.broken=-1")
    assert (found["changed"], found["lost"]) == (0, 0)
    for name in ("base", "again"):
        assert read_results(Path(name)).failures_by_cause == {"infrastructure/look": 2}
        assert [one.failure is not None for one in episodes(name)] == [False] * 6 + [True] * 2 + [False] * 4


@pytest.mark.parametrize(
    ("limit", "stop"),
    [("turns=1", StopReason.TURN_LIMIT), ("turn_tokens=4", StopReason.TURN_LENGTH), ("episode_tokens=90", None)],
)
def test_what_was_cut_off_stays_cut_off(
    limit: str, stop: StopReason | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["env=search", "model=tiny", "tasks=6", "temperature=0", f"rollout.limits.{limit}", "out=base"]
    assert main(["eval", *words]) == 0
    before = episodes("base")
    assert stop in {one.stop for one in before} or StopReason.EPISODE_LENGTH in {one.stop for one in before}
    found = rescored("base")
    assert (found["changed"], found["lost"]) == (0, 0) and episodes("again") == before


def test_of_a_training_run_it_is_said_which_episodes(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    played(f"env={mine}", "split=train")
    run = Path("run")
    config = validate(TrainConfig, compose("train", [f"env={mine}", "algorithm.samples=2"]))
    for folder in ("trajectories", "evaluations"):
        (run / folder).mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    (run / "run.json").write_text("{}")
    (run / "metrics.jsonl").write_text("")
    Path("base/episodes.jsonl.zst").rename(run / "trajectories/step_000001.jsonl.zst")
    assert rescored("run", "step=1", "env=mine.py:Stricter")["changed"] == 12
    assert read_results(Path("again")).subject.model == "run training step 1"
    for words, problem in (([], "choose step=N"), (["step=7"], "there are 1 to 1"), (["name=after"], "no evaluation")):
        assert main(["rescore", "run", *words]) == 1
        assert problem in capsys.readouterr().err


def test_of_several_evaluations_one_is_asked_for(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    played(f"env={mine},mine.py:Stricter")
    assert main(["rescore", "base"]) == 1
    assert "holds several evaluations; give the folder of one: " in capsys.readouterr().err


def test_what_was_rescored_can_be_rescored(mine: str) -> None:
    before = episodes(played(f"env={mine}"))
    rescored("base", "env=mine.py:Stricter")
    assert main(["rescore", "again", f"env={mine}", "out=back"]) == 0
    assert episodes("back") == before


def test_what_holds_no_episodes_is_the_users_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rescore", str(tmp_path)]) == 1
    assert "neither the folder of an evaluation nor that of a training run" in capsys.readouterr().err


def test_groups_are_found_in_a_file_that_has_a_task_twice_in_a_row() -> None:
    def one(task: str, sample: int, part: int = 0) -> Trajectory:
        return Trajectory(task, sample, part, turns=[Turn()])

    saved = [one("a", 0), one("a", 1), one("a", 0, 0), one("a", 0, 1), one("b", 0), one("b", 0)]
    groups = groups_of(saved)
    assert [group.task_id for group in groups] == ["a", "a", "b", "b"]
    assert [len(group.trajectories) for group in groups] == [2, 2, 1, 1]
    assert isinstance(groups[0], Group)
