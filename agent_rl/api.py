"""The command line's work as functions: `train`, `evaluate` and `load_run`."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_rl.config import compose, validate
from agent_rl.core.files import read_json
from agent_rl.core.trajectory import Trajectory
from agent_rl.evaluation.results import Results
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.console import Console
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder, create_run


@dataclass(frozen=True)
class Run:
    """A run that was recorded in a folder."""

    folder: RunFolder

    @property
    def summary(self) -> dict[str, Any]:
        """What was reached: the content of `summary.json`; empty while the run goes on."""
        return read_json(self.folder.summary_json)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics, one dictionary a step."""
        return read_metrics(self.folder.metrics_jsonl)

    def trajectories(self, step: int) -> Iterator[Trajectory]:
        """Yield the trajectories of a training step (from 1)."""
        return read_trajectories(self.folder.trajectories_file(step))


def train(*words: str) -> Run:
    """Train as `agent-rl train WORDS` does and return the run: `train("env=search", "trainer.steps=5")`.

    Raises:
        UserError: The words or the configuration are wrong.
    """
    from agent_rl.trainer.run import train as train_run  # these load torch
    from agent_rl.trainer.settings import TrainConfig

    config = validate(TrainConfig, compose("train", words))
    folder = create_run(config.out, config.run_name, config, ["agent-rl", "train", *words])
    with folder.alone(), Console() as console:
        train_run(config, folder, console, read_json(folder.run_json))
    return Run(folder)


def evaluate(*words: str) -> Results:
    """Measure as `agent-rl eval WORDS` does and return the results; `out=DIR` keeps them and the episodes.

    Raises:
        UserError: The words or the configuration are wrong, or too many episodes failed.
    """
    from agent_rl.evaluation.several import begin, evaluate_into

    config = validate(EvalConfig, compose("eval", words))
    with tempfile.TemporaryDirectory(prefix="agent_rl_") as scratch, Console() as console:
        folder = Path(config.out or scratch)
        begin(folder, config, ["agent-rl", "eval", *words])
        return evaluate_into(folder, config, console)


def load_run(path: str | Path) -> Run:
    """Return the run recorded in a folder.

    Raises:
        UserError: There is none.
    """
    return Run(RunFolder.open(Path(path)))
