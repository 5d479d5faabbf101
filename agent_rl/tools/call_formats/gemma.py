"""Gemma 4. The templates of Gemma 1 to 3 have no tool calls."""

import json
import re
from collections.abc import Sequence
from typing import Any

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.literals import Literals
from agent_rl.tools.call_formats.reading import json_object, skip
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking("<|channel>thought", "<channel|>", inside="\n", after="")
_QUOTE = '<|"|>'
_STRING = re.compile(r'<\|"\|>.*?<\|"\|>', re.DOTALL)
_KEY = re.compile(r"[^:,{}\[\]]*")


class Gemma(CallFormat):
    """`call:name{key:<|"|>text<|"|>,other:5}` between `<|tool_call>` and `<tool_call|>`, as Gemma 4 writes it.

    Keys are sorted and stand before the content, as in the family's template. There is no escape: strings that hold a
    tag or `<|"|>`, and keys with one of `:,{}[]`, cannot be written.
    """

    tags = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", _QUOTE)
    stops = ("<turn|>", "<|tool_response>")

    def _write(self, message: Message) -> str:
        calls = "".join(_written(call) for call in message.get("tool_calls", []))
        return f"{_THINKING.write(message)}{calls}{text_of(message)}"

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the thought, the calls between their tags, and the content."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        turn.blocks(text, "<|tool_call>", "<tool_call|>", _read)
        return turn.message()


def _written(call: ToolCall) -> str:
    arguments = json_object(call["function"]["arguments"])
    return f"<|tool_call>call:{call['function']['name']}{_value(arguments)}<tool_call|>"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f"{_QUOTE}{value}{_QUOTE}"
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: item[0].lower())
        return "{" + ",".join(f"{key}:{_value(item)}" for key, item in ordered) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_value, value)) + "]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _read(body: str) -> Call:
    at = skip(body, 0)
    if not body.startswith("call:", at):
        raise ValueError("a tool call begins with call:NAME{")
    brace = body.find("{", at)
    if brace < 0:
        raise ValueError("the arguments in { } are missing")
    value, end = _LITERALS.value(body, brace)
    if body[end:].strip():
        raise ValueError(f"nothing may follow the arguments: {body[end : end + 20]!r}")
    return body[at + len("call:") : brace].strip(), value


def _key(text: str, at: int) -> tuple[str, int]:
    if text.startswith(_QUOTE, at):
        return _LITERALS.text(text, at)
    found = _KEY.match(text, at)
    assert found is not None  # the pattern matches everywhere
    return found[0], found.end()


_LITERALS = Literals(_STRING, lambda text: text[len(_QUOTE) : -len(_QUOTE)], _key)
