"""Messages as `/chat/completions` takes and gives them.

Hosted endpoints are strict where our messages are not: every call of a tool must be answered by exactly one message,
directly behind it, and many servers parse the arguments of past calls. So a malformed call goes back as a call that is
well formed and holds what was written, and the environment's answer to it is given that call's id.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from agent_rl.core.message import InvalidToolCall, Message, ToolCall, assistant, images_of, text_of

_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


def read_message(said: dict[str, Any], taken: Collection[str]) -> Message:
    """Return an endpoint's assistant message as ours. Never raises: malformed calls are in `invalid_tool_calls`.

    Args:
        said: The `message` of a choice.
        taken: Ids of calls that the conversation has already; a call with one of them, or with none, gets a new one.
    """
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    ids = set(taken)
    written = said.get("tool_calls")
    for raw in written if isinstance(written, list) else []:
        call = raw if isinstance(raw, dict) else {}
        function = _function(call.get("function"))
        problem = _problem(function)
        if problem:
            invalid.append({"text": json.dumps(function, ensure_ascii=False), "error": problem})
            continue
        arguments = function["arguments"] or "{}"
        name = call.get("id")
        fresh = name if isinstance(name, str) and name and name not in ids else _new_id(ids)
        ids.add(fresh)
        calls.append({"id": fresh, "type": "function", "function": {"name": function["name"], "arguments": arguments}})
    message = assistant(_text(said.get("content")), calls)
    thought = said.get("reasoning_content", said.get("reasoning"))
    if isinstance(thought, str):
        message["reasoning_content"] = thought
    if invalid:
        message["invalid_tool_calls"] = invalid
    return message


def write_messages(messages: Sequence[Message], reasoning: bool = False) -> list[dict[str, Any]]:
    """Return a conversation as an endpoint takes it: every call answered once, directly behind its message.

    Args:
        messages: The conversation.
        reasoning: Send earlier thoughts back as `reasoning_content`.
    """
    written: list[dict[str, Any]] = []
    ids = {call["id"] for message in messages for call in message.get("tool_calls", [])}
    place = 0
    while place < len(messages):
        message = messages[place]
        end = place + 1
        if message["role"] != "assistant":
            written.append(_plain(message))
        else:
            while end < len(messages) and messages[end]["role"] != "assistant":
                end += 1
            calls = [*map(_written_call, message.get("tool_calls", [])), *_malformed_calls(message, ids)]
            written.append(_assistant(message, calls, reasoning))
            written += _answered(calls, messages[place + 1 : end])
        place = end
    return written


def _function(raw: Any) -> dict[str, Any]:
    """Return the function of a call; arguments that a server wrote as an object become a string."""
    function = dict(raw) if isinstance(raw, dict) else {}
    if isinstance(function.get("arguments"), dict):
        function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    return function


def _problem(function: dict[str, Any]) -> str | None:
    """Return what is wrong with the function of a call."""
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        return 'a tool call needs "name"'
    if not isinstance(arguments, str):
        return 'a tool call needs "arguments", a JSON object'
    try:
        value = json.loads(arguments or "{}")  # some servers write nothing for a tool without arguments
    except (ValueError, RecursionError) as error:
        return f"a tool call must be a JSON object: {error}"
    return None if isinstance(value, dict) else 'a tool call needs "arguments", a JSON object'


def _text(content: Any) -> str:
    """Return the text of a content: a string, null, or a list of parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _new_id(taken: Collection[str]) -> str:
    number = 0
    while f"call_{number}" in taken:
        number += 1
    return f"call_{number}"


def _plain(message: Message) -> dict[str, Any]:
    """Return a message that belongs to no call; a tool's without one is told by the user."""
    role = "user" if message["role"] == "tool" else message["role"]
    return {"role": role, "content": message["content"]}


def _assistant(message: Message, calls: list[dict[str, Any]], reasoning: bool) -> dict[str, Any]:
    said = text_of(message)
    written: dict[str, Any] = {"role": "assistant", "content": said}
    if calls:
        written |= {"content": said or None, "tool_calls": calls}
    if reasoning and "reasoning_content" in message:
        written["reasoning_content"] = message["reasoning_content"]
    return written


def _written_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": _name(call["function"]["name"]), "arguments": call["function"]["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}


def _malformed_calls(message: Message, ids: set[str]) -> Iterator[dict[str, Any]]:
    """Yield well-formed calls that hold the malformed ones of a message; their ids join `ids`."""
    for bad in message.get("invalid_tool_calls", []):
        try:
            function = json.loads(bad["text"])
        except (ValueError, RecursionError):
            function = None
        function = function if isinstance(function, dict) else {"arguments": bad["text"]}
        arguments = json.dumps({"malformed": function.get("arguments")}, ensure_ascii=False)
        fresh = _new_id(ids)
        ids.add(fresh)
        name = _name(str(function.get("name") or "malformed"))
        yield {"id": fresh, "type": "function", "function": {"name": name, "arguments": arguments}}


def _answered(calls: list[dict[str, Any]], answers: Iterable[Message]) -> list[dict[str, Any]]:
    """Return one tool message for each call, in the order of the calls, and behind them whatever else was said.

    Endpoints take text alone from a tool: its images follow as the user's.
    """
    told: dict[str, str] = {}
    others: list[dict[str, Any]] = []
    strays: list[Message] = []  # results whose id is no call's: those of malformed calls, in their order
    known = [call["id"] for call in calls]
    for answer in answers:
        if answer["role"] != "tool":
            others.append(_plain(answer))
        elif answer.get("tool_call_id") in known and answer["tool_call_id"] not in told:
            told[answer["tool_call_id"]] = text_of(answer)
            others += _shown(answer)
        else:
            strays.append(answer)
    for name in known:
        if name not in told:
            told[name] = text_of(strays[0]) if strays else ""
            others += _shown(strays.pop(0)) if strays else []
    results = [{"role": "tool", "tool_call_id": name, "content": told[name]} for name in known]
    return [*results, *map(_plain, strays), *others]


def _shown(answer: Message) -> list[dict[str, Any]]:
    """Return a tool's images as a message of the user; none where there are none."""
    images = images_of(answer)
    return [{"role": "user", "content": images}] if images else []


def _name(name: str) -> str:
    return _NAME.sub("_", name)[:_LONGEST_NAME] or "malformed"
