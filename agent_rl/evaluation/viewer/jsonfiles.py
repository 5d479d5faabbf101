"""JSON files of a run, read while another process may write them."""

import json
import os
from pathlib import Path
from typing import Any

_TAIL = 1 << 18  # bytes at the end of a file in which its last line is


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one when there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def last_line(path: Path) -> dict[str, Any]:
    """Return the object in the last whole line of a JSONL file; an empty one when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            *lines, _ = file.read().split(b"\n")
        found = json.loads(lines[-1]) if lines else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
