"""Mistral, in both the forms that its models have been taught."""

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, json_value, named_call, skip
from agent_rl.tools.call_formats.thinking import Thinking

_CALLS = "[TOOL_CALLS]"
_ARGUMENTS = "[ARGS]"
_CALL_ID = "[CALL_ID]"
_THINKING = Thinking("[THINK]", "[/THINK]", inside="", after="")
_ID = re.compile(r"[A-Za-z0-9]{9}")
_HEAD = re.compile(r"([^\[{]*)(?:\[CALL_ID\]([^\[{]*))?(?:\[ARGS\])?")


class Mistral(CallFormat):
    """`[TOOL_CALLS] [{"name": …, "arguments": {…}, "id": …}]`, up to Mistral Small 3, Mistral Large 2 and Nemo.

    An id of nine letters and digits is written and kept; others are not, because the family knows none. The newer form
    is read as well. Tags in arguments are written with JSON escapes.
    """

    tags: ClassVar[tuple[str, ...]] = (_CALLS, "[THINK]", "[/THINK]")
    stops = ("</s>",)

    def _write(self, message: Message) -> str:
        calls = [self._call(call) for call in message.get("tool_calls", [])]
        return _THINKING.write(message) + text_of(message) + (f"{_CALLS} [{', '.join(calls)}]" if calls else "")

    def _call(self, call: ToolCall) -> str:
        name = json.dumps(call["function"]["name"], ensure_ascii=False)
        identity = f', "id": "{call["id"]}"' if _ID.fullmatch(call["id"]) else ""
        return guarded(f'{{"name": {name}, "arguments": {call["function"]["arguments"]}{identity}}}', self.tags)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read what follows each `[TOOL_CALLS]`: a JSON list of calls, or a name and its arguments."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        before, *blocks = text.split(_CALLS)
        turn.say(before)
        for block in blocks:
            try:
                begin = skip(block, 0)
                end = (_read_list if block[begin : begin + 1] in "[{" else _read_named)(turn, block)
                turn.say(block[end:])
            except (ValueError, RecursionError) as error:
                turn.reject(block, str(error))
        return turn.message()


class MistralArgs(Mistral):
    """`[TOOL_CALLS]name[ARGS]{…}`, once for each call: Mistral Small 3.1 and later, Magistral, Devstral, Ministral 3.

    The forms with `[CALL_ID]` and without `[ARGS]` and the older list are read as well. Tags in arguments are written
    with JSON escapes.
    """

    tags: ClassVar[tuple[str, ...]] = (_CALLS, _ARGUMENTS, "[THINK]", "[/THINK]")

    def _write(self, message: Message) -> str:
        calls = [f"{_CALLS}{self._call(call)}" for call in message.get("tool_calls", [])]
        return _THINKING.write(message) + text_of(message) + "".join(calls)

    def _call(self, call: ToolCall) -> str:
        arguments = guarded(call["function"]["arguments"], self.tags)
        return f"{call['function']['name']}{_ARGUMENTS}{arguments}"


class MistralIds(MistralArgs):
    """`[TOOL_CALLS]name[CALL_ID]id[ARGS]{…}`: the form of Mistral Small 3.2 and Magistral 1.

    An id of nine letters and digits is written and kept. Reads and guards as `MistralArgs` does.
    """

    tags = (_CALLS, _CALL_ID, _ARGUMENTS, "[THINK]", "[/THINK]")

    def _call(self, call: ToolCall) -> str:
        name, _, arguments = super()._call(call).partition(_ARGUMENTS)
        identity = f"{_CALL_ID}{call['id']}" if _ID.fullmatch(call["id"]) else ""
        return f"{name}{identity}{_ARGUMENTS}{arguments}"


def _read_list(turn: Turn, block: str) -> int:
    """Read a JSON list of calls, or one call alone; return the place after it."""
    value, end = json_value(block, 0)
    if not value:
        raise ValueError("the list of tool calls is empty")
    for item in value if isinstance(value, list) else [value]:
        try:
            name, arguments = named_call(item, "arguments")
            turn.call(name, arguments, _identity(item.get("id")))
        except ValueError as error:
            turn.reject(json.dumps(item, ensure_ascii=False), str(error))
    return end


def _identity(written: Any) -> str | None:
    """Return the id that the policy wrote, if it is one of the family's."""
    return written if isinstance(written, str) and _ID.fullmatch(written) else None


def _read_named(turn: Turn, block: str) -> int:
    """Read a name and its arguments; return the place after them."""
    head = _HEAD.match(block)
    assert head is not None  # the pattern matches everywhere
    if not head[1].strip():
        raise ValueError(f"the name of the tool is missing after {_CALLS}")
    value, end = json_value(block, head.end())
    if not isinstance(value, dict):
        raise ValueError(f"the arguments after {_ARGUMENTS} must be a JSON object")
    turn.call(head[1].strip(), value, _identity(head[2]))
    return end
