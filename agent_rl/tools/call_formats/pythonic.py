"""Calls as a Python list: Llama 3.2 and 4, LFM2."""

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import CallFormat, Schema, Turn
from agent_rl.tools.call_formats.literals import Literals, items, pair
from agent_rl.tools.call_formats.reading import guarded, json_object, skip
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking(inside="", after="")
_NAME = re.compile(r"[\w.-]+")
_BEGUN = re.compile(r"^\[\s*+[\w.-]++\(", re.MULTILINE)
_STRING = re.compile(r""""[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+'""", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0", "\n": ""}
_ESCAPES |= {mark: mark for mark in "\\'\"/"}


class Pythonic(CallFormat):
    """`[f(a=1), g(b="x")]`, as Llama 3.2 and 4 write it: the list begins the turn or a line.

    The names of tools and arguments are letters, digits, `_`, `.` and `-`. A list between `<|python_start|>` and
    `<|python_end|>` is read as well. JSON's `true`, `false` and `null` are read like Python's words. Tags in strings
    are written with escapes.
    """

    tags: ClassVar[tuple[str, ...]] = ()
    stops: ClassVar[tuple[str, ...]] = ("<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|eom|>")
    opening: ClassVar[str] = "<|python_start|>"
    closing: ClassVar[str] = "<|python_end|>"

    def _write(self, message: Message) -> str:
        calls = self._list(message)
        return "\n".join(part for part in (_THINKING.write(message) + text_of(message), calls) if part)

    def _list(self, message: Message) -> str:
        calls = ", ".join(self._call(call) for call in message.get("tool_calls", []))
        return calls and f"[{calls}]"

    def _call(self, call: ToolCall) -> str:
        arguments = json_object(call["function"]["arguments"])
        written = ", ".join(f"{key}={self._value(value)}" for key, value in arguments.items())
        return f"{call['function']['name']}({guarded(written, (self.opening, self.closing, '</think>'))})"

    def _value(self, value: Any) -> str:
        """Return a value as Python writes it, with double quotation marks."""
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._value(key)}: {self._value(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self._value, value)) + "]"
        return _quoted(value, '"') if isinstance(value, str) else str(value)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the list between the tags, or where one begins the turn or a line."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        before, *blocks = text.split(self.opening)
        self._untagged(turn, before)
        for block in blocks:
            body, _, after = block.partition(self.closing)
            _read(turn, body, skip(body, 0))
            turn.say(after)
        return turn.message()

    def _untagged(self, turn: Turn, text: str) -> None:
        text = text.strip()
        begun = _BEGUN.search(text)
        turn.say(text[: begun.start()] if begun else text)
        if begun:
            _read(turn, text, begun.start())


class Lfm2(Pythonic):
    """The same between `<|tool_call_start|>` and `<|tool_call_end|>`, as LFM2 writes it.

    Strings have single quotation marks, lists and mappings are JSON. Tags in strings are written with escapes.
    """

    tags = ("<|tool_call_start|>", "<|tool_call_end|>", "<think>", "</think>")
    stops = ("<|im_end|>",)
    opening = "<|tool_call_start|>"
    closing = "<|tool_call_end|>"

    def _write(self, message: Message) -> str:
        calls = self._list(message)
        tagged = calls and f"{self.opening}{calls}{self.closing}"
        return f"{_THINKING.write(message)}{text_of(message)}{tagged}"

    def _value(self, value: Any) -> str:
        if isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=False)
        return _quoted(value, "'") if isinstance(value, str) else str(value)

    def _untagged(self, turn: Turn, text: str) -> None:
        turn.say(text)


def _read(turn: Turn, text: str, at: int) -> None:
    """Read the list of calls at `at`; what follows it is content, and one that is no list is an invalid call."""
    try:
        if not text.startswith("[", at):
            raise ValueError('tool calls are a list: [name(key="value")]')
        calls, end = items(text, at + 1, "]", _call)
        if not calls:
            raise ValueError("the list of tool calls is empty")
        for name, arguments in calls:
            turn.call(name, arguments)
        turn.say(text[end:])
    except (ValueError, RecursionError) as error:
        turn.reject(text[at:], str(error))


def _call(text: str, at: int) -> tuple[tuple[str, dict[str, Any]], int]:
    name, at = _name(text, at)
    at = skip(text, at)
    if not text.startswith("(", at):
        raise ValueError(f"( is expected at {text[at : at + 20]!r}")
    arguments, at = items(text, at + 1, ")", lambda text, at: pair(text, at, _name, "=", _PYTHON.value))
    return (name, dict(arguments)), at


def _name(text: str, at: int) -> tuple[str, int]:
    found = _NAME.match(text, at)
    if not found:
        raise ValueError(f"a name is expected at {text[at : at + 20]!r}")
    return found[0], found.end()


def _quoted(value: str, mark: str) -> str:
    for character, escape in (("\\", "\\\\"), (mark, f"\\{mark}"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, escape)
    return f"{mark}{value}{mark}"


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(_unescaped, text[1:-1]) if "\\" in text else text[1:-1]


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES.get(escape, found[0])


_PYTHON = Literals(_STRING, _unquoted)
