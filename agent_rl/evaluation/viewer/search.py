"""Finding trajectories by a text in their messages."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_rl.evaluation.viewer.cache import FileCache
from agent_rl.rollout.outlines import decoded, stored_lines


def read_texts(path: Path) -> list[str]:
    """Return what is said in each trajectory of a file, in small letters.

    Raises:
        ValueError: What is in the file are no trajectories.
    """
    return [_text(decoded(_SPOKEN, line)) for line in stored_lines(path)]


TEXTS: FileCache[list[str]] = FileCache(read_texts, lambda texts: sum(map(len, texts)), 200_000_000)
"""The texts of files, at most so many characters of all together."""


def find(texts: Sequence[str], wanted: str) -> list[int]:
    """Return the places of the texts in which `wanted` occurs, in whatever letters."""
    low = wanted.lower()
    return [number for number, text in enumerate(texts) if low in text]


class _Part(msgspec.Struct, gc=False):
    text: str = ""


class _Function(msgspec.Struct, gc=False):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct, gc=False):
    function: _Function


class _Invalid(msgspec.Struct, gc=False):
    text: str


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] = []
    invalid_tool_calls: list[_Invalid] = []


class _Spoken(msgspec.Struct, gc=False):
    messages: list[_Message]


_SPOKEN = msgspec.json.Decoder(_Spoken)
_BETWEEN = "\x00"  # nobody looks for it


def _text(spoken: _Spoken) -> str:
    found: list[str] = []
    for message in spoken.messages:
        content = message.content
        found += [content] if isinstance(content, str) else [part.text for part in content or ()]
        found.append(message.reasoning_content or "")
        found += [word for call in message.tool_calls for word in (call.function.name, call.function.arguments)]
        found += [invalid.text for invalid in message.invalid_tool_calls]
    return _BETWEEN.join(found).lower()
