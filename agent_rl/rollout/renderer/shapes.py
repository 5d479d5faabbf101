"""Shapes: what a chat template writes around the contents of messages, found by marks in their place.

A template is rendered once per sequence of roles, with a random mark where each content stands. What it does to
contents (trims them, writes them as JSON) is found by rendering telling contents; a template that does something else
to them is refused.
"""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message

_MARK = secrets.token_hex(6)  # no text from anywhere else can hold it
_ID = secrets.token_hex(4)[:7]
_SLOTS = re.compile(rf"{_MARK}x(?P<message>\d+)(?P<field>[cnrt])x|{_ID}(?P<id>\d\d)")
_MARKED = {"c": "content", "n": "name", "r": "reasoning_content"}
FIELDS = {**_MARKED, "t": "tool_calls"}
Change = Callable[[str], str]
Plain = dict[str, Any]
"""A message as a chat template sees it."""


class Slot(NamedTuple):
    """The place of a message's field in what a template writes, and what the template does to the text there."""

    message: int
    field: str
    change: Change | None = None

    def text(self, messages: Sequence[Message | Plain]) -> str:
        """Return what the template writes here for these messages."""
        said = str(messages[self.message].get(self.field) or "")
        return self.change(said) if self.change else said


def mark(message: int, letter: str = "c") -> str:
    """Return the mark of a field (a letter of `FIELDS`) of a message."""
    return f"{_MARK}x{message}{letter}x"


def marks_in(text: str) -> list[str]:
    """Return the marks that a text holds."""
    return [found[0] for found in _SLOTS.finditer(text)]


def marked(messages: Sequence[Message | Plain]) -> list[Plain]:
    """Put marks in the place of contents, names, thoughts and ids (of nine characters, as Mistral wants them).

    White space alone stays, because templates look whether there is something.
    """
    found: list[Plain] = []
    for number, message in enumerate(messages):
        slots = {
            field: mark(number, letter) for letter, field in _MARKED.items() if str(message.get(field) or "").strip()
        }
        if message.get("tool_call_id") and number < 100 and not _shows_calls(messages):
            slots["tool_call_id"] = f"{_ID}{number:02}"
        found.append({**message, **slots})
    return found


def key(messages: Sequence[Message | Plain]) -> tuple[Any, ...]:
    """Return what two sequences of messages have in common when their shapes are the same."""
    shows_calls = _shows_calls(messages)
    return tuple(
        (
            message["role"],
            "" if (content := str(message["content"])).strip() else f"={content}",
            bool(message.get("name")),
            message.get("tool_call_id") if shows_calls else bool(message.get("tool_call_id")),
            json.dumps(message["tool_calls"]) if "tool_calls" in message else None,
            bool((message.get("reasoning_content") or "").strip()),
        )
        for message in messages
    )


def _shows_calls(messages: Sequence[Message | Plain]) -> bool:
    """Return whether there are calls, whose ids those of results must be."""
    return any("tool_calls" in message for message in messages)


def cut(text: str) -> list[str | Slot]:
    """Cut a rendered text at its marks."""
    parts: list[str | Slot] = []
    at = 0
    for found in _SLOTS.finditer(text):
        number, field = (found["id"], "tool_call_id") if found["id"] else (found["message"], FIELDS[found["field"]])
        parts += [text[at : found.start()], Slot(int(number), field)]
        at = found.end()
    parts.append(text[at:])
    return [part for part in parts if part != ""]


def derive(
    render: Callable[[Sequence[Plain]], str], messages: Sequence[Message | Plain], special: Sequence[str] = ()
) -> list[str | Slot]:
    """Return what `render` writes for messages like these, cut at the places of what they say.

    Args:
        render: Writes marked messages.
        messages: The messages, with whatever contents.
        special: Contents that are proved to be written like any other.

    Raises:
        UserError: A content is left out, written twice, or changed in a way that cannot be followed.
    """
    plain = marked(messages)
    parts = cut(render(plain))
    _check(parts, plain)
    for edge in ("\n \u2003", " \n\u2003"):  # learn from the first, prove by the second
        parts = _learned(parts, plain, render, [f"{edge}{{}}\"\\\n<é>&'{{}}{edge[::-1]}"])
    return _learned(parts, plain, render, special)


