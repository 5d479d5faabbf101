"""`agent-rl view`."""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import FIRST_PORT, LOCAL, Viewer

_DESCRIPTION = """Example: agent-rl view runs/search-grpo

Serves a page that shows a run or an evaluation, or all of those below a folder: curves, figures, every trajectory as a
conversation and token by token. The page follows what is going on. Ctrl-C ends it. With --text it is printed instead,
with --export written into one file."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "path", metavar="FOLDER", help="the folder of a run or an evaluation, or one with many below it"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help=f"the port (default: the first free one from {FIRST_PORT})"
    )
    parser.add_argument(
        "--host",
        default=LOCAL,
        metavar="H",
        help=f"where to listen (default: {LOCAL}, which only this machine reaches)",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument(
        "--text",
        nargs="?",
        const="",
        metavar="FILE/NUMBER",
        help="print it in the terminal, or one trajectory of it, such as evaluations/after/3",
    )
    parser.add_argument("--tokens", action="store_true", help="of that trajectory, every token and what is known of it")
    parser.add_argument(
        "--export", metavar="FILE.html", help="write chosen trajectories as one page that needs no server"
    )
    parser.add_argument(
        "--choose",
        default="",
        metavar="WORDS",
        help="what to export, such as 'file=evaluations/after success=false limit=20' (default: of each evaluation and "
        "the last step the first 50, successes and failures in turn, 20 MB at most)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show a run: in a browser, in the terminal, or as a file."""
    _check(arguments)
    library = Library(Path(arguments.path))
    if arguments.text is not None:
        from rich.console import Console

        from agent_rl.evaluation.viewer.terminal import show

        show(library, Console(highlight=False), arguments.text, arguments.tokens)
        return 0
    if arguments.export:
        from agent_rl.evaluation.viewer.export import export

        print(f"{arguments.export}: {export(library, Path(arguments.export), arguments.choose)}")
        return 0
    return _serve(library, arguments)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what goes with nothing."""
    if arguments.text is not None and arguments.export:
        raise UserError("give --text or --export, not both")
    if arguments.tokens and not arguments.text:
        raise UserError("--tokens needs the trajectory: --text evaluations/after/3 --tokens")
    if arguments.choose and not arguments.export:
        raise UserError("--choose needs --export FILE.html")


def _serve(library: Library, arguments: argparse.Namespace) -> int:
    with Viewer(library, arguments.host, arguments.port) as viewer:
        if not viewer.local:
            print(f"warning: whoever reaches {arguments.host} can read all of {arguments.path}", file=sys.stderr)
        print(viewer.url, flush=True)
        if not arguments.no_browser and _has_browser():
            webbrowser.open(viewer.url)
        try:
            viewer.serve_forever()
        except KeyboardInterrupt:
            print("ended", file=sys.stderr)
    return 0


def _has_browser() -> bool:
    """Whether there is a display to open a browser on: one in the terminal would take it from us."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
