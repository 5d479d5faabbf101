"""The tracker `jsonl`: one JSON line a step, on the disk before the next step begins."""

import json
import math
import os
from pathlib import Path
from typing import Any

from agent_rl.core.files import storing, write_text_atomic


class JsonlTracker:
    """Appends metrics to a file. A metric that is not finite becomes `null`, so that every line is valid JSON."""

    def __init__(self, path: Path) -> None:
        """Append to `path`; nothing is written before the first step."""
        self.path = path

    def start(self, run: dict[str, Any], config: dict[str, Any]) -> None:
        """Write nothing: run.json and config.yaml have it."""

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Append a line and wait until the disk has it."""
        finite = {key: value if math.isfinite(value) else None for key, value in metrics.items()}
        with storing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | finite) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self, summary: dict[str, Any]) -> None:
        """Write nothing: summary.json has it."""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file, without a last line that was half written when the run was killed."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]  # what follows the last newline was not finished


def truncate_after(path: Path, step: int) -> None:
    """Drop the lines of steps after `step` and a half-written last line, so that a resumed run writes them again."""
    if path.exists():
        kept = [line for line in read_metrics(path) if line["step"] <= step]
        write_text_atomic(path, "".join(json.dumps(line) + "\n" for line in kept))
