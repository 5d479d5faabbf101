"""Conversations as supervised training sees them: read from a file's rows, rendered with the masks of rollouts."""

import json
from typing import Any, cast

from agent_rl.clients.openai_messages import read_message
from agent_rl.core.message import Message
from agent_rl.envs.base import Demonstration
from agent_rl.envs.spaces import ChatSpace
from agent_rl.rollout.renderer import Renderer

_CHAT = ChatSpace()
_HEARD = ("role", "content", "tool_call_id", "name")


def sequence(demonstration: Demonstration, renderer: Renderer) -> tuple[list[int], list[bool]]:
    """Return the tokens of a conversation and the mask that is true at what the assistant says."""
    messages = demonstration.messages
    first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
    tokens = renderer.prompt(messages[:first], demonstration.tools)
    mask = [False] * len(tokens)
    at = first
    while at < len(messages):
        action = renderer.action(messages[at], tokens)
        end = next((i for i in range(at + 1, len(messages)) if messages[i]["role"] == "assistant"), len(messages))
        observation = renderer.observation(messages[at + 1 : end], action[-1]) if end > at + 1 else []
        tokens += action + observation
        mask += [True] * len(action) + [False] * len(observation)
        at = end
    return tokens, mask


def read_conversation(row: Any) -> Demonstration:
    """Return a row of `messages` in the OpenAI format, and `tools` if there are any, as a conversation to imitate.

    What is said behind the assistant's last message is left out: nothing of it could be trained.

    Raises:
        ValueError: It is no such row, or there is nothing in it that an assistant says when asked.
    """
    if not isinstance(row, dict):
        raise ValueError(f"a conversation is an object, this is a {type(row).__name__}")
    messages = [_message(raw, number) for number, raw in enumerate(_listed(row, "messages"), start=1)]
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    if not messages:
        raise ValueError("the assistant says nothing")
    if messages[0]["role"] == "assistant":
        raise ValueError("message 1 is the assistant's: it must be asked something first")
    doubled = [i for i in range(1, len(messages)) if messages[i - 1]["role"] == messages[i]["role"] == "assistant"]
    if doubled:
        raise ValueError(f"messages {doubled[0]} and {doubled[0] + 1} are both the assistant's")
    tools = [_without_nulls(tool) for tool in _listed(row, "tools")]
    if not all(isinstance(tool, dict) for tool in tools):
        raise ValueError("tools must be a list of objects")
    return Demonstration(messages, tools)


def _listed(row: dict[str, Any], name: str) -> list[Any]:
    """Return the list in a column; in parquet it may be written as JSON."""
    found = row.get(name)
    if isinstance(found, str):
        found = json.loads(found)  # raises ValueError
    if found is None and name == "tools":
        return []
    if not isinstance(found, list):
        raise ValueError(f"{name} must be a list")
    return found


def _message(raw: Any, number: int) -> Message:
    said = _without_nulls(raw)
    if not isinstance(said, dict):
        raise ValueError(f"message {number} is not an object")
    if said.get("role") == "assistant":
        if said.get("weight", 1) != 1:
            raise ValueError(f"message {number} has a weight, and all that the assistant says is trained")
        message = read_message(said, ())
        if "invalid_tool_calls" in message:
            raise ValueError(f"message {number}: {message['invalid_tool_calls'][0]['error']}")
        if not (message["content"] or message.get("tool_calls")):
            raise ValueError(f"message {number} says nothing")
        return message
    heard: dict[str, Any] = {key: said[key] for key in _HEARD if key in said}
    if not _CHAT.contains([heard]):
        raise ValueError(f"message {number} is none: it needs role (system, user, assistant or tool) and content")
    return cast(Message, heard)


def _without_nulls(value: Any) -> Any:
    """Drop the keys that parquet gives to every row because some row has them."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
