"""The folder of a run: where everything lies in it, and who may write there."""

import fcntl
import itertools
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import yaml
from pydantic import BaseModel

from agent_rl.core.errors import UserError
from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.tracking.facts import describe

_GLANCES, _GLANCE = 3, 0.05  # tries, and seconds between: `held` holds a folder as well, for a moment


@dataclass(frozen=True)
class RunFolder:
    """The layout of a run's folder."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make the folder of a new run.

        Raises:
            UserError: It cannot be written, or it holds a run already.
        """
        folder = cls(path)
        try:
            if folder.begun:
                raise UserError(f"{path} holds a run already; resume it or choose another folder")
            for part in (folder.checkpoints, folder.trajectories, folder.evaluations):
                part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write the run's folder {path}: {error.strerror}") from error
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Return the folder of a run that was begun.

        Raises:
            UserError: There is no run in it.
        """
        folder = cls(path)
        if not folder.run_json.is_file():
            raise UserError(f"{path} holds no run: there is no {folder.run_json.name} in it")
        return folder

    @property
    def begun(self) -> bool:
        """Whether a run has left results here; one that failed before the first may be started again."""
        return self.run_json.exists() and (self.metrics_jsonl.exists() or any(self.evaluations.glob("*")))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, so that no second process writes into it; the system lets go when this process dies.

        Raises:
            UserError: Another process holds it.
        """
        with (self.path / ".lock").open("w") as lock:
            if not _locked(lock):
                raise UserError(f"another process is working in {self.path}")
            yield

    @property
    def run_json(self) -> Path:
        """Command, commit, versions and hardware, as `describe` tells them. A folder with this file holds a run."""
        return self.path / "run.json"

    @property
    def config_yaml(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def metrics_jsonl(self) -> Path:
        """The metrics, one line a step."""
        return self.path / "metrics.jsonl"

    @property
    def summary_json(self) -> Path:
        """The figures of the finished run."""
        return self.path / "summary.json"

    @property
    def report_html(self) -> Path:
        """The report, one page that needs no other file."""
        return self.path / "report.html"

    @property
    def audit_html(self) -> Path:
        """The page of the last audit."""
        return self.path / "audit.html"

    @property
    def curve_png(self) -> Path:
        """The learning curve as a picture."""
        return self.path / "learning_curve.png"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def trajectories(self) -> Path:
        """The folder of the training's trajectories, one file a step."""
        return self.path / "trajectories"

    @property
    def beside(self) -> Path:
        """The folder of greedy episodes and demonstrations, one file a step, where there are any."""
        return self.path / "beside"

    @property
    def learned(self) -> Path:
        """The folder of what the trainer made of the trajectories' tokens, one file a step."""
        return self.path / "learned"

    @property
    def evaluations(self) -> Path:
        """The folder of the evaluations around training, a folder each."""
        return self.path / "evaluations"

    def drop_after(self, step: int) -> None:
        """Remove what there is of steps after `step`: a resumed run has it anew, and other steps perhaps.

        A checkpoint among it is damaged, or the run would go on from there.
        """
        last = f"step_{step:06d}"
        for folder in (*self.checkpoints.glob("step_*"), *self.evaluations.glob("step_*")):
            if folder.name > last and folder.is_dir():
                shutil.rmtree(folder)
        for part in (self.trajectories, self.beside, self.learned):
            for file in part.glob("step_*"):
                if file.name.partition(".")[0] > last:
                    file.unlink()

    def trajectories_file(self, step: int) -> Path:
        """The file of the trajectories of one training step."""
        return self.trajectories / f"step_{step:06d}.jsonl.zst"

    def learned_file(self, step: int) -> Path:
        """The file of what the trainer made of the tokens of one training step, see `rollout.learned`."""
        return self.learned / f"step_{step:06d}.npz"

    def profile_file(self, step: int) -> Path:
        """The file of the profile of one training step."""
        return self.path / "profiles" / f"step_{step:06d}.json.gz"

    def beside_file(self, step: int) -> Path:
        """The file of what was played beside the trajectories of one training step, where there is any."""
        return self.beside / f"step_{step:06d}.jsonl.zst"


def held(folder: Path) -> bool:
    """Whether a process holds the folder of a run, see `RunFolder.alone`."""
    try:
        with (folder / ".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def create_run(out: str | None, name: str, config: BaseModel, command: list[str]) -> RunFolder:
    """Make the folder of a new run with `run.json` and `config.yaml` in it: `out`, or a new one named after `name`.

    Raises:
        UserError: The folder cannot be written or holds a run already.
    """
    folder = RunFolder.create(Path(out) if out else _fresh(name))
    write_config(folder, config)
    write_json_atomic(folder.run_json, describe(command))
    return folder


def write_config(folder: RunFolder, config: BaseModel) -> None:
    """Write the resolved configuration."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text_atomic(folder.config_yaml, text)


def _locked(lock: IO[str]) -> bool:
    for _ in range(_GLANCES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_GLANCE)
        else:
            return True
    return False


def _fresh(name: str) -> Path:
    base = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    numbered = (base.with_name(f"{base.name}-{number}") for number in itertools.count(2))
    return base if not base.exists() else next(path for path in numbered if not path.exists())
