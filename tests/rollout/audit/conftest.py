"""A real small run, made once, and copies of it to damage."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agent_rl import train
from agent_rl.rollout.audit import Audit, Selection, Verdict, audit_run
from agent_rl.rollout.store import read_lines
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder

Lines = list[dict[str, Any]]
WORDS = ["env=search", "trainer.tasks=4", "algorithm.samples=4", "trainer.keep_checkpoints=9", "eval.tasks=0"]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of two steps with every checkpoint: the shipped model, the search environment, the embedded engine."""
    folder = tmp_path_factory.mktemp("runs") / "sound"
    return train(*WORDS, "trainer.steps=2", f"out={folder}").folder


@pytest.fixture
def damage(sound: RunFolder, tmp_path: Path) -> Callable[..., RunFolder]:
    """Copy the run and change the saved lines of a step with a function."""

    def damaged(change: Callable[[Lines], object], step: int = 2) -> RunFolder:
        folder = RunFolder(Path(shutil.copytree(sound.path, tmp_path / "damaged", dirs_exist_ok=True)))
        path = folder.trajectories_file(step)
        lines: Lines = [json.loads(line) for line in read_lines(path)]
        change(lines)
        written = "".join(json.dumps(line) + "\n" for line in lines)
        path.write_bytes(zstandard.ZstdCompressor().compress(written.encode()))
        return folder

    return damaged


def audit(
    folder: RunFolder, steps: str | None = None, limit: int | None = None, tolerance: float | None = None
) -> Audit:
    return audit_run(folder, Selection.parse(steps, limit), tolerance, Console())


def refuted(found: Audit) -> set[str]:
    return {check.value for check, result in found.results.items() if result.verdict is Verdict.REFUTED}


def episode(lines: Lines, turns: int = 2) -> tuple[int, dict[str, Any]]:
    """Return number and content of the first line with at least so many turns that was answered."""
    return next(
        (number, line)
        for number, line in enumerate(lines)
        if len(line["turns"]) >= turns and line["stop"] == "answered"
    )


def twice(line: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(line)
