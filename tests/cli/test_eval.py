"""`agent-rl eval`: the same twice, gone on with after any end, several at once, and what it leaves behind."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_rl import evaluate
from agent_rl.cli import eval as command
from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.results import read_results
from agent_rl.evaluation.several import evaluate_into
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.store import append_frame, read_trajectories, recover_frames
from agent_rl.tracking.run_folder import RunFolder
from tests.fake_openai import searcher, serving

SMALL = ["env=guess", "tasks=12", "n=2"]
BROKEN = """
from agent_rl import Task, TaskSet, ToolEnv, reward
from agent_rl.core.message import assistant, user
from agent_rl.core.outcome import InfrastructureError

import pathlib


class Shaky(ToolEnv):
    def tasks(self, split):
        return TaskSet([Task(f"t{i}", (user("?"),), "7", {"third": i % 3}) for i in range(9)], split)

    def setup(self, task):
        if task.attributes["third"] == 0 and not pathlib.Path("mended").exists():
            raise InfrastructureError("database", "it is gone")

    @reward
    def correct(self, task, answer):
        return float(answer == task.answer)

    def solution(self, task):
        return [assistant("7")]
"""


def start(*words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "agent_rl.cli", "eval", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def stop_when(reached: Callable[[], bool], how: signal.Signals, *words: str) -> str:
    """Stop an evaluation by a signal when it has come that far; return what it said."""
    process = start(*words)
    deadline = time.monotonic() + 240
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("it did not come that far")
        time.sleep(0.002)
    process.send_signal(how)
    return process.communicate(timeout=240)[0]


def episodes(folder: Path) -> list[tuple[Any, ...]]:
    read = read_trajectories(folder / "episodes.jsonl.zst")
    return [(t.task_id, t.sample, t.tokens, t.reward, t.stop) for t in read]


def timeless(folder: Path) -> dict[str, Any]:
    """Return the results without what hangs on the clock."""
    found = json.loads((folder / "results.json").read_text())
    for metrics in (found["metrics"], *(part for values in found["by"].values() for part in values.values())):
        del metrics["seconds"]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluations") / "one"
    evaluate(*SMALL, f"out={folder}")
    return folder


@pytest.fixture
def shaky(tmp_path, monkeypatch) -> Path:
    """Return a folder to work in, with an environment of which a third of the tasks fails until it is mended."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shaky.py").write_text(BROKEN)
    return tmp_path


def test_the_same_evaluation_twice_is_the_same_to_the_bit(whole, tmp_path):
    evaluate(*SMALL, f"out={tmp_path / 'two'}")
    ones, others = (list(read_trajectories(at / "episodes.jsonl.zst")) for at in (whole, tmp_path / "two"))
    assert [t.action_logprobs for t in ones] == [t.action_logprobs for t in others]
    assert episodes(whole) == episodes(tmp_path / "two")
    assert timeless(whole) == timeless(tmp_path / "two")


def test_an_evaluation_is_a_folder(whole):
    assert sorted(file.name for file in whole.iterdir() if file.name != ".lock") == [
        "config.yaml",
        "episodes.jsonl.zst",
        "results.csv",
        "results.json",
        "results.md",
        "run.json",
    ]
    assert yaml.safe_load((whole / "config.yaml").read_text())["n"] == 2
    assert json.loads((whole / "run.json").read_text())["checkpoint"].endswith("tiny_guess")
    found = json.loads((whole / "results.json").read_text())
    assert (found["env"], found["model"], found["tasks"], found["episodes"]) == ("guess", "tiny_guess", 12, 24)
    assert {"mean", "low", "high", "tasks"} == found["metrics"]["pass@2"].keys()


