"""Which runs there are, what they have, and how far they are, whatever state their folders are in."""

import json
from pathlib import Path

import pytest
import zstandard

from agent_rl.core.errors import UserError
from agent_rl.core.files import write_json_atomic
from agent_rl.evaluation.viewer.runs import ViewedRun, find_runs
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.run_folder import RunFolder
from tests.evaluation.viewer.folders import alone, episode, step_of, training, varied


def only(path: Path) -> ViewedRun:
    (found,) = find_runs(path)
    return found


def test_a_folder_of_a_run_is_that_run(tmp_path: Path) -> None:
    training(tmp_path / "search")
    run = only(tmp_path / "search")
    told = run.summary()
    assert {name: told[name] for name in ("id", "name", "kind", "env", "model", "algorithm")} == {
        "id": "search",
        "name": "search",
        "kind": "train",
        "env": "search",
        "model": "tiny",
        "algorithm": "grpo",
    }
    assert (told["step"], told["steps"], told["state"], told["success"]) == (3, 3, "finished", 0.75)
    assert run.success_at == 1.0


def test_all_runs_below_a_folder_are_found_but_for_the_parts_of_a_run(tmp_path: Path) -> None:
    training(tmp_path / "one")
    alone(tmp_path / "one" / "rescored-1")
    alone(tmp_path / "suite" / "two")
    alone(tmp_path / "suite~two")
    (tmp_path / "empty").mkdir()
    found = find_runs(tmp_path)
    assert sorted(run.name for run in found) == ["one", "one/rescored-1", "suite/two", "suite~two"]
    assert len({run.id for run in found}) == 4 and not any("/" in run.id for run in found)
    assert [run.name for run in found if run.kind == "train"] == ["one"]
    assert [run.name for run in find_runs(tmp_path / "one")] == ["one"]


def test_a_folder_without_a_run_is_refused_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        find_runs(tmp_path / "missing")
    (tmp_path / "greedy.jsonl.zst").write_bytes(b"")
    with pytest.raises(UserError, match="holds neither a run nor an evaluation"):
        find_runs(tmp_path)


def test_files_come_in_the_order_in_which_they_came_to_be(tmp_path: Path) -> None:
    folder = training(tmp_path / "run")
    write_trajectories(folder.beside_file(2), [episode()])
    files = only(folder.path).files
    assert list(files) == [
        "evaluations/before",
        "evaluations/before_sampled",
        "evaluations/step_000002",
        "evaluations/after",
        "evaluations/after_sampled",
        "trajectories/step_000001",
        "trajectories/step_000002",
        "trajectories/step_000003",
        "beside/step_000002",
    ]
    assert [file.title for file in files.values()][:4] == [
        "Before training, greedy",
        "Before training, sampled",
        "After step 2, greedy",
        "After training, greedy",
    ]
    assert {file.kind: file.step for file in files.values()} == {"evaluation": None, "training": 3, "beside": 2}


def test_what_is_being_written_is_no_file_yet(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", steps=1)
    (folder.trajectories / ".step_000002.jsonl.zst.123.tmp").write_bytes(b"half")
    (folder.trajectories / "notes.txt").write_text("mine")
    assert [name for name in only(folder.path).files if name.startswith("traj")] == ["trajectories/step_000001"]


def test_an_evaluation_that_goes_on_has_what_has_ended(tmp_path: Path) -> None:
    path = alone(tmp_path / "eval")
    (path / "episodes.jsonl.zst").unlink()
    (path / "results.json").unlink()
    frame = zstandard.compress(json.dumps(episode().to_json()).encode() + b"\n")
    (path / "partial.jsonl.zst").write_bytes(frame + frame[:-5])
    run = only(path)
    assert (run.kind, run.state, run.summary()["success"]) == ("eval", "stopped", None)
    assert run.files["episodes"].path.name == "partial.jsonl.zst"


def test_a_run_is_running_while_a_process_holds_it(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", finished=False)
    run = only(folder.path)
    assert run.state == "stopped"
    with folder.alone():
        assert run.state == "running" and run.summary()["state"] == "running"
    assert run.state == "stopped"


def test_looking_at_a_run_keeps_nobody_from_it(tmp_path: Path) -> None:
    folder = training(tmp_path / "run")
    with folder.alone():
        pass
    for _ in range(50):
        assert only(folder.path).state == "finished"
        with folder.alone():
            pass


def test_the_version_changes_when_the_run_goes_on_and_only_then(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", steps=1, finished=False)
    run, seen = only(folder.path), set()
    for act in (
        lambda: step_of(folder, 2, varied()),
        lambda: write_json_atomic(folder.evaluations / "after" / "results.json", {}),
        lambda: write_json_atomic(folder.summary_json, {}),
    ):
        assert run.version == run.version
        seen.add(run.version)
        act()
    assert len(seen | {run.version}) == 4


def test_folders_that_are_broken_or_foreign_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text('{"half": ')
    (tmp_path / "a" / "config.yaml").write_text("{: no yaml")
    (tmp_path / "a" / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"step": 2, "rew')
    told = only(tmp_path / "a").summary()
    assert (told["kind"], told["env"], told["step"], told["success"]) == ("train", "", 1, None)
    RunFolder.create(tmp_path / "b")
    write_json_atomic(tmp_path / "b" / "run.json", [])
    assert only(tmp_path / "b").summary()["step"] == 0
