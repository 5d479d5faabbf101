"""Folders of runs and evaluations as they are left behind, written in a moment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.core.message import assistant, image, system, text, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.rollout.learned import Arrays, write_learned
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.jsonl import JsonlTracker
from agent_rl.tracking.run_folder import RunFolder

HOSTILE = (
    "</script><script>window.evil = 1</script><img src=x onerror='window.evil=1'> {{ 7 * 7 }} \u202e \x1b[31m \ud800"
)
DOT = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00\x0c"
    b"IDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)
FACTS = {"command": "agent-rl train env=search", "started": "2026-01-01T00:00:00+00:00", "python": "3.11.0"}
CONFIG = {
    "env": {"name": "search"},
    "model": {"path": "tiny"},
    "algorithm": {"name": "grpo"},
    "trainer": {"steps": 3},
    "eval": {"success_at": 1.0},
}


def episode(number: int = 0, reward: float = 0.0, said: str = "Where is Rome?", **changes: Any) -> Trajectory:
    """Return an episode of two turns, of four samples a task: one call of a tool, then the answer."""
    call = tool_call("search", {"query": said})
    segments = [
        Segment(Origin.PROMPT, (506, 418, 198, 413)),
        Segment(Origin.ACTION, (417, 340, 507), (-0.5, -0.25, -0.125), (0, 0, 0)),
        Segment(Origin.OBSERVATION, (198, 506)),
        Segment(Origin.ACTION, (337, 507), (-1.0, -2.0), (0, 1)),
    ]
    messages = [
        system("Be brief."),
        user(said),
        assistant("I look.", [call]),
        tool_result("It is in Italy.", call),
        assistant("Answer: Italy"),
    ]
    whole: dict[str, Any] = {
        "attributes": {"hops": 1 + number % 3},
        "segments": segments,
        "turns": [Turn(0.0, 1, 0, 0.5, 0.25), Turn(reward, 0, 0, 0.75, 0.0)],
        "messages": messages,
        "components": {"correct": reward},
        "stop": StopReason.ANSWERED,
        "seconds": 1.5,
        "tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}],
        "counters": {"tools/search/calls": 1.0},
    }
    return Trajectory(f"task-{number // 4}", number % 4, **whole | changes)


def varied(count: int = 12) -> list[Trajectory]:
    """Return episodes of every kind: won, lost, failed, hosted, of two parts, with an image, with hostile texts."""
    found = [episode(number, float(number % 2)) for number in range(count)]
    failure = Failure(Cause.INFRASTRUCTURE, "search", "gone")
    found[3] = episode(3, segments=[], turns=[], messages=[], stop=StopReason.FAILED, failure=failure)
    hosted = [Turn(0.0, 1, 0, 1.0, 0.0, 10, 4), Turn(1.0, 0, 0, 1.0, 0.0, 20, 5)]
    found[4] = episode(4, 1.0, segments=[], turns=hosted)
    found[5] = episode(5, 1.0, HOSTILE)
    found[5].messages[2]["invalid_tool_calls"] = [{"text": HOSTILE, "error": HOSTILE}]
    found[5].messages[4]["reasoning_content"] = HOSTILE
    found[6].messages[1] = user([image(DOT), text("What is this?")])
    found[7].stop = StopReason.REWRITTEN
    found.insert(8, episode(7, 1.0, part=1, messages=[user("Go on."), assistant("Answer: 1")], turns=[Turn(1.0)]))
    found[8].segments = found[8].segments[:2]
    return found


def results(success: float, tasks: int = 5) -> dict[str, Any]:
    """Return the content of a `results.json`."""
    figure = {"mean": success, "low": success - 0.1, "high": success + 0.1, "tasks": tasks}
    return {
        "env": "search",
        "model": "tiny",
        "split": "test",
        "n": 1,
        "temperature": 0.0,
        "seed": 0,
        "tasks": tasks,
        "episodes": tasks,
        "failures": 0,
        "failures_by_cause": {},
        "success_at": 1.0,
        "metrics": {"success": figure, "reward": figure},
        "by": {"hops": {"1": {"success": figure}, "2": {"success": figure}}},
    }


def training(path: Path, steps: int = 3, finished: bool = True, files: Sequence[Trajectory] | None = None) -> RunFolder:
    """Write the folder of a training: before it, so many steps, and after it if it is finished."""
    folder = RunFolder.create(path)
    write_json_atomic(folder.run_json, FACTS)
    write_text_atomic(folder.config_yaml, yaml.safe_dump(CONFIG))
    evaluation(folder.evaluations / "before", 0.25)
    for step in range(1, steps + 1):
        step_of(folder, step, varied() if files is None else list(files))
    if finished:
        for name, success in (("before_sampled", 0.2), ("step_000002", 0.5), ("after", 0.75), ("after_sampled", 0.7)):
            evaluation(folder.evaluations / name, success)
        write_json_atomic(folder.summary_json, {"before": 0.25, "after": 0.75, "steps": steps, "seconds": 30.0})
    return folder


def step_of(folder: RunFolder, step: int, trajectories: list[Trajectory]) -> None:
    """Write what a step of a training leaves behind."""
    write_trajectories(folder.trajectories_file(step), trajectories)
    logprobs = [np.array(trajectory.action_logprobs, np.float32) - np.float32(0.5) for trajectory in trajectories]
    for found in logprobs:
        found[1::5] = np.nan
    write_learned(folder.learned_file(step), Arrays.of([(found, np.full_like(found, step)) for found in logprobs]))
    metrics = {"reward/mean": step / 4, "success/mean": step / 4, "success/hops=1": step / 3}
    times = {"seconds/rollout": 6.0, "seconds/update": 3.0, "seconds/step": 10.0}
    JsonlTracker(folder.metrics_jsonl).log(step, metrics | times | {"policy/kl": float("nan")})


def evaluation(path: Path, success: float, trajectories: Sequence[Trajectory] | None = None) -> Path:
    """Write the folder of an evaluation inside a training."""
    write_trajectories(path / "episodes.jsonl.zst", varied() if trajectories is None else trajectories)
    write_json_atomic(path / "results.json", results(success))
    return path


def alone(path: Path, success: float = 0.5) -> Path:
    """Write the folder of an evaluation of its own."""
    evaluation(path, success)
    write_json_atomic(path / "run.json", FACTS | {"command": "agent-rl eval env=search"})
    write_text_atomic(
        path / "config.yaml", yaml.safe_dump({**{k: CONFIG[k] for k in ("env", "model")}, "success_at": 1.0})
    )
    return path
