"""Qwen3-Coder, Qwen3.5 and later, Nemotron 3."""

from collections.abc import Sequence
from functools import partial

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import bare, between, json_object, parameters_of, skip, typed, until
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking()


class Qwen3Coder(CallFormat):
    """`<function=name>` and `<parameter=key>` inside `<tool_call>`: strings as they are, other values as JSON.

    There is no escape: a value that holds `</parameter>`, `<tool_call>` or `</tool_call>` cannot be written, and
    `</think>` only after a thought.
    """

    tags = ("<think>", "</think>", "<tool_call>", "</tool_call>")
    stops = ("<|im_end|>", "<|endoftext|>")

    def _write(self, message: Message) -> str:
        calls = "\n".join(_written(call) for call in message.get("tool_calls", []))
        gap = "\n\n" if calls and text_of(message).strip() else ""
        return f"{_THINKING.write(message)}{text_of(message)}{gap}{calls}"

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the blocks; a `<function=` that stands in none is an invalid call."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        turn.blocks(text, "<tool_call>", "</tool_call>", partial(_read, tools))
        for stray in [said for said in turn.said if "<function=" in said]:
            turn.said.remove(stray)
            turn.reject(stray, "<tool_call> is missing before <function=")
        return turn.message()


def _written(call: ToolCall) -> str:
    arguments = json_object(call["function"]["arguments"])
    parameters = "".join(f"<parameter={key}>\n{bare(value)}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={call['function']['name']}>\n{parameters}</function>\n</tool_call>"


def _read(tools: Sequence[Schema], body: str) -> Call:
    name, at = between(body, 0, "<function=", ">")
    schemas = parameters_of(tools, name)
    arguments = {}
    while not body.startswith("</function>", at := skip(body, at)):
        if at == len(body):
            raise ValueError("</function> is missing")
        key, at = between(body, at, "<parameter=", ">")
        value, at = until(body, at, "</parameter>")
        arguments[key] = typed(value.removeprefix("\n").removesuffix("\n"), schemas.get(key))
    return name, arguments
