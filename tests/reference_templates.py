"""Chat templates of real models, read from TRL's wheel where it is installed. They are never copied."""

from importlib.util import find_spec
from pathlib import Path

import pytest


def template(name: str) -> str:
    """Return the text of TRL's `chat_templates/NAME.jinja`; skip the test when TRL is not installed."""
    return (folder() / f"{name}.jinja").read_text(encoding="utf-8")


def folder() -> Path:
    """Return the folder of the templates, found without importing TRL; skip the test when TRL is not installed."""
    spec = find_spec("trl")
    if spec is None or spec.origin is None:
        pytest.skip("TRL is not installed: its chat templates are the reference")
    return Path(spec.origin).parent / "chat_templates"
