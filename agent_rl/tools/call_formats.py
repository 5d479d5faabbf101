"""How model families write tool calls. Each format writes a message's calls as text and parses text into a message."""

import json
from dataclasses import dataclass
from typing import Protocol

from agent_rl.core.message import InvalidToolCall, Message, ToolCall, assistant, tool_call
from agent_rl.core.registry import Registry


class CallFormat(Protocol):
    """One family's way of writing calls; `parse(write(message))` gives the message back."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The control texts that `write` writes."""
        ...

    def write(self, message: Message) -> str:
        """Return the text of an assistant message with its calls."""
        ...

    def parse(self, text: str) -> Message:
        """Return the assistant message that `text` stands for. Never raises: what is malformed is in the message."""
        ...


@dataclass(frozen=True)
class Hermes:
    """`<tool_call>` with a JSON object inside, as Hermes, Qwen2.5 and Qwen3 write it."""

    opening: str = "<tool_call>"
    closing: str = "</tool_call>"

    @property
    def tags(self) -> tuple[str, ...]:
        """The control texts that `write` writes."""
        return self.opening, self.closing

    def write(self, message: Message) -> str:
        """Return the content, then each call between its tags."""
        calls = [
            f'{self.opening}\n{{"name": {json.dumps(call["function"]["name"], ensure_ascii=False)}, '
            f'"arguments": {self._guarded(call["function"]["arguments"])}}}\n{self.closing}'
            for call in message.get("tool_calls", [])
        ]
        return "\n".join([part for part in [message["content"]] if part] + calls)

    def _guarded(self, arguments: str) -> str:
        """Write the tags otherwise where they stand in a JSON string, so that they do not end the call."""
        for tag in (self.opening, self.closing):
            arguments = arguments.replace(tag, f"\\u003c{tag[1:]}")
        return arguments

    def parse(self, text: str) -> Message:
        """Split `text` at its tags; a missing closing tag or a body that is no call makes an invalid call."""
        before, *blocks = text.split(self.opening)
        calls: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        rest = [before.strip()]
        for block in blocks:
            body, closed, after = block.partition(self.closing)
            problem = _read_call(body, calls) if closed else f"{self.closing} is missing"
            if problem:
                invalid.append({"text": body.strip(), "error": problem})
            rest.append(after.strip())
        message = assistant("\n".join(part for part in rest if part), calls)
        if invalid:
            message["invalid_tool_calls"] = invalid
        return message


def _read_call(body: str, calls: list[ToolCall]) -> str | None:
    """Append the call written in `body` to `calls`, or return what is wrong with it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # not JSON, an integer of thousands of digits, or too deep
        return f"a tool call must be a JSON object: {error}"
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return 'a tool call needs "name"'
    if not isinstance(value.get("arguments"), dict):
        return 'a tool call needs "arguments", a JSON object'
    calls.append(tool_call(value["name"], value["arguments"], len(calls)))
    return None


CALL_FORMATS: Registry[CallFormat] = Registry("call format")
CALL_FORMATS.register("hermes", Hermes())