def test_greedy_and_sampled_have_the_random_streams_that_training_gives_them(monkeypatch):
    seen = []

    def run(self, tasks, samples, sampling, seed, *more):
        seen.append((sampling.temperature, sampling.top_p, seed))
        raise UserError("enough")

    monkeypatch.setattr(RolloutManager, "run", run)
    for words in (["temperature=0"], [], ["temperature=0.7", "top_p=0.9"]):
        with pytest.raises(UserError, match="enough"):
            evaluate("env=guess", "engine=scripted", *words)
    greedy, sampled, other = seen
    assert greedy[:2] == (0.0, 1.0) and sampled[:2] == (1.0, 1.0) and other[:2] == (0.7, 0.9)
    assert greedy[2] != sampled[2] == other[2]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_was_stopped_goes_on_with_what_is_missing_and_ends_as_if_it_had_not_been(whole, tmp_path, how):
    out = tmp_path / "one"
    partial = EvaluationFolder(out).partial
    words = [*SMALL, "engine.rows=4"]  # few at a time, so that some are left
    said = stop_when(lambda: partial.exists() and partial.stat().st_size > 0, how, *words, f"out={out}")
    assert (f"continue with: agent-rl eval resume={out}" in said) == (how is signal.SIGINT), said
    kept = [frame[0].task_id for frame in recover_frames(partial)]
    assert 0 < len(kept) < 12
    assert main(["eval", f"resume={out}"]) == 0
    evaluate(*words, f"out={tmp_path / 'whole'}")
    assert episodes(out) == episodes(tmp_path / "whole")
    assert not partial.exists()


@pytest.mark.parametrize("there", [(7, 0, 3), tuple(range(12))])
def test_only_what_is_missing_is_played(whole, tmp_path, monkeypatch, capsys, there):
    out, played = tmp_path / "one", []
    shutil.copytree(whole, out)
    folder = EvaluationFolder(out)
    groups = [list(read_trajectories(folder.episodes))[i : i + 2] for i in range(0, 24, 2)]
    for name in ("results.json", "episodes.jsonl.zst"):
        (out / name).unlink()
    for place in there:
        append_frame(folder.partial, groups[place])
    run = RolloutManager.run

    def counting(self, tasks, samples, sampling, seed, progress, landed, kept):
        played.append(sorted(kept))
        return run(self, tasks, samples, sampling, seed, progress, landed, kept)

    monkeypatch.setattr(RolloutManager, "run", counting)
    assert main(["eval", f"resume={out}"]) == 0
    assert played == [sorted(there)]
    assert f"{len(there)} tasks have been played already" in capsys.readouterr().out
    assert episodes(out) == episodes(whole)


def test_a_complete_evaluation_says_so_and_shows_what_it_found(whole, capsys):
    assert main(["eval", f"resume={whole}", "--json"]) == 0
    out = capsys.readouterr().out
    assert "is complete: nothing is left to play" in out
    assert json.loads(out.splitlines()[-1]) == json.loads((whole / "results.json").read_text())


def test_a_resumed_evaluation_keeps_what_its_episodes_hang_on(whole, capsys):
    assert main(["eval", f"resume={whole}", "temperature=0"]) == 1
    assert "temperature was 1.0 and is 0.0 now" in capsys.readouterr().err
    assert main(["eval", f"resume={whole}", "rollout.failure_budget=0.5"]) == 0


def test_a_folder_that_holds_results_is_not_written_over(whole, capsys):
    assert main(["eval", *SMALL, f"out={whole}"]) == 1
    assert f"holds results already: go on with resume={whole}" in capsys.readouterr().err
    assert main(["eval", "env=guess,search", f"out={whole}"]) == 1


def test_two_processes_never_work_in_one_folder(whole, capsys):
    with RunFolder(whole).alone():
        assert main(["eval", f"resume={whole}"]) == 1
    assert "another process is working in" in capsys.readouterr().err


