"""What the tools of a run share: its limiter, and where answers are recorded or played from."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import model_validator

from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.tools.limiter import LIMITER, limiter_service
from agent_rl.tools.records import FILE, RECORD, REPLAY, rewind


class ToolsSettings(Settings):
    """The tools of a run, whatever its environment is."""

    record: str | None = None
    """A folder to write every answer of a tool into, beside what is there already."""
    replay: str | None = None
    """A folder that was recorded: tools are not run, but answer what they answered then."""

    @model_validator(mode="after")
    def _one_way(self) -> "ToolsSettings":
        """Refuse to record what is played back."""
        if self.record and self.replay:
            raise ValueError("record and replay cannot both be given")
        return self


@contextmanager
def shared(settings: ToolsSettings) -> Iterator[None]:
    """Let the tools of this process, and of those it starts meanwhile, share a limiter and the folders of `settings`.

    A limiter that the environment names already is used as it is: whoever started the processes runs it for all.

    Raises:
        UserError: Nothing has been recorded in the folder to be replayed.
    """
    if settings.replay and not (Path(settings.replay) / FILE).is_file():
        raise UserError(f"tools.replay={settings.replay}: there is no {FILE}")
    folders = {RECORD: settings.record, REPLAY: settings.replay}
    given = {name: str(Path(folder).absolute()) for name, folder in folders.items() if folder}
    before = {name: os.environ.get(name) for name in (LIMITER, *given)}
    with ExitStack() as stack:
        if LIMITER not in os.environ:
            given[LIMITER] = stack.enter_context(limiter_service())
        try:
            os.environ.update(given)
            rewind(given.get(REPLAY))
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
