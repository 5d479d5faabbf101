"""Where the time of a training step goes: real steps of `agent-rl train`, and the share of each phase in them.

What lies outside rollout and update is overhead: handing over the weights, trajectories and checkpoints, metrics, and
whatever nobody measures. The rollout's share is split between model and environment in the proportion in which its
episodes waited for the one and for the other: they wait side by side, so their seconds cannot be summed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import torch
from calibration import matmul_gflops

from agent_rl.cli.main import main as command_line
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.recorder import Recorder

_PHASES = ("rollout", "update", "weights", "record")


def main() -> None:
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    gflops = matmul_gflops()
    with tempfile.TemporaryDirectory() as folder, _commits() as commits:
        run = RunFolder(Path(folder) / "run")
        words = ["env=search", "eval.tasks=0", f"trainer.steps={arguments.steps}", *arguments.words, f"out={run.path}"]
        with redirect_stdout(sys.stderr):  # it tells where the run lies, which is nowhere in a moment
            status = command_line(["train", *words])
        if status:
            raise SystemExit(status)
        figures = _figures(run, commits)
    figures |= {"matmul_gflops": max(gflops, matmul_gflops()), "threads": torch.get_num_threads()}
    _report(figures)
    if arguments.json:
        print(json.dumps(figures))


@contextmanager
def _commits() -> Iterator[list[float]]:
    """Collect the seconds of the recorder's commits: they come after a step's metrics and so are not in them."""
    seconds: list[float] = []
    commit = Recorder.commit

    def timed(recorder: Recorder, step: int, metrics: dict[str, float]) -> None:
        begun = time.perf_counter()
        commit(recorder, step, metrics)
        seconds.append(time.perf_counter() - begun)

    with patch.object(Recorder, "commit", timed):
        yield seconds


def _figures(run: RunFolder, commits: list[float]) -> dict[str, Any]:
    """Return the means over the steps; the first one warms up and is left out when there are others."""
    first = 1 if len(commits) > 1 else 0
    steps = read_metrics(run.metrics_jsonl)[first:]
    seconds = {phase: mean(step[f"seconds/{phase}"] for step in steps) for phase in _PHASES}
    measured = mean(step["seconds/step"] for step in steps)
    seconds |= {"commit": mean(commits[first:]), "rest": measured - sum(seconds.values())}
    total = measured + seconds["commit"]
    environment = _environment_share(run, [int(step["step"]) for step in steps])
    shares = {
        "generation": seconds["rollout"] * (1 - environment) / total,
        "environment": seconds["rollout"] * environment / total,
        **{phase: value / total for phase, value in seconds.items() if phase != "rollout"},
    }
    return {
        "steps": len(steps),
        "seconds_per_step": total,
        "shares": shares,
        "overhead": 1 - (seconds["rollout"] + seconds["update"]) / total,
        "tokens_per_second": mean(step["speed/tokens_per_second"] for step in steps),
        "sampled_tokens_per_second": mean(step["speed/sampled_tokens_per_second"] for step in steps),
    }


def _environment_share(run: RunFolder, steps: list[int]) -> float:
    """Return the environment's part of the time for which episodes waited for model or environment."""
    turns = [
        turn for step in steps for episode in read_trajectories(run.trajectories_file(step)) for turn in episode.turns
    ]
    environment = sum(turn.environment_seconds for turn in turns)
    return environment / (environment + sum(turn.generate_seconds for turn in turns))


def _report(figures: dict[str, Any]) -> None:
    print(f"\n{figures['seconds_per_step']:.2f} s a step, mean of {figures['steps']} steps, of which")
    for phase, share in figures["shares"].items():
        print(f"  {phase:12} {share:7.2%}")
    print(f"overhead (all but generation, environment and update): {figures['overhead']:.2%}")
    print(
        f"{figures['tokens_per_second']:,.0f} tokens/s trained, {figures['sampled_tokens_per_second']:,.0f} sampled; "
        f"{figures['threads']} threads; calibration {figures['matmul_gflops']:.1f} GFLOP/s"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show where the time of a training step goes.")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="settings for agent-rl train, such as model=PATH")
    parser.add_argument("--steps", type=int, default=4, help="steps to run; the first one is not counted")
    parser.add_argument("--threads", type=int, help="torch's threads; its own choice if not given")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
