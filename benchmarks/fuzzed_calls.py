"""Texts as a policy that goes wrong may write them: real calls, damaged, repeated, nested and never closed.

Read by `tool_calls.py`, which takes the time of reading them, and by the tests, which prove what is read.
"""

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.tools.call_formats import CALL_FORMATS

LONGEST = 20_000  # bytes of a text
_TAGS = sorted({tag for name in CALL_FORMATS for tag in (*CALL_FORMATS[name].tags, *CALL_FORMATS[name].stops)})
_PIECES = [
    *_TAGS, "<function=f>", "</function>", "<parameter=a>", "</parameter>", "<|python_start|>", "<|python_end|>",
    "[CALL_ID]", "<|constrain|>", " to=functions.f", "commentary json", "call:f{", "functions.f:0", "```python\n",
    "\n```", "```json\n", '{"name": "f", "arguments": {"a": 1}}', '{"name": "f", "parameters": {"a": 1}}; ',
    '[f(a=1, b="x")]', "[f(", "\n[f(a=", "f(a=[", '{"a":', "{a:", "{'a':", "[[", "{{", "}}", "]]", "((", "))",
    '"', "'", '\\"', "\\'", "\\", "\\u003c", "\\ud800", "\\x", ",", ";", ":", "=", ", ,", "1", "-", ".", "e9", "1" * 40,
    "NaN", "-inf", "1e999", "None", "true", "null", "\n", "\n\n", " ", "\t", "\r\n", "\x00", "\x85", "\u2028", "é",
    "日本", "🦊", "e\u0301", "\u202e", "\ud800", "<", ">", "|", "<|", "</", "<tool_", "`",
]  # fmt: skip
_VALUES: list[dict[str, Any]] = [
    {"query": "the capital of the largest neighbour of Mali"},
    {"query": "rivers of Chad", "limit": 5},
    {"text": 'He said: "{}" \\ and\nleft', "deep": {"list": [1, -2.5, None, True, {"é": "日本"}]}},
    {"code": "print('<tool_call>')\n```\n", "empty": "", "big": 10**30},
]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"properties": {"limit": {"type": "integer"}}}}}
    for name in ("search", "f")
]
"""Descriptions of tools that the texts call, with a type for some of the arguments."""


def typical(name: str) -> Message:
    """Return a message with one call of two arguments, or of one where the format has room for no more."""
    if name == "fenced":
        return assistant("", [tool_call("python", {"code": "print(sum(range(10)))"})])
    arguments = {"query": "the capital of the largest neighbour of Mali"}
    return assistant("", [tool_call("search", arguments if name == "search_r1" else arguments | {"limit": 5})])


def fuzzed(name: str, count: int, seed: int = 0) -> Iterator[str]:
    """Yield `count` texts for the format `name`, each of at most 20 kB in UTF-8; the same ones for the same seed."""
    random = Random(f"{name} {seed}")
    own = _written(name)
    every = [text for other in CALL_FORMATS for text in _written(other)]
    for _ in range(count):
        room = int(math.exp(random.uniform(math.log(50), math.log(LONGEST))))
        text = random.choice(own if random.random() < 0.7 else every)
        for _ in range(random.randint(1, 4)):
            text = random.choice(_MUTATIONS)(random, text, room)
        yield _cut(text, LONGEST)


def _written(name: str) -> list[str]:
    """Return what the format writes for a few messages; some it cannot write."""
    calls = [tool_call("search", values, place) for place, values in enumerate(_VALUES)]
    messages = [typical(name), *(assistant("Let me see.", [call]) for call in calls), assistant("", calls)]
    messages.append({**messages[0], "reasoning_content": "Hm."})
    texts = []
    for message in messages:
        try:
            texts.append(CALL_FORMATS[name].write(message))
        except ValueError:
            continue
    return texts


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")


def _span(random: Random, text: str) -> tuple[int, int]:
    """Return the ends of a random part of `text`, short ones more often."""
    begin = random.randint(0, len(text))
    return begin, min(len(text), begin + int(random.expovariate(0.05)))


def _delete(random: Random, text: str, room: int) -> str:
    begin, end = _span(random, text)
    return text[:begin] + text[end:]


def _insert(random: Random, text: str, room: int) -> str:
    begin, end = _span(random, text)
    return text[:begin] + random.choice(_PIECES) + text[random.choice((begin, end)) :]


def _truncate(random: Random, text: str, room: int) -> str:
    return text[: random.randint(0, len(text))]


def _double(random: Random, text: str, room: int) -> str:
    """Write the text again and again, as a policy in a loop does."""
    return (text * (room // max(1, len(text)) + 1))[:room]


def _repeat(random: Random, text: str, room: int) -> str:
    """Repeat a part of the text, or one to three pieces, where it stands: runs of tags, brackets, quotation marks."""
    begin, end = _span(random, text)
    unit = text[begin:end] if random.random() < 0.3 else "".join(random.choices(_PIECES, k=random.randint(1, 3)))
    run = unit * (room // max(1, len(unit)))
    return text[:begin] + run + text[random.choice((begin, end, len(text))) :]


def _end_in_a_run(random: Random, text: str, room: int) -> str:
    """End the text, or nothing at all, with one or two pieces again and again: openings and items without an end."""
    unit = "".join(random.choices(_PIECES, k=random.randint(1, 2)))
    return text[: random.choice((0, random.randint(0, len(text))))] + unit * (room // len(unit))


def _nest(random: Random, text: str, room: int) -> str:
    """Put the text or a piece of it into brackets within brackets, closed or not."""
    opening, closing = random.choice([("[", "]"), ("{", "}"), ("(", ")"), ('{"a":', "}"), ("{'a':", "}"), ("{a:", "}")])
    depth = max(1, room // len(opening) // random.choice((1, 2, 20)))
    begin = random.randint(0, len(text))
    return text[:begin] + opening * depth + random.choice(("", "1", text[begin:])) + closing * random.choice((0, depth))


_MUTATIONS: list[Callable[[Random, str, int], str]] = [
    _delete,
    _insert,
    _truncate,
    _double,
    _repeat,
    _end_in_a_run,
    _nest,
]
