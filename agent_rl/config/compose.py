"""Composition: presets and `key=value` words of the command line, in Hydra's grammar, to one dictionary."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError, nearest

PRESETS = Path(__file__).parent / "presets"
_FREE = {"env": "name", "model": "path"}
"""Groups that take any value, not presets alone, and the key such a value goes to: `env=my.py:Shop`, `model=runs/a`."""


def presets(group: str) -> list[str]:
    """Return the names of the presets of a group."""
    return sorted(file.stem for file in (PRESETS / group).glob("*.yaml"))


def compose(command: str, words: Sequence[str], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the configuration of `command` after applying `words`.

    Args:
        command: The name of a root preset: train, sft or eval.
        words: `group=preset`, `key=value`, and whatever else Hydra's grammar has.
        base: Start from this configuration instead of the root preset, as resuming does.

    Raises:
        UserError: A word is not in the grammar, or names a preset that does not exist.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    parser = OverridesParser.create()
    try:
        parsed = [_parse(parser, word) for word in words]
        with initialize_config_dir(version_base="1.3", config_dir=str(PRESETS)):
            if base is not None:
                known = {key: value for key, value in base.items() if value is not None or not _is_group(key)}
                recorded = [f"+{key}={_quoted(value)}" for key, value in known.items()]
                config = hydra_compose(overrides=recorded + [_as_value(override) for override in parsed])
            else:
                config = hydra_compose(command, overrides=[_choice_or_value(override) for override in parsed])
        resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"the configuration cannot be composed: {str(error).strip().splitlines()[0]}") from error
    return resolved


def environment_words(section: dict[str, Any]) -> str:
    """Return the `env` section of a configuration as it is typed in a shell: `env=search env.results=2`."""
    words = [f"env={section['name']}"]
    for key, value in section.items():
        if key != "name" and value != []:  # no wrappers
            plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z/][\w./:-]*[./:-]\w+", value)
            words.append(f"env.{key}={value if plain else _quoted(value)}")
    return shlex.join(words)


def _parse(parser: Any, word: str) -> Any:
    """Return Hydra's reading of one word."""
    from hydra.errors import HydraException

    try:
        override = parser.parse_override(word)
    except HydraException as error:
        hint = " (quote values with special characters: KEY=\"'…'\")" if "=" in word else ""
        raise UserError(f"'{word}' is not KEY=VALUE in Hydra's grammar{hint}") from error
    key = override.key_or_group
    if key.split(".")[0] == "hydra" or override.is_delete():
        raise UserError(f"'{word}': keys can be set, but not removed, and Hydra's own have no effect here")
    if "=" not in word or override.value() == "":
        raise UserError(f"'{word}' is not KEY=VALUE")
    if override.is_sweep_override():
        raise UserError(f"'{word}' has several values, and one is needed: lists are written [A,B], texts \"'A,B'\"")
    return override


def _choice_or_value(override: Any) -> str:
    """Return the word as Hydra is to read it: presets as they are, values whether or not a preset has the key."""
    group, choice = override.key_or_group, override.value()
    if not _is_group(group) or (group in _FREE and choice not in presets(group)):
        return _as_value(override)
    if choice not in presets(group):
        known = ", ".join(presets(group))
        hint = nearest(str(choice), presets(group))
        raise UserError(f"there is no preset {group}={choice}{hint} (there are: {known})")
    word: str = override.input_line
    return word


def _is_group(key: str) -> bool:
    return (PRESETS / key).is_dir()


def _as_value(override: Any) -> str:
    """Return the word as one that sets a key whether or not it is there already."""
    group = override.key_or_group
    if _is_group(group):
        return f"++{group}.{_FREE.get(group, 'name')}={_quoted(override.value())}"
    return f"++{override.input_line.lstrip('+')}"


def _quoted(value: Any) -> str:
    """Write a value in Hydra's grammar."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_quoted(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_quoted, value)) + "]"
    if isinstance(value, str):
        # Hydra keeps backslashes in quotes, but for those before a quote.
        return "'" + re.sub(r"(\\+)(?='|$)", r"\1\1", value).replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
