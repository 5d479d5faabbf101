"""What the commands share: their words and their help."""

import argparse
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from agent_rl.core.errors import UserError


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
