"""Chat messages in the OpenAI format: what environments and agents say to each other."""

import json
from typing import Any, Literal, NotRequired, TypedDict

Role = Literal["system", "user", "assistant", "tool"]

_ENCODER = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for every call


class FunctionCall(TypedDict):
    """The function of a tool call; `arguments` is a JSON object written as a string, as in the OpenAI format."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """One call of a tool by the assistant."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class InvalidToolCall(TypedDict):
    """Text in which the policy tried to call a tool and failed: the raw text and what is wrong with it."""

    text: str
    error: str


class Message(TypedDict):
    """A chat message. Assistant messages may carry `tool_calls`, tool messages answer one by `tool_call_id`.

    `reasoning_content` is what an assistant thought before it spoke; it is there, be it empty, if it wrote a thought.
    """

    role: Role
    content: str
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    invalid_tool_calls: NotRequired[list[InvalidToolCall]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


def system(content: str) -> Message:
    """Return a system message."""
    return {"role": "system", "content": content}


def user(content: str) -> Message:
    """Return a user message."""
    return {"role": "user", "content": content}


def assistant(content: str, tool_calls: list[ToolCall] | None = None) -> Message:
    """Return an assistant message, with tool calls if there are any."""
    message: Message = {"role": "assistant", "content": content}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return message


def tool_result(content: str, call: ToolCall) -> Message:
    """Return the tool message that answers `call`."""
    return {"role": "tool", "content": content, "tool_call_id": call["id"], "name": call["function"]["name"]}


def tool_call(name: str, arguments: dict[str, Any], index: int = 0) -> ToolCall:
    """Return a tool call; `index` is its place in the turn and makes its id unique there."""
    written = _ENCODER.encode(arguments)
    return {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": written}}
