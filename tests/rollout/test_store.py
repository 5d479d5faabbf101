"""The store: what is written is what is read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_rl.core.message import assistant, system, tool_call, tool_result
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.rollout.store import read_trajectories, write_trajectories


def trajectory(number: int) -> Trajectory:
    call = tool_call("search", {"query": "line one\nline two"})
    return Trajectory(
        f"task-{number}",
        number,
        1,
        {"hops": 2},
        [Segment(Origin.PROMPT, (1, 2)), Segment(Origin.ACTION, (3,), (-0.1 - 0.2,), (7,))],
        [Turn(reward=1 / 3, tool_calls=1)],
        [system("s"), assistant("half a pair \ud800, a line separator \u2028", [call]), tool_result("ü", call)],
        {"correct": 1.0},
        StopReason.FAILED,
        Failure(Cause.INFRASTRUCTURE, "search", "gone"),
        1.5,
        [call],
    )


def test_trajectories_come_back_as_they_were(tmp_path: Path) -> None:
    written = [trajectory(number) for number in range(3)]
    write_trajectories(tmp_path / "new" / "step.jsonl.zst", written)
    assert list(read_trajectories(tmp_path / "new" / "step.jsonl.zst")) == written


def test_no_trajectories_are_an_empty_file(tmp_path: Path) -> None:
    write_trajectories(tmp_path / "none.jsonl.zst", [])
    assert list(read_trajectories(tmp_path / "none.jsonl.zst")) == []


def test_an_error_halfway_leaves_no_file(tmp_path: Path) -> None:
    def breaking() -> Iterator[Trajectory]:
        yield trajectory(0)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_trajectories(tmp_path / "step.jsonl.zst", breaking())
    assert list(tmp_path.iterdir()) == []


def test_the_same_trajectories_are_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_trajectories(tmp_path / name, [trajectory(0)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
