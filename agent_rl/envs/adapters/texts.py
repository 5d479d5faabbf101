"""What a Gymnasium environment shows and says of itself, as plain text."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_COLOURED = re.compile(r"((?:\x1b\[\d+(?:;\d+)*m)+)(.*?)(?:\x1b\[0m)+", re.DOTALL)
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_SECTION = re.compile(r"^ *#+ +(.+?) *$", re.MULTILINE)
_NUMBERED = re.compile(r"^ *(?:[-*]|\|)? *`?(\d+)`? *[:|] *([^|\n]+?) *\|? *$", re.MULTILINE)
_LINK = re.compile(r" *\[<a .*?</a>\]|</?a\b[^>]*>|\((?:https?://)[^)]*\)|!\[[^]]*\]\([^)]*\)")
_LEGENDS = {
    "FrozenLake": "S start, F ice, H hole, G goal; the brackets show where you are.",
    "CliffWalking": "x you, o free, C cliff, T goal.",
    "Taxi": "R, G, Y and B are the places; | is a wall. Marked in brackets: yellow the empty taxi, "
    "green the taxi with the passenger, blue the waiting passenger, magenta the destination.",
}


def frame(rendered: str) -> str:
    """Return an `ansi` frame without control codes: what is coloured stands in brackets.

    Where several things are coloured, their colours are named.
    """
    several = len(_COLOURED.findall(rendered)) > 1

    def bracketed(match: re.Match[str]) -> str:
        codes = [int(code) for code in re.findall(r"\d+", match[1])]
        colours = "+".join(_COLOURS[code % 10] for code in codes if 30 <= code < 48 and code % 10 < 8)
        return f"[{match[2]}:{colours}]" if several and colours else f"[{match[2]}]"

    return re.sub(r"\x1b\[[\d;]*m", "", _COLOURED.sub(bracketed, rendered)).strip("\n")


def value(observed: Any) -> str:
    """Return a value of any Gymnasium space, written plainly: numbers to 4 digits, whatever array they are in."""
    if isinstance(observed, Mapping):
        return "{" + ", ".join(f"{key}: {value(item)}" for key, item in observed.items()) + "}"
    if isinstance(observed, np.ndarray):
        return value(observed.tolist())
    if isinstance(observed, list | tuple):
        left, right = "()" if isinstance(observed, tuple) else "[]"
        return left + ", ".join(map(value, observed)) + right
    if isinstance(observed, np.generic):
        return value(observed.item())
    return f"{observed:.4g}" if isinstance(observed, float) else str(observed)


def rules(name: str, cls: type, drawn: bool) -> str:
    """Return what the class's documentation tells a player.

    Args:
        name: The environment's name without version, for the legends of frames that are known here.
        cls: The environment's class, documented as Gymnasium's are.
        drawn: Whether the player sees frames; else the section on observations is needed as well.
    """
    wanted = ("", "Description", "Rewards", "Reward") if drawn else ("", "Description", "Observation Space", "Rewards")
    parts = [text for title, text in _sections(cls).items() if title in wanted and text]
    return "\n\n".join([*parts, *([_LEGENDS[name]] if drawn and name in _LEGENDS else [])])


def action_names(cls: type, first: int, size: int) -> dict[int, str]:
    """Return what the actions are called in the class's documentation, as far as it says so for every one."""
    found = {int(number): text for number, text in _NUMBERED.findall(_sections(cls).get("Action Space", ""))}
    return found if sorted(found) == list(range(first, first + size)) else {}


def _sections(cls: type) -> dict[str, str]:
    """Return the sections of a class's docstring by title; what comes before them has the title ""."""
    written = cls.__doc__ or ""
    cut = _SECTION.split(inspect.cleandoc(_LINK.sub("", written)))
    pairs = zip(["", *cut[1::2]], cut[::2], strict=True)
    return {title: inspect.cleandoc(text).strip() for title, text in pairs}
