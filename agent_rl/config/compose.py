"""Composition: presets and `key=value` words of the command line, in Hydra's grammar, to one dictionary."""

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
    for word in words:
        if word.lstrip("+~").partition("=")[1:] in (("", ""), ("=", "")) and not word.startswith("~"):
            raise UserError(f"'{word}' is not KEY=VALUE")
    try:
        parsed = [(word, parser.parse_override(word)) for word in words]
        with initialize_config_dir(version_base="1.3", config_dir=str(PRESETS)):
            if base is not None:
                values = [_as_value(word, override.key_or_group) for word, override in parsed]
                config = hydra_compose(overrides=[f"+{key}={_quoted(value)}" for key, value in base.items()] + values)
            else:
                config = hydra_compose(command, overrides=[_hydra_word(word, o.key_or_group) for word, o in parsed])
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"the configuration cannot be composed: {str(error).strip().splitlines()[0]}") from error
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return resolved


def _hydra_word(word: str, key: str) -> str:
    """Return the word as Hydra is to read it: presets as they are, values whether or not a preset has the key."""
    if not (PRESETS / key).is_dir():
        return _as_value(word, key)
    choice = word.partition("=")[2]
    if choice in presets(key):
        return word
    if key in _FREE:
        return f"++{key}.{_FREE[key]}={_quoted(choice.strip(chr(39) + chr(34)))}"
    known = ", ".join(presets(key))
    raise UserError(f"there is no preset {key}={choice}{nearest(choice, presets(key))} (there are: {known})")


def _as_value(word: str, key: str) -> str:
    if (PRESETS / key).is_dir():
        field = _FREE.get(key, "name")
        return f"++{key}.{field}={_quoted(word.partition('=')[2])}"
    return word if word.startswith(("+", "~")) else f"++{word}"


def _quoted(value: Any) -> str:
    """Write a value in Hydra's grammar."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_quoted(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_quoted, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
