"""The sandbox of the run: chosen once, made when it is first needed, and closed with the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import TypeAdapter

from agent_rl.core.scopes import RUN, keep
from agent_rl.tools.sandbox.base import Sandbox
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.making import make_sandbox
from agent_rl.tools.sandbox.settings import SandboxSettings

CHOICE = "AGENT_RL_SANDBOX"
"""The environment variable that holds the settings as JSON, for this process and those that it starts."""


@contextmanager
def using(settings: SandboxSettings) -> Iterator[None]:
    """Let `current_sandbox`, in this process and in those it starts meanwhile, be the one that `settings` describe."""
    before = os.environ.get(CHOICE)
    os.environ[CHOICE] = settings.model_dump_json()
    try:
        yield
    finally:
        if before is None:
            del os.environ[CHOICE]
        else:
            os.environ[CHOICE] = before


def current_sandbox() -> Sandbox:
    """Return the run's sandbox, made when first asked for, from any thread; the local one where none was chosen."""
    text = os.environ.get(CHOICE, "")
    return keep(RUN, (CHOICE, text), lambda: _made(text))


def _made(text: str) -> Sandbox:
    return make_sandbox(TypeAdapter[SandboxSettings](SandboxSettings).validate_json(text) if text else LocalSettings())
