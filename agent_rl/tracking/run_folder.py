"""The folder of a run: where everything lies in it, and the facts about where and when the run began."""

import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError

_PACKAGES = ("torch", "transformers", "numpy", "gymnasium", "tantivy", "tokenizers", "pydantic", "hydra-core")


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
            if folder.run_json.exists():
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
    def evaluations(self) -> Path:
        """The folder of the evaluations' trajectories."""
        return self.path / "evaluations"

    def trajectories_file(self, step: int) -> Path:
        """The file of the trajectories of one training step."""
        return self.trajectories / f"step_{step:06d}.jsonl.zst"


def describe(command: list[str]) -> dict[str, Any]:
    """Return the facts about a run that starts here and now: what to write into run.json. It names no host or user."""
    commit = _output("git", "rev-parse", "HEAD")
    return {
        "command": shlex.join(command),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "agent_rl": _version("agent-rl"),
        "commit": commit,
        "dirty": bool(commit and _output("git", "status", "--porcelain")),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "hardware": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "gpus": (_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "").splitlines(),
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _output(*command: str) -> str | None:
    """Return what a program prints, or None when it is missing, fails, or takes longer than five seconds."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
