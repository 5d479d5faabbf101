"""DeepSeek V3 and R1, and the shorter form since V3.1."""

from collections.abc import Sequence

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import Call, CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, json_object
from agent_rl.tools.call_formats.sections import Section
from agent_rl.tools.call_formats.thinking import Thinking

_SECTION = Section("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>")
_SEPARATOR = "<｜tool▁sep｜>"


class DeepSeek(CallFormat):
    """`function<｜tool▁sep｜>name` and a fenced JSON object, as DeepSeek V3, R1 and R1's distillations write it.

    The form of V3.1 is read as well. Tags in arguments are written with JSON escapes.
    """

    tags = (*_SECTION.tags, _SEPARATOR, "<think>", "</think>")
    stops = ("<｜end▁of▁sentence｜>",)
    thinking = Thinking()
    joined = "\n"

    def _write(self, message: Message) -> str:
        bodies = [
            self._body(call["function"]["name"], guarded(call["function"]["arguments"], self.tags))
            for call in message.get("tool_calls", [])
        ]
        return self.thinking.write(message) + text_of(message) + _SECTION.write(bodies, self.joined)

    def _body(self, name: str, arguments: str) -> str:
        return f"function{_SEPARATOR}{name}\n```json\n{arguments}\n```"

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the thought, the content and the calls between their tags."""
        reasoning, text = self.thinking.split(text)
        turn = Turn(reasoning)
        _SECTION.read(turn, text, _read)
        return turn.message()


class DeepSeekV31(DeepSeek):
    """`name<｜tool▁sep｜>{…}`, as DeepSeek V3.1 writes it. The form of V3 is read as well."""

    thinking = Thinking(inside="", after="")
    joined = ""

    def _body(self, name: str, arguments: str) -> str:
        return f"{name}{_SEPARATOR}{arguments}"


def _read(body: str) -> Call:
    first, separated, rest = body.partition(_SEPARATOR)
    if not separated:
        raise ValueError(f"{_SEPARATOR} is missing")
    if rest.lstrip().startswith("{"):
        return _named(first), json_object(rest)
    name, fenced, code = rest.partition("```json")
    if not fenced:
        raise ValueError("the arguments must be a JSON object")
    return _named(name), json_object(code.rstrip().removesuffix("```"))


def _named(name: str) -> str:
    if not name.strip():
        raise ValueError("the name of the tool is missing")
    return name.strip()
