"""`agent-rl`: dispatch, and errors as one line."""

import argparse
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import TextIO

from agent_rl.cli.common import add_environment_help
from agent_rl.core.errors import UserError

COMMANDS = {
    "train": "train a policy by reinforcement learning",
    "eval": "measure a model on an environment",
    "compare": "say whether one evaluation is better than another, by how much, and whether that is real",
    "rescore": "give saved episodes the rewards that an environment gives now, without a model",
    "sft": "train a model on demonstrations, conversations or good trajectories",
    "plan": "say what memory and time a training needs, without starting it",
    "export": "write the model of a run, or the log of an evaluation, as others read it",
    "check": "prove an environment without a model",
    "serve": "serve passages or a sandbox to many runs, over HTTP",
    "view": "show runs, evaluations and their trajectories in a browser",
    "audit": "prove or refute that a run trained exactly what was sampled",
    "list": "list environments, wrappers, tools, call formats, sandboxes, engines, models, algorithms and trackers",
    "new": "write an environment or a tool to begin with",
}
EXIT_ERROR, EXIT_REFUTED, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 3, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    # The command's own module, with torch and all, is imported only when the command is run or asked for help.
    chosen = next((word for word in words if not word.startswith("-")), None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == chosen:
            import_module(f"agent_rl.cli.{name}").configure(command)
            if {"-h", "--help"} & set(words):
                add_environment_help(command, words)
    parsed, more = parser.parse_known_args(words)
    if more and (any(word.startswith("-") for word in more) or not hasattr(parsed, "words")):
        parser.error(f"unknown: {' '.join(more)}")
    if more:  # KEY=VALUE words behind an option
        parsed.words += more
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", handlers=[_CurrentStderr()]
    )
    warnings.filterwarnings("ignore", module="(transformers|torch|swanlab|gymnasium).*")
    try:
        with _terminable():
            status: int = parsed.run(parsed)
    except UserError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return error.exit_status
    except _Terminated:
        print("terminated", file=sys.stderr)
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_ERROR
    return status


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers send it: what was begun is ended and let go of, as after Ctrl-C."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise `_Terminated` while the block runs; only a program's first thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _CurrentStderr(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stderr` is at the moment: a live display takes its place and prints above itself."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Ignore the stream that the constructor sets."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agent-rl", description="Train language-model agents by reinforcement learning.", allow_abbrev=False
    )
    try:
        installed = version("agent-rl")
    except PackageNotFoundError:
        installed = "not installed"
    parser.add_argument("--version", action="version", version=f"agent-rl {installed}")
    return parser
