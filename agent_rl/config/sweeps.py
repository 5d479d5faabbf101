"""Several configurations from one command line: Hydra's sweeps (`env=search,guess`), and suites of words."""

import functools
import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from agent_rl.config.compose import PRESETS, presets
from agent_rl.core.errors import UserError, nearest

Words = tuple[str, ...]
_NAMING = ("env", "engine", "model", "engine.model")
"""Keys that name what is compared; others name it where these are not enough."""


def combinations(words: Sequence[str], suite: str | None = None) -> dict[str, Words]:
    """Return the words of each combination by a label made of what differs, in the order in which they are written.

    Args:
        words: Words in Hydra's grammar; one with several values stands for as many combinations.
        suite: A preset of the group `suite`, or a file: a list of further words, each for combinations of its own. What
            `words` say as well holds instead.

    Raises:
        UserError: There is no such suite, or values cannot be listed.
    """
    parts = [_merged(entry, words) for entry in (_entries(suite) if suite else [()])]
    every = [tuple(chosen) for part in parts for chosen in itertools.product(*map(_choices, part))]
    unique = list(dict.fromkeys(every))
    return dict(zip(_labels(unique), unique, strict=True))


def _choices(word: str) -> list[str]:
    """Return the word with each of its values; as it is where it has one, or where what it means is not told here."""
    override = _parsed(word)
    if override is None or not override.is_sweep_override():
        return [word]
    if not override.is_discrete_sweep():
        raise UserError(f"'{word}' has no list of values; write them: KEY=A,B")
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


@functools.cache
def _parsed(word: str) -> Any:
    """Return Hydra's reading of a word; None where it has none, which composing tells better."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _entries(suite: str) -> list[Words]:
    file = PRESETS / "suite" / f"{suite}.yaml" if suite in presets("suite") else Path(suite)
    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(entries, list) and entries and all(isinstance(entry, str) for entry in entries):
            return [tuple(shlex.split(entry)) for entry in entries]
    except FileNotFoundError as error:
        known = presets("suite")
        raise UserError(
            f"there is no suite '{suite}'{nearest(suite, known)} (there are: {', '.join(known)}, and files)"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"the suite {suite} cannot be read: {error}") from error
    raise UserError(f"the suite {suite} is not a list of texts such as 'env=search tasks=100'")


def _merged(first: Sequence[str], then: Sequence[str]) -> list[str]:
    """Return both, without those of the first whose key is among the others."""
    keys = {_key(word) for word in then}
    return [*(word for word in first if _key(word) not in keys), *then]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")


def _labels(every: Sequence[Words]) -> list[str]:
    """Return a short name for each combination, fit for a folder; no two are the same."""
    values = [{_key(word): _shown(word) for word in words} for words in every]
    keys = list(dict.fromkeys(key for found in values for key in found))
    differing = [key for key in keys if len({found.get(key) for found in values}) > 1]
    naming = [key for key in _NAMING if key in differing]
    if len({tuple(found.get(key) for key in naming) for found in values}) < len(every):
        naming += [key for key in differing if key not in naming]
    labels: list[str] = []
    for found in values:
        label = "-".join(_part(key, found[key]) for key in naming if key in found) or "evaluation"
        numbered = (label, *(f"{label}-{number}" for number in range(2, len(every) + 1)))
        labels.append(next(name for name in numbered if name not in labels))
    return labels


def _part(key: str, value: str) -> str:
    """Return what a value, and its key where that says more, adds to a label."""
    plain = re.sub(r"[^\w.+-]+", "_", value.rstrip("/").rpartition("/")[2]).strip("._") or "_"
    return plain if key in _NAMING else f"{key.rpartition('.')[2]}_{plain}"


def _shown(word: str) -> str:
    """Return a word's value as it was meant, without quotes and escapes."""
    override = _parsed(word)
    return word.partition("=")[2] if override is None else str(override.value())
