"""What the commands share: their words and their help."""

import argparse
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from agent_rl.core.errors import UserError
from agent_rl.core.settings import choice, sections


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


def print_plan(config: BaseModel, sentences: Iterable[str]) -> None:
    """Print what `--dry-run` says: the resolved configuration, and what it comes to."""
    told = list(sentences)  # which may refuse it
    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    print("\n".join(told))


def refuse_changes(recorded: dict[str, Any], wanted: dict[str, Any], may_change: Collection[str]) -> None:
    """Refuse to go on with what is recorded under settings other than those that may change.

    Raises:
        UserError: Another key is not what it was; the message names it.
    """
    old, new = _flat(recorded), _flat(wanted)
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key not in may_change)
    if changed:
        key = changed[0]
        raise UserError(f"a resumed run keeps its settings, but {key} was {old.get(key)!r} and is {new.get(key)!r} now")


def add_environment_help(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the settings of the environment that `words` choose to the help of a command."""
    from agent_rl.envs.registration import environment

    chosen, _ = take_word([word for word in words if word.startswith("env=")], "env")
    if chosen is None:
        return
    try:
        lines = list(_help_lines(environment(chosen).settings_class(), "env."))
    except UserError as error:
        lines = [f"  {error}"]
    parser.epilog = f"{parser.epilog or ''}\n\nsettings of env={chosen}:\n" + "\n".join(lines)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _help_lines(model: type[BaseModel], prefix: str = "", only: str = "") -> Iterator[str]:
    """Yield a line per key: its name, its default, what choice alone reads it, and its field's docstring."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in sections(field) if kind.model_fields]
        for kind in inner:
            chosen = choice(field, kind)
            yield from _help_lines(kind, f"{prefix}{name}.", f"   ({prefix}{name}={chosen})" if chosen else only)
        if inner:
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        shown = "" if default is None else f" = {default}"
        yield f"  {prefix}{name}{shown}{only}"
        yield f"      {' '.join((field.description or '').split())}"
