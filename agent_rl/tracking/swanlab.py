"""The tracker `swanlab`, in its offline mode: `swanlab sync <folder>/run-*` uploads the run when you want it to."""

import contextlib
import importlib
import io
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError


class SwanlabTracker:
    """Writes a run in swanlab's own format. No network, no output of its own, no copy of the terminal's text.

    The files hold what swanlab has flushed: after a `kill -9` the last steps may be missing there (metrics.jsonl has
    them), and a resumed run adds a second `run-*` folder.
    """

    def __init__(self, folder: Path, project: str) -> None:
        """Write into `folder`; characters that swanlab forbids in the name of a project become dashes.

        Raises:
            UserError: The package swanlab is not installed.
        """
        try:
            self._swanlab: Any = importlib.import_module("swanlab")
        except ImportError as error:
            raise UserError("tracker=swanlab needs the package swanlab: pip install agent-rl[swanlab]") from error
        self._folder = folder
        self._project = re.sub(r"[^0-9a-zA-Z_.+-]", "-", project)[:100]
        self._run: Any = None

    def start(self, run: dict[str, Any], config: dict[str, Any]) -> None:
        """Open the run. The configuration stays nested, as swanlab takes it; `run` is one more part of it."""
        settings = self._swanlab.Settings
        nothing = dict.fromkeys(("hardware", "runtime", "requirements", "conda", "git", "swanlab", "monitor"), False)
        self._folder.mkdir(parents=True, exist_ok=True)
        with _quiet(), _own_interrupt():
            self._run = self._swanlab.init(
                mode="offline",
                log_dir=str(self._folder),
                project=self._project,
                config=config | {"run": run},
                settings=settings(
                    interactive=False,
                    terminal=settings.Terminal(proxy_type="none"),
                    probe=settings.Probe(**nothing),  # run.json says it, without names of machines and users
                ),
            )

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Record the metrics of a step."""
        self._run.log(metrics, step=step)

    def finish(self, summary: dict[str, Any]) -> None:
        """Add the summary to the configuration, swanlab having no other place for it, and close the files."""
        with _quiet(), _own_interrupt():
            self._run.config.update({"summary": summary})
            self._run.finish()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep swanlab's greetings from the terminal."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _own_interrupt() -> Iterator[None]:
    """Keep the handler of Ctrl-C: swanlab's would close its run at once, and the step's metrics would then fail."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
