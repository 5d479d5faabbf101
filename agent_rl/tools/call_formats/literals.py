"""Values written as neither JSON nor bare text: Python's literals, and Gemma's with quotation marks of its own."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from agent_rl.tools.call_formats.reading import skip

T = TypeVar("T")
Reader = Callable[[str, int], tuple[T, int]]

_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
_FLOATS = {"Infinity", "-Infinity", "NaN", "inf", "-inf", "nan"}
_SIGNS = frozenset("+-.")
_NUMBER = re.compile(r"[-+]?(?:\d++(\.\d*+)?|(\.\d++))([eE][-+]?\d++)?")
_INTEGERS = re.compile(r"(?:[ \n]*+[-+]?\d{1,18}+[ \n]*+,)*+")  # a list may begin with very many


@dataclass(frozen=True)
class Literals:
    """Reads values at a place in a text; each reader returns the value and the place after it, or raises ValueError."""

    string: re.Pattern[str]
    """A string with its quotation marks."""

    unquoted: Callable[[str], str]
    """Gives the string that such a text stands for."""

    key: Reader[str] | None = None
    """Reads the key of a mapping; by default a string."""

    def value(self, text: str, at: int) -> tuple[Any, int]:
        """Read any value."""
        mark = text[at : at + 1]
        if not "!" <= mark <= "~":
            at = skip(text, at)
            mark = text[at : at + 1]
        if (mark.isdecimal() or mark in _SIGNS) and (number := _NUMBER.match(text, at)):
            return (int if number.lastindex is None else float)(number[0]), number.end()
        if mark == "{":
            pairs, at = items(
                text, at + 1, "}", lambda text, at: pair(text, at, self.key or self.text, ":", self.value)
            )
            return dict(pairs), at
        if mark == "[":
            first = _INTEGERS.match(text, at + 1)
            assert first is not None  # the pattern matches everywhere
            others, at = items(text, first.end(), "]", self.value)
            return [*map(int, first[0].split(",")[:-1]), *others], at
        found = self.string.match(text, at)
        return (self.unquoted(found[0]), found.end()) if found else _word(text, at)

    def text(self, text: str, at: int) -> tuple[str, int]:
        """Read a string."""
        found = self.string.match(text, at)
        if not found:
            raise ValueError(f"a string is expected at {text[at : at + 20]!r}")
        return self.unquoted(found[0]), found.end()


def items(text: str, at: int, closing: str, item: Reader[T]) -> tuple[list[T], int]:
    """Read items with commas between them up to `closing`, which is one character."""
    found: list[T] = []
    at = skip(text, at)
    while text[at : at + 1] != closing:
        value, at = item(text, at)
        found.append(value)
        mark = text[at : at + 1]
        if mark != "," and mark != closing:
            at = skip(text, at)
            mark = text[at : at + 1]
        if mark == ",":
            at = skip(text, at + 1)
        elif mark != closing:
            raise ValueError(f"a comma or {closing} is expected at {text[at : at + 20]!r}")
    return found, at + 1


def pair(text: str, at: int, key: Reader[str], between: str, value: Reader[T]) -> tuple[tuple[str, T], int]:
    """Read a key and its value."""
    name, at = key(text, at)
    if not text.startswith(between, at):
        at = skip(text, at)
        if not text.startswith(between, at):
            raise ValueError(f"{between} is expected at {text[at : at + 20]!r}")
    read, at = value(text, at + len(between))
    return (name, read), at


def _word(text: str, at: int) -> tuple[Any, int]:
    word = _WORD.match(text, at)
    if word and word[0] in _WORDS:
        return _WORDS[word[0]], word.end()
    if word and word[0] in _FLOATS:
        return float(word[0]), word.end()
    raise ValueError(f"a value is expected at {text[at : at + 20]!r}")
