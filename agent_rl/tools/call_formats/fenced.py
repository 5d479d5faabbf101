"""Code between fences, as calls of a tool that runs it: any model that writes Markdown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import json_object
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking()
_OPENING = re.compile(r"^```(?:python|py)[ \t]*+\n", re.MULTILINE)
_CLOSING = re.compile(r"^```[ \t]*+$", re.MULTILINE)


@dataclass(frozen=True)
class Fenced(CallFormat):
    """A block of Python between fences, each fence on a line of its own, calls `tool` with the block as `argument`.

    Only calls of `tool` with that one argument, a string, can be written. There is no escape: code that has a line of
    three backquotes, and content with such a block, cannot be written.
    """

    tool: str = "python"
    argument: str = "code"

    tags = ("<think>", "</think>")

    def _write(self, message: Message) -> str:
        parts = [text_of(message)]
        for call in message.get("tool_calls", []):
            code = json_object(call["function"]["arguments"]).get(self.argument)
            parts.append(f"```python\n{code}\n```")
        return _THINKING.write(message) + "\n".join(part for part in parts if part)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the blocks; one whose closing fence is missing is an invalid call."""
        reasoning, text = _THINKING.split(text)
        turn = Turn(reasoning)
        at = 0
        while opening := _OPENING.search(text, at):
            turn.say(text[at : opening.start()])
            closing = _CLOSING.search(text, opening.end())
            if not closing:
                turn.reject(text[opening.end() :], "the closing fence ``` is missing")
                return turn.message()
            code = text[opening.end() : closing.start()].removesuffix("\n")
            turn.call(self.tool, {self.argument: code})
            at = closing.end()
        turn.say(text[at:])
        return turn.message()
