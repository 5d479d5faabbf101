"""`agent-rl audit`."""

import argparse
import json
import math
from pathlib import Path

from agent_rl.cli.main import EXIT_REFUTED
from agent_rl.core.errors import UserError
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder

_DESCRIPTION = """Example: agent-rl audit runs/search-grpo --json

Reads the trajectories that a training saved, and proves or refutes that they are exact: that prompts and observations
are the tokens of their messages, that what is trained is what was sampled, that a fresh forward pass of the weights
gives the engine's log-probabilities, that groups are complete. Exit status: 0 when nothing is refuted, 3 when something
is, 1 when the run cannot be read."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("path", metavar="RUN", help="the folder of a run")
    parser.add_argument("--steps", metavar="A-B", help="only these training steps, such as 3 or 3-5")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many trajectories, from the first step on")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="NATS",
        help="largest gap of a log-probability that is no violation (default: 0.001 in float32, 0.25 in bfloat16)",
    )
    parser.add_argument("--html", metavar="FILE", help="where to write the page (default: RUN/audit.html)")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Audit a run."""
    folder = RunFolder.open(Path(arguments.path))
    if arguments.tolerance is not None and not 0 <= arguments.tolerance < math.inf:
        raise UserError(f"--tolerance must be a number of nats, at least 0 (got {arguments.tolerance})")
    from agent_rl.rollout.audit import Selection, audit_run, lines, write_page  # loads torch

    selection = Selection.parse(arguments.steps, arguments.limit)
    with Console() as console:
        audit = audit_run(folder, selection, arguments.tolerance, console)
    page = Path(arguments.html) if arguments.html else folder.audit_html
    write_page(audit, page)
    print("\n".join(lines(audit)))
    print(f"page: {page}")
    if arguments.json:
        print(json.dumps(audit.to_json()))
    return EXIT_REFUTED if audit.violations else 0