@pytest.mark.parametrize("there", [None, "{}", "[1]", "nonsense: ["])
def test_a_folder_without_an_evaluation_cannot_be_gone_on_with(tmp_path, capsys, there):
    if there is not None:
        (tmp_path / "config.yaml").write_text(there)
    assert main(["eval", f"resume={tmp_path}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_the_checkpoint_of_the_beginning_is_measured_to_the_end(whole, tmp_path):
    out = tmp_path / "one"
    shutil.copytree(whole, out)
    (out / "results.json").unlink()
    facts = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(facts | {"checkpoint": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match="there is no such folder"):
        evaluate_into(out, command.validate(command.EvalConfig, command.recorded(out)), command.Console())


def test_over_the_budget_of_failures_nothing_is_lost_and_the_failed_are_played_again(shaky, capsys):
    words = ["env=shaky.py:Shaky", "engine=scripted", "n=2", "out=e"]
    assert main(["eval", *words]) == 3
    out, err = capsys.readouterr()
    assert "6 of 18 episodes failed 3 times each" in err and "'database': it is gone" in err
    assert "continue with: agent-rl eval resume=e" in out
    assert not Path("e/results.json").exists()
    Path("mended").touch()
    assert main(["eval", "resume=e"]) == 0
    assert "6 tasks have been played already" in capsys.readouterr().out
    assert read_results(Path("e")).failures == 0


def test_failures_are_told_beside_the_figures_and_are_in_none(shaky, capsys):
    words = ["env=shaky.py:Shaky", "engine=scripted", "rollout.failure_budget=0.5", "rollout.retries=0", "out=e"]
    assert main(["eval", *words, "--json"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert (found["failures"], found["failures_by_cause"]) == (3, {"infrastructure/database": 3})
    assert (found["metrics"]["success"]["mean"], found["metrics"]["success"]["tasks"]) == (1.0, 6)
    assert found["by"]["third"]["0"] == {}
    assert "3 failed, which are in no figure (3 x infrastructure/database)" in out


@pytest.mark.slow
def test_several_are_measured_in_folders_of_their_own_and_one_table(shaky, capsys):
    words = ["env=shaky.py:Shaky,guess", "engine=scripted", "tasks=5", "temperature=0,1", "out=all"]
    assert main(["eval", *words, "--json"]) == 3
    out, err = capsys.readouterr()
    labels = ["guess-temperature_0", "guess-temperature_1"]
    found = json.loads(out.splitlines()[-1])
    assert [one["evaluation"] for one in found["results"]] == labels
    assert [one["metrics"]["success"]["mean"] for one in found["results"]] == [1.0, 1.0]
    assert list(found["failed"]) == ["shaky.py_Shaky-temperature_0", "shaky.py_Shaky-temperature_1"]
    assert "2 of 4 evaluations failed: shaky.py_Shaky-temperature_0" in err
    assert found == json.loads(Path("all/results.json").read_text())
    assert {row["evaluation"] for row in csv.DictReader(Path("all/results.csv").read_text().splitlines())} == set(
        labels
    )
    assert Path("all/results.md").read_text().count("\n| guess-") == 2
    Path("mended").touch()
    begun = Path("all/guess-temperature_0/results.json").stat().st_mtime_ns
    assert main(["eval", "resume=all"]) == 0
    assert Path("all/guess-temperature_0/results.json").stat().st_mtime_ns == begun
    assert len(json.loads(Path("all/results.json").read_text())["results"]) == 4
    assert main(["eval", *words]) == 1  # it is there


def test_a_suite_puts_a_hosted_model_and_a_script_beside_each_other(shaky):
    with serving(searcher(tasks=3)) as fake:
        Path("mine.yaml").write_text(f"- engine=scripted\n- engine=openai engine.model=m engine.url={fake.url}\n")
        assert main(["eval", "suite=mine.yaml", "env=search", "tasks=3", "out=all"]) == 0
    found = json.loads(Path("all/results.json").read_text())["results"]
    assert [(one["model"], one["metrics"]["success"]["mean"]) for one in found] == [("scripted", 1.0), ("m", 1.0)]


def test_a_dry_run_tells_every_combination_and_makes_nothing(tmp_path, capsys):
    assert main(["eval", "env=guess,countdown", "n=2", "tasks=5", f"out={tmp_path / 'all'}", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "# guess" in out and "# countdown" in out
    assert out.count("5 tasks x 2 samples = 10 episodes at temperature 1") == 2
    assert not any(tmp_path.iterdir())


def test_an_environment_without_solutions_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("plain.py").write_text(BROKEN.partition("    def solution")[0].replace("% 3", "% 3 + 1"))
    assert main(["eval", "env=plain.py:Shaky", "engine=scripted"]) == 1
    assert "Shaky has no solutions" in capsys.readouterr().err.splitlines()[-1]
