"""Whether what a program gave is what was expected; compared outside the sandbox, as data."""

import math
import re
from typing import Any

from agent_rl.envs.code.harness import decode, hashable

TOLERANCE = 1e-6
"""By how much two floating-point numbers may differ, absolutely or relative to the greater one."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")


def same_output(expected: str, given: str) -> bool:
    """Return whether two outputs are the same but for white space at the ends of lines and empty lines at the end.

    In a line that is expected to hold a number with a point or an exponent, tokens are compared one by one, and those
    at such a number's place by the tolerance. Whole numbers have to be exact.
    """
    wanted, lines = _lines(expected), _lines(given)
    return len(wanted) == len(lines) and all(map(_same_line, wanted, lines))


def same_value(expected: Any, given: Any) -> bool:
    """Return whether two values, as the harness encodes them, are equal; floats by the tolerance, and nan to itself."""
    if isinstance(expected, float) and not isinstance(given, bool) and isinstance(given, int | float):
        return _close(expected, given)
    if isinstance(expected, list) and isinstance(given, list):
        return len(expected) == len(given) and all(map(same_value, expected, given))
    if isinstance(expected, dict) and isinstance(given, dict):
        return _same_collection(expected, given)
    return bool(expected == given)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_line(expected: str, given: str) -> bool:
    if expected == given:
        return True
    wanted, tokens = expected.split(), given.split()
    return len(wanted) == len(tokens) and any(map(_is_float, wanted)) and all(map(_same_token, wanted, tokens))


def _is_float(token: str) -> bool:
    return bool(_NUMBER.fullmatch(token)) and not _INTEGER.fullmatch(token)


def _same_token(expected: str, given: str) -> bool:
    if expected == given:
        return True
    return _is_float(expected) and bool(_NUMBER.fullmatch(given)) and _close(float(expected), float(given))


def _close(expected: float, given: float) -> bool:
    if math.isnan(expected):
        return given != given
    try:
        return math.isclose(expected, given, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    except OverflowError:  # a whole number that is no float
        return False


def _same_collection(expected: dict[str, Any], given: dict[str, Any]) -> bool:
    """Compare sets and keys of dictionaries as Python does, in any order, and values as values."""
    if expected.keys() != given.keys() or "int" in expected:
        return expected == given
    if "set" in expected:
        return bool(decode(expected) == decode(given))
    wanted, there = ({hashable(decode(key)): value for key, value in said["dict"]} for said in (expected, given))
    return wanted.keys() == there.keys() and all(same_value(value, there[key]) for key, value in wanted.items())
