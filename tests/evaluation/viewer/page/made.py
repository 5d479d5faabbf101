"""Runs for the page to show: made, but of the form that real ones have, with the shipped model's tokens."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

import agent_rl.models
from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.core.message import Message, assistant, system, tool_call, tool_result, user
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.rollout.learned import Arrays, write_learned
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.jsonl import JsonlTracker
from agent_rl.tracking.run_folder import RunFolder

CITIES = {"Ghent": ("Belgium", "euro"), "Oslo": ("Norway", "krone"), "Kyoto": ("Japan", "yen"), "Lima": ("Peru", "sol")}
SYSTEM = "Search one fact at a time. Then write Answer: and the answer."
SEARCH = {"name": "search", "description": "Find a fact.", "parameters": {"type": "object", "properties": {}}}


@lru_cache(maxsize=1)
def tokenizer() -> Any:
    return Tokenizer.from_file(str(Path(agent_rl.models.__file__).parent / "tiny" / "tokenizer.json"))


def segment(origin: Origin, text: str, logprobs: Sequence[float] | None = None, version: int = 3) -> Segment:
    """A segment of that text; an action's tokens have the log-probabilities given, or -0.01 each."""
    ids = tuple(tokenizer().encode(text, add_special_tokens=False).ids)
    if origin is not Origin.ACTION:
        return Segment(origin, ids)
    known = tuple(logprobs or [-0.01] * len(ids))[: len(ids)]
    return Segment(origin, ids, known + (-0.01,) * (len(ids) - len(known)), (version,) * len(ids))


def played(messages: list[Message], turns: list[Turn], **rest: Any) -> Trajectory:
    """A trajectory of these messages, whose tokens are their texts."""
    segments = []
    for message in messages:
        origin = Origin.ACTION if message["role"] == "assistant" else Origin.OBSERVATION if segments else Origin.PROMPT
        text = str(message["content"]) + "".join(
            call["function"]["arguments"] for call in message.get("tool_calls", ())
        )
        made = segment(origin, text or " ")
        if segments and segments[-1].origin is origin:
            made = replace(made, tokens=segments.pop().tokens + made.tokens)
        segments.append(made)
    tools = [{"type": "function", "function": SEARCH}]
    return Trajectory(messages=messages, turns=turns, segments=segments, tools=tools, **rest)


def episode(number: int, sample: int, rng: random.Random, right: bool | None = None) -> Trajectory:
    """One episode of the search game: two searches and an answer, or one search and a wrong one."""
    city = list(CITIES)[number % len(CITIES)]
    country, currency = CITIES[city]
    succeeds = rng.random() < 0.6 if right is None else right
    first, second = (
        tool_call("search", {"query": query}) for query in (f"country of {city}", f"currency of {country}")
    )
    messages = [
        system(SYSTEM),
        user(f"What is the currency of the country of the city {city}?"),
        assistant("", [first]),
        tool_result(f"{city} lies in {country}.", first),
    ]
    if succeeds:
        messages += [assistant("", [second]), tool_result(f"The currency of {country} is the {currency}.", second)]
    messages.append(assistant(f"Answer: {currency if succeeds else country}"))
    turns = [
        Turn(tool_calls=1, generate_seconds=rng.uniform(0.1, 0.9), environment_seconds=0.04) for _ in messages[2::2]
    ]
    turns[-1] = Turn(reward=float(succeeds), generate_seconds=0.2, environment_seconds=0.01)
    made = played(messages, turns, task_id=f"train-{number:05d}", sample=sample, attributes={"hops": 1 + number % 3})
    made.stop = StopReason.ANSWERED if number % 5 else StopReason.TURN_LIMIT
    made.components, made.seconds = {"correct": float(succeeds)}, sum(turn.generate_seconds for turn in turns)
    for place, one in enumerate(made.segments):
        if one.origin is Origin.ACTION:
            drawn = tuple(-rng.expovariate(4.0) for _ in one.tokens)
            made.segments[place] = replace(one, logprobs=drawn)
    return made


def episodes(tasks: int, samples: int, seed: int = 0) -> list[Trajectory]:
    rng = random.Random(seed)
    return [episode(task, sample, rng) for task in range(tasks) for sample in range(samples)]


