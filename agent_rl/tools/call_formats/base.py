"""What all call formats share: the contract, the proof that a written turn is read back, a turn as it is being read."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from agent_rl.core.message import InvalidToolCall, Message, ToolCall, assistant, text_of, tool_call

Schema = dict[str, Any]
Call = tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], str | None]
"""A tool's name, its arguments, and the id that the policy wrote if the family has ids."""

_SORTED = json.JSONEncoder(sort_keys=True)  # `json.dumps` would make one for every call


class CallFormat(ABC):
    """One family's way of writing the text of an assistant's turn: content, reasoning and tool calls.

    The text has neither the role's header nor the token that ends the turn. Where a family's prompt opens the thought
    (`<think>`), `write` gives the opening as well, and `parse` also reads a text that begins inside the thought.
    Contents and reasoning are read without the white space around them.
    """

    tags: ClassVar[tuple[str, ...]] = ()
    """The control texts that `write` puts into a turn and that are tokens of their own where the tokenizer has them."""

    stops: ClassVar[tuple[str, ...]] = ()
    """The texts of the tokens that may end a turn, the usual one first. A tokenizer has some of them. Without any, the
    format goes with models of every family, and the model's own count."""

    def write(self, message: Message) -> str:
        """Return the text of an assistant message.

        Raises:
            ValueError: The format has no way to write it: the text would be read as something else.
        """
        text = self._write(message)
        if "invalid_tool_calls" in message:
            raise ValueError("a message with malformed tool calls cannot be written")
        if _meaning(self.parse(text, _described(message))) != _meaning(message):
            raise ValueError(f"{type(self).__name__} cannot write this message, it would be read as another: {text!r}")
        return text

    @abstractmethod
    def _write(self, message: Message) -> str:
        """Return the text of `message`, which may be one that does not read back."""

    @abstractmethod
    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Return the assistant message that `text` stands for.

        Never raises: what is malformed is in `invalid_tool_calls`. The time it takes is linear in the text.

        Args:
            text: The text of a turn, maybe cut anywhere.
            tools: Descriptions of the tools in the OpenAI format. Formats that write arguments as bare text decide by
                them what is a string (`"5"` against 5); without them such a text is JSON if it parses, else a string.
        """


class Turn:
    """What has been read of a turn so far."""

    def __init__(self, reasoning: str | None = None) -> None:
        """Begin with the thought, if there is one."""
        self.reasoning = reasoning
        self.said: list[str] = []
        self.calls: list[ToolCall] = []
        self.invalid: list[InvalidToolCall] = []
        self._ids: set[str] = set()

    def say(self, text: str) -> None:
        """Add a text that is no call to the content."""
        if text := text.strip():
            self.said.append(text)

    def call(self, name: str, arguments: dict[str, Any], identity: str | None = None) -> None:
        """Add a call; `identity` is the id that the policy wrote, and is kept if no call has it yet."""
        call = tool_call(name, arguments, len(self.calls))
        if identity is not None and identity not in self._ids:
            call["id"] = identity
        self._ids.add(call["id"])
        self.calls.append(call)

    def reject(self, text: str, problem: str) -> None:
        """Add a malformed call with what is wrong with it."""
        self.invalid.append({"text": text.strip(), "error": problem})

    def read(self, text: str, reader: Callable[[str], Call]) -> None:
        """Add the call that `reader` finds in `text`, or the problem that it raises as a ValueError."""
        try:
            self.call(*reader(text))
        except (ValueError, RecursionError) as error:
            self.reject(text, str(error))

    def blocks(self, text: str, opening: str, closing: str, reader: Callable[[str], Call]) -> None:
        """Read the calls between the tags `opening` and `closing`; the rest is content."""
        before, *blocks = text.split(opening)
        self.say(before)
        for block in blocks:
            body, closed, after = block.partition(closing)
            if closed:
                self.read(body, reader)
            else:
                self.reject(body, f"{closing} is missing")
            self.say(after)

    def message(self) -> Message:
        """Return the turn as a message."""
        message = assistant("\n".join(self.said), self.calls)
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        if self.invalid:
            message["invalid_tool_calls"] = self.invalid
        return message


def json_type(value: Any) -> str:
    """Return the name that JSON schema has for the type of `value`."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _meaning(message: Message) -> Any:
    """Return what must be the same when a message is read back; ids and the order of arguments need not."""
    calls = [
        (call["function"]["name"], _SORTED.encode(json.loads(call["function"]["arguments"])))
        for call in message.get("tool_calls", [])
    ]
    thought = message.get("reasoning_content")
    spoken = text_of(message).strip()
    return spoken, thought if thought is None else thought.strip(), calls, "invalid_tool_calls" in message


def _described(message: Message) -> list[Schema]:
    """Return descriptions of tools for which the arguments of `message` are right."""
    types: dict[str, dict[str, set[str]]] = {}
    for call in message.get("tool_calls", []):
        arguments = json.loads(call["function"]["arguments"])
        for key, value in arguments.items() if isinstance(arguments, dict) else ():
            types.setdefault(call["function"]["name"], {}).setdefault(key, set()).add(json_type(value))
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"properties": {key: {"type": sorted(kinds)} for key, kinds in keys.items()}},
            },
        }
        for name, keys in types.items()
    ]
