"""Kimi K2."""

import re
from collections.abc import Sequence

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, json_object
from agent_rl.tools.call_formats.sections import Section
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking(inside="", after="")
_SECTION = Section(
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>"
)
_ARGUMENTS = "<|tool_call_argument_begin|>"
_HEAD = re.compile(r"(?:functions\.)?(.+):\d+", re.DOTALL)


class Kimi(CallFormat):
    """`functions.name:0` and a JSON object in a section of calls, as Kimi K2 writes it.

    `functions.name:0` is the call's id, is kept as such and written again; a call with another id gets its place in the
    turn as the number. Tags in arguments are written with JSON escapes.
    """

    tags = (*_SECTION.tags, _ARGUMENTS, "<think>", "</think>")
    stops = ("<|im_end|>",)

    def _write(self, message: Message) -> str:
        bodies = [
            f"{_identity(call, place)}{_ARGUMENTS}{guarded(call['function']['arguments'], self.tags)}"
            for place, call in enumerate(message.get("tool_calls", []))
        ]
        return _THINKING.write(message) + text_of(message) + _SECTION.write(bodies)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the thought, the content and the calls between their tags."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        _SECTION.read(turn, text, _read)
        return turn.message()


def _identity(call: ToolCall, place: int) -> str:
    name = call["function"]["name"]
    head = _HEAD.fullmatch(call["id"])
    return call["id"] if head and head[1] == name else f"functions.{name}:{place}"


def _read(body: str) -> Call:
    identity, begun, arguments = body.partition(_ARGUMENTS)
    if not begun:
        raise ValueError(f"{_ARGUMENTS} is missing")
    head = _HEAD.fullmatch(identity.strip())
    if not head:
        raise ValueError("a tool call begins with functions.NAME:NUMBER")
    return head[1], json_object(arguments), identity.strip()