def _learned(
    parts: list[str | Slot], plain: Sequence[Plain], render: Callable[[Sequence[Plain]], str], texts: Sequence[str]
) -> list[str | Slot]:
    """Learn from, or prove by, texts in which `{}` is the mark."""
    for text in texts:
        telling = [
            {**message, "content": text.replace("{}", message["content"])} if message["content"].strip() else message
            for message in plain
        ]
        parts = _learn(parts, render(telling), telling)
    return parts


def first_difference(text: str, other: str) -> int:
    """Return the place where two texts part."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(text), len(other)))


def guarded(value: Any, control: re.Pattern[str], first: int = 0) -> tuple[Any, list[str]]:
    """Put marks in the place of control tokens that nested data spell out; return the data and what the marks hide.

    `unguarded` puts the texts back, once control tokens have been told from text.
    """
    texts: list[str] = []

    def hide(found: re.Match[str]) -> str:
        texts.append(found[0])
        return mark(first + len(texts) - 1, "g")

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return control.sub(hide, part)
        if isinstance(part, dict):
            return {walk(name): walk(item) for name, item in part.items()}
        return [walk(item) for item in part] if isinstance(part, list) else part

    return walk(value), texts


def unguarded(text: str, texts: Sequence[str]) -> str:
    """Return a text in which the marks of `guarded` are what they hide."""
    for number, hidden in enumerate(texts):
        text = text.replace(mark(number, "g"), hidden)
    return text


def _check(parts: Sequence[str | Slot], messages: Sequence[Plain]) -> None:
    slots = [part.message for part in parts if isinstance(part, Slot) and part.field == "content"]
    for number, message in enumerate(messages):
        times = slots.count(number)
        if message["content"].strip() and times != 1:
            how = "leaves out the text" if times == 0 else f"writes the text {times} times"
            raise UserError(f"the chat template {how} of {message['role']} messages")


_EDGES: tuple[Change, ...] = (
    lambda text: text,
    str.strip,
    str.lstrip,
    str.rstrip,
    lambda text: text.strip("\n"),
    lambda text: text.lstrip("\n"),
    lambda text: text.rstrip("\n"),
)
_WRITINGS: tuple[Change, ...] = (
    lambda text: text,
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],  # the quotes are the template's
    lambda text: json.dumps(text)[1:-1],
)


def _changes() -> list[Change]:
    def both(edge: Change, writing: Change) -> Change:
        return lambda text: writing(edge(text))

    return [both(edge, writing) for writing, edge in product(_WRITINGS, _EDGES)]


_CHANGES = _changes()


def _learn(parts: Sequence[str | Slot], text: str, messages: Sequence[Plain]) -> list[str | Slot]:
    """Return `parts` with what was done to each content, so that filled with `messages` they give `text`."""
    learnt: list[str | Slot] = []
    rest = text
    for at, part in enumerate(parts):
        if isinstance(part, str):
            rest = _after(rest, part)
            learnt.append(part)
            continue
        follows = next((p for p in parts[at + 1 : at + 2] if isinstance(p, str)), "")
        said = messages[part.message][part.field]
        known = [part.change] if part.change else _CHANGES
        change = next((c for c in known if _fits(rest, c(said), follows, last=at + 1 == len(parts))), None)
        if change is None:
            raise UserError(f"the chat template rewrites the text of {messages[part.message]['role']} messages")
        rest = rest[len(change(said)) :]
        learnt.append(part._replace(change=change))
    if rest:
        raise UserError("the chat template writes something else for other texts")
    return learnt


def _fits(rest: str, written: str, follows: str, last: bool) -> bool:
    return rest == written if last else rest.startswith(written + follows)


def _after(rest: str, text: str) -> str:
    if not rest.startswith(text):
        raise UserError("the chat template writes something else for other texts")
    return rest[len(text) :]
