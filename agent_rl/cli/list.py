"""`agent-rl list`."""

import argparse
import json
from collections.abc import Iterable
from typing import Any

import gymnasium

from agent_rl.config import presets
from agent_rl.config.compose import PRESETS
from agent_rl.core.errors import UserError
from agent_rl.envs import ENVIRONMENTS
from agent_rl.envs.registration import environment
from agent_rl.envs.wrappers.section import WRAPPERS
from agent_rl.tools import TOOLS
from agent_rl.tools.call_formats import CALL_FORMATS
from agent_rl.tracking import TRACKERS
from agent_rl.trainer.algorithms import ADVANTAGES, LOSSES

Entry = dict[str, Any]

_TITLES = {
    "environments": "environments (env=NAME, or env=FILE.py:CLASS)",
    "wrappers": "wrappers (env.wrappers=NAME, or env.wrappers=[{name: NAME, OPTION: VALUE}])",
    "tools": "tools",
    "call_formats": "call formats (renderer.call_format=NAME; by default the one of the model's chat template)",
    "sandboxes": "sandboxes (sandbox=NAME)",
    "engines": "engines (engine=NAME)",
    "models": "models (model=NAME, or a run, a folder or a name on the Hugging Face hub)",
    "algorithms": "algorithms (algorithm=NAME)",
    "advantages": "advantage estimators (algorithm.advantage=NAME, or algorithm.advantage=FILE.py:CLASS)",
    "losses": "policy losses (algorithm.loss=NAME, or algorithm.loss=FILE.py:CLASS)",
    "trackers": "trackers (tracker=NAME; the console and metrics.jsonl always)",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = "Lists what can be named on the command line and in code."
    parser.add_argument("--json", action="store_true", help="end with all of it as one JSON object on a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what can be named."""
    listed = listing()
    for kind, title in _TITLES.items():
        print(title)
        width = max(map(len, listed[kind]), default=0)
        for name, entry in listed[kind].items():
            shown = [entry[key] for key in ("id", "description", "error") if entry.get(key)]
            print("  ".join([f"  {name:<{width}}", *shown]).rstrip())
    if arguments.json:
        print(json.dumps(listed))
    return 0


def listing() -> dict[str, dict[str, Entry]]:
    """Return the names of each kind, each with its description; environments with Gymnasium's id and version too."""
    return {
        "environments": {name: _environment(name) for name in ENVIRONMENTS},
        "wrappers": {name: {"description": _first_line(WRAPPERS[name].__doc__)} for name in WRAPPERS},
        "tools": {name: {"description": TOOLS[name].description} for name in TOOLS},
        "call_formats": {name: {"description": _first_line(CALL_FORMATS[name].__doc__)} for name in CALL_FORMATS},
        "sandboxes": _presets("sandbox"),
        "engines": _presets("engine"),
        "models": _presets("model"),
        "algorithms": _presets("algorithm"),
        "advantages": {name: {"description": _first_line(ADVANTAGES[name].__doc__)} for name in ADVANTAGES},
        "losses": {name: {"description": _first_line(LOSSES[name].__doc__)} for name in LOSSES},
        "trackers": {name: {"description": ""} for name in TRACKERS},
    }


def _environment(name: str) -> Entry:
    """Describe an environment; one that cannot be imported is listed with what is wrong."""
    spec = _gymnasium_spec(name)
    entry: Entry = {"id": spec.id, "version": spec.version} if spec else {"id": None, "version": None}
    try:
        return entry | {"description": _first_line(environment(name).__doc__)}
    except UserError as error:  # it is of somebody else's package
        return entry | {"description": "cannot be loaded", "error": str(error)}


def _gymnasium_spec(name: str) -> Any:
    """Return what Gymnasium knows of an environment, the newest version if there are several; None without one."""
    title = name.replace("_", "")
    known = gymnasium.registry.values()
    versions = [spec for spec in known if spec.namespace == "agent_rl" and spec.name.lower() == title]
    return max(versions, key=lambda spec: spec.version or 0, default=None)


def _presets(group: str) -> dict[str, Entry]:
    """Describe the presets of a group by the first comment of their files."""
    return {
        name: {"description": _first_comment((PRESETS / group / f"{name}.yaml").read_text(encoding="utf-8"))}
        for name in presets(group)
    }


def _first_comment(text: str) -> str:
    comments: Iterable[str] = (line[2:] for line in text.splitlines() if line.startswith("# "))
    return next((comment for comment in comments if not comment.startswith("@")), "")


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
