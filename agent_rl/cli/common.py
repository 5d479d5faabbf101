"""What the commands share: their words, their help, the run folder."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import yaml
from pydantic import BaseModel

from agent_rl.core.errors import UserError
from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.tracking.run_folder import RunFolder, describe


def add_words(parser: argparse.ArgumentParser, config: type[BaseModel], example: str) -> None:
    """Let a command take `KEY=VALUE` words, and list the keys of `config` in its help."""
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="settings in Hydra's grammar, see below")
    parser.description = f"Example: {example}"
    parser.epilog = "settings and their defaults:\n" + "\n".join(_help_lines(config))


def take_word(words: Sequence[str], key: str) -> tuple[str | None, list[str]]:
    """Return the value of the last `key=value` among `words`, or None, and the other words."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{key}=")]
    if values and not values[-1]:
        raise UserError(f"{key}= needs a value")
    return (values[-1] if values else None), [word for word in words if not word.startswith(f"{key}=")]


def create_run(out: str | None, kind: str, config: BaseModel, command: list[str]) -> RunFolder:
    """Make the run folder, with `run.json` and `config.yaml` in it.

    Raises:
        UserError: The folder cannot be written or holds a run already.
    """
    folder = RunFolder.create(Path(out) if out else _fresh(kind))
    write_text_atomic(
        folder.config_yaml, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    )
    write_json_atomic(folder.run_json, describe(command) | {"kind": kind})
    return folder


def _fresh(kind: str) -> Path:
    base = Path("runs") / f"{kind}-{datetime.now():%Y%m%d-%H%M%S}"
    numbered = (base.with_name(f"{base.name}-{number}") for number in range(2, 1000))
    return base if not base.exists() else next(path for path in numbered if not path.exists())


def _help_lines(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield a line per key: its name, its default and the docstring of its field."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and inner.model_fields:
            yield from _help_lines(inner, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else f" = {default}"
        yield f"  {prefix}{name}{shown}"
        yield f"      {' '.join((field.description or '').split())}"
