"""What a run leaves behind and shows while it goes on: its folder, the trackers, the console."""

from collections.abc import Callable

from agent_rl.core.registry import Registry
from agent_rl.tracking.base import Tracker
from agent_rl.tracking.jsonl import JsonlTracker
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.tracking.swanlab import SwanlabTracker

TRACKERS: Registry[Callable[[RunFolder, str], Tracker]] = Registry("tracker")
TRACKERS.register("jsonl", lambda folder, project: JsonlTracker(folder.metrics_jsonl))
TRACKERS.register("swanlab", lambda folder, project: SwanlabTracker(folder.path / "swanlab", project))


def make_tracker(name: str, folder: RunFolder, project: str) -> Tracker:
    """Return the tracker of this name, writing into `folder`; `project` is what services group runs by.

    Raises:
        UserError: There is no such tracker, or a package it needs is missing.
    """
    return TRACKERS[name](folder, project)
