"""Trackers: what is on the disk after a step, after a kill, and after the end."""

import math
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_rl.core.errors import UserError
from agent_rl.tracking import make_tracker
from agent_rl.tracking.jsonl import JsonlTracker, read_metrics, truncate_after
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.tracking.swanlab import SwanlabTracker


def test_metrics_are_lines_in_the_order_given_with_all_digits(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tracker = JsonlTracker(path)
    tracker.log(1, {"b": 0.1 + 0.2, "a": 1e-9})
    tracker.log(2, {"b": math.nan})
    assert path.read_text().splitlines()[0] == '{"step": 1, "b": 0.30000000000000004, "a": 1e-09}'
    assert read_metrics(path)[1] == {"step": 2, "b": None}


def test_a_half_written_last_line_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "rew')
    assert read_metrics(path) == [{"step": 1}]
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_a_resumed_run_writes_what_an_unbroken_one_would(tmp_path: Path) -> None:
    broken, whole = tmp_path / "broken.jsonl", tmp_path / "whole.jsonl"
    for step in range(1, 6):
        JsonlTracker(whole).log(step, {"x": step / 3})
    for step in range(1, 4):
        JsonlTracker(broken).log(step, {"x": step / 3})
    with broken.open("a") as file:
        file.write('{"step": 4, "x"')
    truncate_after(broken, 2)
    for step in range(3, 6):
        JsonlTracker(broken).log(step, {"x": step / 3})
    assert broken.read_bytes() == whole.read_bytes()


def test_swanlab_writes_offline_silently_and_leaves_ctrl_c_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError(f"reached for the network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    handler = signal.getsignal(signal.SIGINT)
    tracker = make_tracker("swanlab", RunFolder.create(tmp_path), "my project")
    tracker.start({"command": "agent-rl train"}, {"trainer": {"steps": 2}, "seed": None})
    assert signal.getsignal(signal.SIGINT) is handler
    tracker.log(1, {"reward/mean": 0.25})
    tracker.log(2, {"reward/mean": 0.5, "success/hops=1": math.nan})
    tracker.finish({"after": 0.75})
    assert signal.getsignal(signal.SIGINT) is handler
    written = list((tmp_path / "swanlab").glob("run-*/run-*.swanlab"))
    assert len(written) == 1 and b"reward/mean" in written[0].read_bytes()
    config = next((tmp_path / "swanlab").glob("run-*/files/config.yaml")).read_text()
    assert "steps: 2" in config and "agent-rl train" in config and "after: 0.75" in config
    assert capfd.readouterr() == ("", "")


def test_a_missing_swanlab_is_one_line_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "swanlab", None)
    with pytest.raises(UserError, match=r"pip install agent-rl\[swanlab\]"):
        SwanlabTracker(tmp_path, "project")


def test_an_unknown_tracker_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'swanlab'"):
        make_tracker("swanlb", RunFolder(tmp_path), "project")