def learned_of(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """What a trainer may have made of them: the same but for rounding, and an advantage by the reward."""
    noise = np.random.default_rng(0)
    rows = []
    for one in trajectories:
        engine = np.array(one.action_logprobs, np.float32)
        trainer = np.minimum(engine + noise.normal(0, 2e-3, len(engine)), 0).astype(np.float32)
        rows.append((trainer, np.full(len(engine), one.reward - 0.5, np.float32)))
    path.parent.mkdir(exist_ok=True)
    write_learned(path, Arrays.of(rows))


def begin_run(path: Path) -> RunFolder:
    """The folder of a training that has begun."""
    folder = RunFolder.create(path)
    write_json_atomic(folder.run_json, {"command": "agent-rl train env=search", "commit": "abc", "python": "3.11"})
    config = "env:\n  name: search\nmodel:\n  path: tiny\nalgorithm:\n  name: grpo\ntrainer:\n  steps: 8\n"
    write_text_atomic(folder.config_yaml, config)
    return folder


def add_step(folder: RunFolder, step: int, trajectories: Sequence[Trajectory] | None = None) -> None:
    """A step of the training, as the trainer leaves it."""
    made = list(trajectories or episodes(4, 4, step))
    write_trajectories(folder.trajectories_file(step), made)
    learned_of(folder.learned_file(step), made)
    success = step / 8
    metrics = {"reward/mean": success, "success/mean": success, "success/hops=1": 1.0, "policy/kl": 1e-4 * step}
    times = {"seconds/rollout": 3.0, "seconds/update": 1.5, "seconds/weights": 0.1, "seconds/step": 5.0}
    JsonlTracker(folder.metrics_jsonl).log(step, metrics | times)


def estimate(mean: float, width: float = 0.05, tasks: int = 20) -> dict[str, float]:
    return {"mean": mean, "low": max(0.0, mean - width), "high": mean + width, "tasks": tasks}


def add_evaluation(path: Path, success: float, trajectories: Sequence[Trajectory]) -> None:
    """An evaluation, of its own or within a run."""
    path.mkdir(parents=True, exist_ok=True)
    metrics = {
        "success": estimate(success),
        "reward": estimate(success),
        "pass@2": estimate(0.7),
        "turns": estimate(2.6),
    }
    metrics |= {"stop/answered": estimate(0.8), "tools/search": estimate(1.6), "seconds": estimate(1.2)}
    head = {"env": "search", "model": "tiny", "split": "test", "n": 2, "temperature": 1.0, "seed": 0, "tasks": 20}
    counts = {"episodes": 40, "failures": 1, "failures_by_cause": {"infrastructure/search": 1}, "success_at": 1.0}
    by = {"hops": {str(hops): {"success": estimate(success / hops, tasks=7)} for hops in (1, 2, 3)}}
    write_text_atomic(path / "results.json", json.dumps(head | counts | {"metrics": metrics, "by": by}))
    write_trajectories(path / "episodes.jsonl.zst", trajectories)


def finished_run(path: Path, steps: int = 8) -> RunFolder:
    """A training that has come to its end."""
    folder = begin_run(path)
    for step in range(1, steps + 1):
        add_step(folder, step)
    for name, success in (("before", 0.2), ("after", 0.9), ("before_sampled", 0.15), ("after_sampled", 0.85)):
        add_evaluation(folder.evaluations / name, success, episodes(10, 2, len(name)))
    write_json_atomic(folder.summary_json, {"before": 0.2, "after": 0.9, "steps": steps, "seconds": 40.0})
    return folder


def evaluation(path: Path, trajectories: Sequence[Trajectory]) -> Path:
    """A folder as `agent-rl eval` leaves it."""
    path.mkdir(parents=True)
    write_json_atomic(path / "run.json", {"command": "agent-rl eval env=search"})
    write_text_atomic(path / "config.yaml", "env:\n  name: search\nmodel:\n  path: tiny\nsuccess_at: 1.0\n")
    add_evaluation(path, 0.5, trajectories)
    return path
