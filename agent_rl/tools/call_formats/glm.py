"""GLM 4.5 and later."""

from collections.abc import Sequence
from functools import partial

from agent_rl.core.message import Message, ToolCall, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import bare, between, json_object, parameters_of, skip, typed
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking(inside="", after="")


class Glm(CallFormat):
    """The tool's name, then `<arg_key>` and `<arg_value>` pairs in `<tool_call>`: strings as they are, others as JSON.

    There is no escape: a value that holds `</arg_value>`, `<tool_call>` or `</tool_call>` cannot be written, and
    `</think>` only after a thought. Every part of a turn begins with a newline, the first one included.
    """

    tags = (
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
    )
    stops = ("<|user|>", "<|observation|>", "<|endoftext|>")

    def _write(self, message: Message) -> str:
        calls = [_written(call) for call in message.get("tool_calls", [])]
        parts = [_THINKING.write(message), text_of(message).strip(), *calls]
        return "".join(f"\n{part}" for part in parts if part)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the thought, the content and the calls between their tags."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        turn.blocks(text, "<tool_call>", "</tool_call>", partial(_read, tools))
        return turn.message()


def _written(call: ToolCall) -> str:
    arguments = json_object(call["function"]["arguments"])
    pairs = [f"<arg_key>{key}</arg_key>\n<arg_value>{bare(value)}</arg_value>\n" for key, value in arguments.items()]
    return f"<tool_call>{call['function']['name']}\n{''.join(pairs)}</tool_call>"


def _read(tools: Sequence[Schema], body: str) -> Call:
    at = body.find("<arg_key>")
    name = body[: at if at >= 0 else len(body)].strip()
    if not name:
        raise ValueError("a tool call begins with the name of the tool")
    schemas = parameters_of(tools, name)
    arguments = {}
    while 0 <= at < len(body):
        key, at = between(body, at, "<arg_key>", "</arg_key>")
        value, at = between(body, at, "<arg_value>", "</arg_value>")
        arguments[key] = typed(value, schemas.get(key))
        at = skip(body, at)
    return name, arguments
