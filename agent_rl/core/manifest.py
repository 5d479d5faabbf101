"""Manifests: what lies in a folder and how long each file is, written last, so that a part of a folder is noticed."""

import json
import logging
import os
from pathlib import Path

from agent_rl.core.files import write_json_atomic

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"


def seal(folder: Path) -> None:
    """Bring all files of a folder onto the disk, then write its manifest."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    for file in files:
        with file.open("rb") as written:
            os.fsync(written.fileno())
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    write_json_atomic(folder / MANIFEST, {"bytes": sizes})


def damage(folder: Path) -> str | None:
    """Return what a sealed folder lacks of what was written, or None when all is there in its length."""
    try:
        sizes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["bytes"].items()
    except FileNotFoundError:
        return f"it has no {MANIFEST}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return f"{MANIFEST} cannot be read"
    for name, size in sizes:
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} of {size} bytes"
    return None


def newest_whole(checkpoints: Path) -> Path | None:
    """Return the newest checkpoint `step_N` of a folder of them that is whole, and warn of newer ones that are not."""
    for checkpoint in sorted(checkpoints.glob("step_*"), reverse=True):
        lacking = damage(checkpoint)
        if lacking is None:
            return checkpoint
        logger.warning("the checkpoint %s is damaged and passed over: %s", checkpoint, lacking)
    return None
