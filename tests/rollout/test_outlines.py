"""Outlines say what the trajectories say, whatever is in them and however the file ends."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agent_rl.core.message import assistant, image, system, text, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.rollout.episode import describe
from agent_rl.rollout.outlines import OutlineFailure, read_outlines, stored_lines
from agent_rl.rollout.store import read_trajectories, write_trajectories

PNG = b"\x89PNG and so on"


def episode(number: int, said: str = "Find it.", **changes: Any) -> Trajectory:
    call = tool_call("search", {"query": said})
    segments = [
        Segment(Origin.PROMPT, (1, 2, 3)),
        Segment(Origin.ACTION, (4, 5), (-0.5, -0.25), (0, 0)),
        Segment(Origin.OBSERVATION, ()),
        Segment(Origin.ACTION, (7,), (-1e-9,), (1,)),
    ]
    messages = [
        system("Be brief."),
        user(said),
        assistant("I call.", [call, tool_call("calculate", {}, 1)]),
        tool_result("found", call),
        assistant("Answer: x"),
    ]
    whole: dict[str, Any] = {
        "attributes": {"hops": 2},
        "segments": segments,
        "turns": [Turn(tool_calls=2), Turn(reward=0.5, invalid_calls=1)],
        "messages": messages,
        "components": {"correct": 0.5},
        "stop": StopReason.ANSWERED,
        "seconds": 1.5,
        "counters": {"tools/search/calls": 1.0},
    }
    return Trajectory(f"task-{number}", number % 4, **whole | changes)


def written(path: Path, trajectories: list[Trajectory]) -> Path:
    file = path / "episodes.jsonl.zst"
    write_trajectories(file, trajectories)
    return file


def test_an_outline_says_what_its_trajectory_says(tmp_path: Path) -> None:
    failure = Failure(Cause.INFRASTRUCTURE, "search", "gone")
    hosted = [Turn(prompt_tokens=10, completion_tokens=4), Turn(prompt_tokens=20, completion_tokens=5)]
    trajectories = [
        episode(0),
        episode(1, stop=StopReason.FAILED, failure=failure, part=1),
        episode(2, segments=[], turns=hosted),
        Trajectory("never begun"),
    ]
    file = written(tmp_path, trajectories)
    for number, (found, whole) in enumerate(zip(read_outlines(file), read_trajectories(file), strict=True)):
        assert found.number == number
        for name in ("task_id", "sample", "part", "attributes", "components", "counters", "stop", "seconds", "usable"):
            assert getattr(found, name) == getattr(whole, name), name
        told = describe([whole])
        assert {name: getattr(found, name) for name in told} == told
    assert read_outlines(file)[1].failure == OutlineFailure("infrastructure", "search", "gone")
    assert [found.prompt_tokens for found in read_outlines(file)] == [3, 3, 0, 0]


def test_tools_are_counted_by_name_without_those_that_the_task_shows(tmp_path: Path) -> None:
    shown = assistant("An example.", [tool_call("search", {"query": "example"})])
    played = episode(0)
    played.messages.insert(1, shown)
    assert read_outlines(written(tmp_path, [played]))[0].tools == {"search": 1, "calculate": 1}


def test_the_first_text_of_a_user_is_one_short_line(tmp_path: Path) -> None:
    parts = user([image(PNG), text("What is\n"), text(" in this  picture? " + "x" * 500)])
    first = read_outlines(written(tmp_path, [episode(0, messages=[parts], turns=[])]))[0].first
    assert first.startswith("What is in this picture? xxx") and len(first) == 160


def test_what_is_no_json_is_read_as_well(tmp_path: Path) -> None:
    """Python writes halves of surrogate pairs and numbers that are none; both are no JSON."""
    segments = [Segment(Origin.PROMPT, (1,)), Segment(Origin.ACTION, (2,), (math.nan,), (0,))]
    said = "half \ud83d, whole \U0001f600, a backslash \\ud83d, \udc00"
    file = written(tmp_path, [episode(0, said, segments=segments), episode(1, turns=[Turn(reward=math.nan)])])
    first, second = read_outlines(file)
    assert first.first == "half �, whole \U0001f600, a backslash \\ud83d, �"
    assert (first.tokens, first.action_tokens) == (2, 1)
    assert math.isnan(second.reward)


def test_a_file_that_breaks_off_has_what_is_before(tmp_path: Path) -> None:
    file = written(tmp_path, [episode(number, str(number) * 5000) for number in range(50)])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    found = read_outlines(file)
    assert [outline.number for outline in found] == list(range(len(found)))
    file.write_bytes(b"")
    assert read_outlines(file) == []


def test_a_file_of_several_frames_is_read_whole_but_for_a_cut_last_one(tmp_path: Path) -> None:
    file = tmp_path / "partial.jsonl.zst"
    frames = [zstandard.compress(json.dumps(episode(number).to_json()).encode() + b"\n") for number in range(5)]
    file.write_bytes(b"".join(frames))
    assert [outline.task_id for outline in read_outlines(file)] == [f"task-{number}" for number in range(5)]
    file.write_bytes(b"".join(frames)[:-10])
    assert len(read_outlines(file)) == 4


def test_lines_longer_than_what_is_read_at_once_are_whole(tmp_path: Path) -> None:
    said = [chr(97 + number) * 3_000_000 for number in range(3)]
    file = written(tmp_path, [episode(0, words) for words in said])
    assert [json.loads(line)["messages"][1]["content"] for line in stored_lines(file)] == said


def test_what_are_no_trajectories_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl.zst"
    file.write_bytes(zstandard.compress(b'{"rows": 3}\n'))
    with pytest.raises(ValueError, match="task_id"):
        read_outlines(file)
    file.write_bytes(b"no zstandard at all")
    with pytest.raises(zstandard.ZstdError):
        read_outlines(file)
