"""Indexes that are built once into a folder and opened from then on."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent_rl.core.files import storing

T = TypeVar("T")


def built(folder: Path, fill: Callable[[Path], None], opened: Callable[[Path], T]) -> T:
    """Return what `opened` makes of `folder` after `fill` has built it.

    The work happens beside `folder`, which appears only when it is complete: two processes may build at once, and one
    that is killed leaves nothing half done.

    Raises:
        StorageError: Nothing can be written there.
    """
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(work)
        work.chmod(0o755)
        try:
            work.rename(folder)
        except OSError:
            try:
                return opened(folder)  # another process was quicker
            except (OSError, ValueError):  # what is there is damaged
                shutil.rmtree(folder, ignore_errors=True)
                work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return opened(folder)
