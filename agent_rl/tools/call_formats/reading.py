"""Small readers that the formats are made of. What they cannot read they raise as a ValueError that says why."""

import json
import re
from collections.abc import Sequence
from typing import Any

from agent_rl.tools.call_formats.base import Schema, json_type

_SPACE = re.compile(r"\s*")
_DECODER = json.JSONDecoder()
_JSON = frozenset('{["-0123456789tfnNI')
"""The characters that a JSON value may begin with."""
_WORDS = {"True": True, "False": False, "None": None}


def skip(text: str, at: int) -> int:
    """Return the place of the next character that is no white space."""
    if "!" <= text[at : at + 1] <= "~":  # most often there is none to skip
        return at
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere


def between(text: str, at: int, opening: str, closing: str) -> tuple[str, int]:
    """Return what stands between two tags, the first of which comes next, and the place after the second."""
    at = skip(text, at)
    if not text.startswith(opening, at):
        raise ValueError(f"{opening} is missing at {_here(text, at)}")
    return until(text, at + len(opening), closing)


def until(text: str, at: int, closing: str) -> tuple[str, int]:
    """Return what stands before the next `closing`, and the place after that."""
    end = text.find(closing, at)
    if end < 0:
        raise ValueError(f"{closing} is missing")
    return text[at:end], end + len(closing)


def _here(text: str, at: int) -> str:
    return repr(text[at : at + 20]) if text[at:] else "the end"


def guarded(written: str, tags: Sequence[str]) -> str:
    """Write `tags` otherwise where they stand in the strings of a JSON text, so that they are no tags."""
    for tag in tags:
        if tag in written:
            written = written.replace(tag, f"\\u{ord(tag[0]):04x}{tag[1:]}")
    return written


def json_value(text: str, at: int) -> tuple[Any, int]:
    """Return the JSON value that begins at or after `at`, and the place after it."""
    at = skip(text, at)
    if text[at : at + 1] not in _JSON:  # said as the decoder does, whose exceptions take long to make
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise ValueError(f"a tool call must be a JSON object: Expecting value: line {line} column {column} (char {at})")
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a tool call must be a JSON object: {error}") from None
    return value, end


def json_object(text: str) -> dict[str, Any]:
    """Return the arguments that `text` writes as a JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the arguments must be a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("the arguments must be a JSON object")
    return value


def named_call(value: Any, *keys: str) -> tuple[str, dict[str, Any]]:
    """Return the call that a JSON value stands for, its arguments under the first of `keys` that it has."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError('a tool call needs "name"')
    arguments = next((value[key] for key in keys if key in value), None)
    if not isinstance(arguments, dict):
        raise ValueError(f'a tool call needs "{keys[0]}", a JSON object')
    return value["name"], arguments


def parameters_of(tools: Sequence[Schema], name: str) -> dict[str, Schema]:
    """Return the schemas of the parameters of the tool called `name`; none if it is not described."""
    for tool in tools:
        function = tool.get("function", tool)
        if function.get("name") == name:
            return dict(function.get("parameters", {}).get("properties", {}))
    return {}


def typed(text: str, schema: Schema | None) -> Any:
    """Return the value of an argument that is written as bare text, a string as it is and anything else as JSON.

    Without a schema, and for a schema that allows strings beside other types, JSON wins if it parses. A text that fits
    none of the types of the schema is returned as it reads best: the tool says what is wrong with it.
    """
    kinds = _kinds(schema) if schema else set()
    if kinds == {"string"}:
        return text
    try:
        value = _WORDS[text] if kinds and text in _WORDS else json.loads(text, parse_constant=None if kinds else _no)
    except (ValueError, RecursionError):
        return text
    kind = json_type(value)
    fits = kind in kinds or (kind == "integer" and "number" in kinds)
    return text if "string" in kinds and not fits else value


def bare(value: Any) -> str:
    """Return an argument as bare text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kinds(schema: Schema) -> set[str]:
    """Return the types that a schema allows; none if it does not say."""
    kind = schema.get("type", [])
    kinds = {kind} if isinstance(kind, str) else set(kind)
    for choice in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        kinds |= _kinds(choice)
    return kinds


def _no(constant: str) -> None:
    """Take `NaN` and `Infinity` for words where nothing says that they are numbers."""
    raise ValueError(constant)
