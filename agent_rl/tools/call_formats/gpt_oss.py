"""gpt-oss: the channels of the harmony format."""

import re
from collections.abc import Sequence
from functools import partial

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, json_object

_START, _CHANNEL, _MESSAGE, _END = "<|start|>", "<|channel|>", "<|message|>", "<|end|>"
_BETWEEN = re.compile(r"<\|(?:start|end|call|return)\|>")
_CONTROL = (_START, _CHANNEL, _MESSAGE, _END, "<|call|>", "<|return|>", "<|constrain|>")
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")


class GptOss(CallFormat):
    """Thoughts in the analysis channel, calls `to=functions.name` in commentary, answers in the final channel.

    The text begins after `<|start|>assistant`. Content beside a call is written as commentary without a recipient; the
    family's template has no place for it. A turn ends with its call, so several cannot be written. Control tokens in
    arguments are written with JSON escapes.
    """

    tags = (_START, _CHANNEL, _MESSAGE, _END)
    stops = ("<|return|>", "<|call|>", "<|endoftext|>")

    def _write(self, message: Message) -> str:
        calls = message.get("tool_calls", [])
        if len(calls) > 1:
            raise ValueError("gpt-oss ends its turn with a call: there can be only one")
        parts = []
        if "reasoning_content" in message:
            parts.append(f"{_CHANNEL}analysis{_MESSAGE}{message['reasoning_content']}")
        if not calls:
            parts.append(f"{_CHANNEL}final{_MESSAGE}{text_of(message)}")
        elif text_of(message):
            parts.append(f"{_CHANNEL}commentary{_MESSAGE}{text_of(message)}")
        for call in calls:
            arguments = guarded(call["function"]["arguments"], _CONTROL)
            parts.append(f" to=functions.{call['function']['name']}{_CHANNEL}commentary json{_MESSAGE}{arguments}")
        return f"{_END}{_START}assistant".join(parts)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read message by message; a text without channels is content."""
        turn = Turn()
        thoughts: list[str] = []
        for number, part in enumerate(_BETWEEN.split(text)):
            header, begun, body = part.partition(_MESSAGE)
            recipient = _RECIPIENT.search(header)
            if recipient:
                turn.read(part, partial(_read, recipient[1]))
            elif _CHANNEL not in header:
                turn.say(header.removeprefix("assistant") + body if number else header + body)
            elif not begun:
                turn.reject(part, f"{_MESSAGE} is missing")
            elif header.partition(_CHANNEL)[2].lstrip().startswith("analysis"):
                thoughts.append(body.strip())
            else:
                turn.say(body)
        turn.reasoning = "\n".join(thoughts) if thoughts else None
        return turn.message()


def _read(recipient: str, part: str) -> Call:
    _, begun, body = part.partition(_MESSAGE)
    if not begun:
        raise ValueError(f"{_MESSAGE} is missing")
    return recipient.removeprefix("functions."), json_object(body)
