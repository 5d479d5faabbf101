"""Conversations as a policy reads them: how long they are, where their turns begin, what a template can write."""

from collections.abc import Iterable, Sequence

from agent_rl.core.context import current
from agent_rl.core.message import Message, text_of


def tokens_of(messages: Iterable[Message], known: dict[str, int] | None = None) -> int:
    """Return the tokens of what messages say and call, as the policy counts them, without images and templates.

    Args:
        messages: The messages.
        known: Counts of texts, looked up and added to: a conversation that grows is not counted again and again.
    """
    known, counted = {} if known is None else known, current().count_tokens
    texts = [text for message in messages for text in _texts(message)]
    for text in texts:
        if text not in known:
            known[text] = counted(text)
    return sum(known[text] for text in texts)


def turns_of(messages: Sequence[Message]) -> list[int]:
    """Return the places of the policy's messages, with which its turns begin."""
    return [place for place, message in enumerate(messages) if message["role"] == "assistant"]


def writable(messages: Iterable[Message]) -> list[Message]:
    """Return messages that a chat template can write from scratch.

    A malformed call becomes the text that it was, and the answer to it the user's: no template has a place for the
    result of a call that there is not.
    """
    written: list[Message] = []
    calls: set[str] = set()
    for message in messages:
        if message["role"] == "assistant":
            calls = {call["id"] for call in message.get("tool_calls", [])}
            message = _spelt_out(message)
        elif message["role"] == "tool" and message.get("tool_call_id") not in calls:
            message = {"role": "user", "content": message["content"]}
        written.append(message)
    return written


def shortened(text: str, tokens: int) -> str:
    """Return `text`, or as much of its beginning as has at most `tokens` tokens and a note of what was cut.

    Only about as much of the text is counted as stays.
    """
    counted = current().count_tokens
    fits, size = 0, 4 * tokens
    while size < len(text) and counted(text[:size]) <= tokens:
        fits, size = size, 2 * size
    if size >= len(text):
        if counted(text) <= tokens:
            return text
        size = len(text)
    while size - fits > 1:
        middle = (fits + size) // 2
        fits, size = (middle, size) if counted(text[:middle]) <= tokens else (fits, middle)
    return f"{text[:fits]} [cut: {len(text) - fits} more characters]"


def _texts(message: Message) -> Iterable[str]:
    yield text_of(message)
    for call in message.get("tool_calls", []):
        yield call["function"]["name"] + call["function"]["arguments"]
    for bad in message.get("invalid_tool_calls", []):
        yield bad["text"]


def _spelt_out(message: Message) -> Message:
    texts = [bad["text"] for bad in message.get("invalid_tool_calls", [])]
    if not texts:
        return message
    said: Message = {**message, "content": "\n".join([text for text in (text_of(message), *texts) if text])}
    del said["invalid_tool_calls"]
    return said
