"""What five algorithms learn on the demo's task: one run for each algorithm and seed, a table and a picture.

`python -m benchmarks.learning --json` trains whatever `--runs` (a folder) does not hold yet, two runs at a time with
one thread each, and ends with one JSON object on a line. `--picture FILE` draws the success in training, all seeds.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from agent_rl.api import Run, load_run

ALGORITHMS: dict[str, list[str]] = {
    "grpo": [],
    "rloo": [],
    "gigpo": [],
    "reinforce_plus_plus": ["trainer.tasks=128"],  # it has no groups: as many episodes a step as the others
    "ppo": ["trainer.tasks=32"],
}
WORDS = ["env=search", "model=tiny", "trainer.steps=30", "eval.tasks=200"]
KEYS = ("before", "after", "before_sampled", "after_sampled", "seconds")


def run_of(runs: Path, algorithm: str, seed: int) -> Run:
    """Return the run of an algorithm and a seed, trained now if `runs` does not hold it."""
    folder = runs / f"{algorithm}_{seed}"
    if not (folder / "summary.json").exists():
        words = [*WORDS, *ALGORITHMS[algorithm], f"algorithm={algorithm}", f"seed={seed}", f"out={folder}"]
        command = [sys.executable, "-m", "agent_rl.cli", "train", *words]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return load_run(folder)


def figures(runs: list[Run]) -> dict[str, list[float]]:
    """Return success before and after, greedy and sampled, and the seconds of training: a list each, by seed."""
    return {key: [run.summary[key] for run in runs] for key in KEYS}


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Return the figures as a table in Markdown: means before, every seed after."""
    rows = ["| `algorithm=` | greedy | sampled | seconds |", "| --- | --- | --- | --- |"]
    for name, values in found.items():
        pairs = [(values[key], values[f"after{key.removeprefix('before')}"]) for key in ("before", "before_sampled")]
        parts = [f"{mean(before):.3f} → {', '.join(f'{value:.3f}' for value in after)}" for before, after in pairs]
        seconds = ", ".join(f"{value:.0f}" for value in values["seconds"])
        rows.append(f"| `{name}` | {' | '.join(parts)} | {seconds} |")
    return "\n".join(rows)


def draw(found: dict[str, list[Run]], picture: Path) -> None:
    """Draw the mean success in training of each algorithm, and the range of its seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    from agent_rl.evaluation.curves import COLOURS, smooth

    figure = Figure(figsize=(9, 4.5), dpi=100, layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    for (name, runs), colour in zip(found.items(), COLOURS[1:], strict=False):
        curves = [smooth([line["success/mean"] for line in run.metrics]) for run in runs]
        columns: list[Any] = list(zip(*curves, strict=True))
        steps = range(1, len(columns) + 1)
        axes.fill_between(steps, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.15, lw=0)
        axes.plot(steps, [mean(c) for c in columns], color=colour, linewidth=2, label=name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(ylim=(0, 1), xlabel="training step", title="Success in training: mean and range of the seeds")
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(picture, format="png")


def main() -> None:
    """Train what is missing and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/learning"), help="folder of the runs, kept")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each algorithm, from 0")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--picture", type=Path, help="a PNG file")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    arguments = parser.parse_args()
    wanted = list(product(ALGORITHMS, range(arguments.seeds)))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = list(pool.map(lambda pair: run_of(arguments.runs, *pair), wanted))
    by_name = {name: [run for (of, _), run in zip(wanted, runs, strict=True) if of == name] for name in ALGORITHMS}
    found = {name: figures(of) for name, of in by_name.items()}
    print(table(found))
    if arguments.picture:
        draw(by_name, arguments.picture)
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
