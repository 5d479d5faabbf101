"""The run's folder: what is refused, and what run.json says."""

import getpass
import json
import socket
import subprocess
from pathlib import Path

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.files import open_atomic, read_json, write_json_atomic
from agent_rl.tracking.facts import describe
from agent_rl.tracking.run_folder import RunFolder


def test_a_new_folder_can_be_opened_once_it_holds_a_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs" / "one")
    with pytest.raises(UserError, match="holds no run"):
        RunFolder.open(folder.path)
    write_json_atomic(folder.run_json, describe(["agent-rl", "train"]))
    assert RunFolder.open(folder.path) == folder


def test_a_second_run_in_the_same_folder_is_refused_once_the_first_has_left_anything(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    write_json_atomic(folder.run_json, {})
    RunFolder.create(tmp_path)  # the first failed before it left anything: the same command may be tried again
    write_json_atomic(folder.evaluations / "before" / "results.json", {})
    with pytest.raises(UserError, match="holds a run already"):
        RunFolder.create(tmp_path)


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    with folder.alone(), pytest.raises(UserError, match="another process is working"), folder.alone():
        pass
    with folder.alone():
        pass


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write the run's folder .*: Not a directory") as caught:
        RunFolder.create(tmp_path / "file" / "run")
    assert "\n" not in str(caught.value)


def test_trajectories_are_named_so_that_they_sort_by_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.trajectories_file(12) == tmp_path / "trajectories" / "step_000012.jsonl.zst"


def test_the_description_is_json_and_names_no_host_or_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    facts = describe(["agent-rl", "train", "run.name=two words"])
    text = json.dumps(facts)
    assert facts["command"] == "agent-rl train 'run.name=two words'"
    assert facts["commit"] is None and facts["dirty"] is False
    assert facts["hardware"]["cores"] >= 1 and "torch" in facts["packages"]
    assert socket.gethostname() not in text and f"/{getpass.getuser()}" not in text


def test_the_description_says_whether_the_commit_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    clean = describe(["x"])
    (tmp_path / "new.py").write_text("")
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    assert describe(["x"])["dirty"] is True


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json_atomic(path, {"old": True})
    with pytest.raises(RuntimeError), open_atomic(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]
