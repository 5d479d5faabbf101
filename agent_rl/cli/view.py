"""`agent-rl view`."""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import FIRST_PORT, LOCAL, Viewer

_DESCRIPTION = """Example: agent-rl view runs/search-grpo

Serves a page that shows a run or an evaluation, or all of those below a folder: curves, figures, every trajectory as a
conversation and token by token. The page follows what is going on. Ctrl-C ends it."""


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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show a run."""
    library = Library(Path(arguments.path))
    return _serve(library, arguments)


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
