"""Hermes, Qwen2.5, Qwen3."""

import json
from collections.abc import Sequence

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, named_call
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking()


class Hermes(CallFormat):
    """`<tool_call>` with a JSON object inside, as Hermes, Qwen2.5 and Qwen3 write it.

    Tags in arguments are written with JSON escapes.
    """

    tags = ("<think>", "</think>", "<tool_call>", "</tool_call>")
    stops = ("<|im_end|>", "<|endoftext|>")

    def _write(self, message: Message) -> str:
        """Return the thought, the content, then each call between its tags."""
        calls = [
            f'<tool_call>\n{{"name": {json.dumps(call["function"]["name"], ensure_ascii=False)}, '
            f'"arguments": {guarded(call["function"]["arguments"], self.tags)}}}\n</tool_call>'
            for call in message.get("tool_calls", [])
        ]
        return _THINKING.write(message) + "\n".join([part for part in [text_of(message)] if part] + calls)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Split `text` at its tags; a missing closing tag or a body that is no call makes an invalid call."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        turn.blocks(text, "<tool_call>", "</tool_call>", _read)
        return turn.message()


def _read(body: str) -> Call:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # not JSON, an integer of thousands of digits, or too deep
        raise ValueError(f"a tool call must be a JSON object: {error}") from None
    return named_call(value, "arguments")
