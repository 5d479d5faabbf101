"""How a chat template writes what the assistant says: the text that a policy samples."""

import re
from collections.abc import Sequence

from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call, tool_result, user
from agent_rl.rollout.renderer.families import Family
from agent_rl.rollout.renderer.shapes import Change, Plain, Slot, cut, mark
from agent_rl.rollout.renderer.template import ChatTemplate
from agent_rl.rollout.renderer.turns import Turns, asked
from agent_rl.tools.call_formats import CallFormat

_CALLED = 910  # the number of marks that stand for no message
_LETTERS = {"content": "c", "reasoning_content": "r"}


class Actions:
    """Reads actions off a template; the calls in them are written by a call format."""

    def __init__(self, template: ChatTemplate, family: Family, turns: Turns, call_format: CallFormat) -> None:
        """Read off `template`, whose actions end as `turns` say."""
        self._template, self._family, self._turns, self._format = template, family, turns, call_format
        self._prompt = template.render([asked()], [], opening=True)
        self.begun = family.begun(self._prompt)

    def always_begun(self) -> str:
        """Return the beginning of a thought that stands at the end of every prompt, or `""`."""
        call = tool_call("look", {"at": "x"})
        conversation = [user("u"), assistant("", [call]), tool_result("x", call)]
        begun = self._family.begun(self._template.render(conversation, [], opening=True))
        return self.begun if begun == self.begun else ""

    def ending(self, calls: bool) -> str:
        """Return the text of the token that ends an action: one with calls, or words alone."""
        call = tool_call("look", {"at": "x"})
        answer: Plain = {**(tool_result(mark(0), call) if calls and self._template.writes_calls else user(mark(0)))}
        written = self._turns.after([asked()], [answer])[1]
        found = self._turns.ends.match(written)
        assert found is not None  # that is where `after` begins
        return next((sampled for sampled, stands in self._family.instead.items() if stands == found[0]), found[0])

    def shape(self, fields: frozenset[str], begun: str) -> list[str | Slot] | None:
        """Return how the template writes an assistant message with these fields, from the prompt to its end token.

        `Slot(0, "tool_calls")` is the place of what the call format writes of the calls alone. None when the template
        has no place for one of the fields, or writes calls in another way.

        Args:
            fields: The fields that say something.
            begun: The beginning of a thought at the end of the prompt, or `""`.
        """
        shape = self._shape(fields, begun)
        if shape is None and begun and "reasoning_content" not in fields:  # what is begun must be closed
            shape = self._shape(fields | {"reasoning_content"}, begun)
        return shape

    def _shape(self, fields: frozenset[str], begun: str) -> list[str | Slot] | None:
        said: Plain = {"role": "assistant", "content": ""}
        said |= {field: mark(0, letter) for field, letter in _LETTERS.items() if field in fields}
        if "tool_calls" in fields:
            call = tool_call(mark(_CALLED, "n"), {"at": mark(_CALLED)})
            said["tool_calls"] = [{**call, "id": self._template.call_id(call["id"])}]
        try:
            text = self._template.render([asked(), said], [], opening=False)
            written = self._format.write(assistant("", said["tool_calls"])) if "tool_calls" in fields else None
        except (UserError, ValueError):  # the template or the format has no way to say it
            return None
        spoken, change = self._spoken(text, "reasoning_content" in fields, begun), None
        if spoken is not None and written is not None:
            spoken, change = self._with_calls(spoken, written)
        parts = cut(spoken or "")
        if sorted(part.field for part in parts if isinstance(part, Slot)) != sorted(fields):
            return None
        return self._ended([_changed(part, change) for part in parts], "tool_calls" in fields)

    def _spoken(self, text: str, thinks: bool, begun: str) -> str | None:
        """Return what the assistant adds to a prompt when the conversation is `text`."""
        before = self._prompt.removesuffix(self.begun)
        if not text.startswith(before):
            return None
        spoken = text[len(before) :]
        if thinks and mark(0, "r") not in spoken:  # the template shows no thoughts, but the model has them
            begin, end = self._family.thoughts
            if not any(tag in begin for tag in self._format.tags):
                return None
            spoken = f"{begin}\n{mark(0, 'r')}\n{end}\n\n{spoken}"
        return spoken.removeprefix(begun) if spoken.startswith(begun) else None

    def _with_calls(self, spoken: str, written: str) -> tuple[str, Change | None]:
        """Put a mark in the place of calls; some templates leave out the space that the format has behind a tag."""
        if written in spoken:
            return spoken.replace(written, mark(0, "t")), None
        tags = re.compile(f"({'|'.join(map(re.escape, self._format.tags)) or '(?!)'}) ")

        def tight(text: str) -> str:
            return tags.sub(r"\1", text)

        return spoken.replace(tight(written), mark(0, "t")), tight

    def _ended(self, parts: Sequence[str | Slot], calls: bool) -> list[str | Slot] | None:
        """Cut what the assistant said behind its end token; add the next role's where that ends a turn."""
        last = max((i for i, part in enumerate(parts) if isinstance(part, Slot)), default=-1)
        tail = "".join(part for part in parts[last + 1 :] if isinstance(part, str))
        found = self._turns.ends.search(tail)
        if found is None:
            return [*parts, self.ending(calls)]
        return None if found.start() and not calls else [*parts[: last + 1], tail[: found.end()]]


def _changed(part: str | Slot, change: Change | None) -> str | Slot:
    return part._replace(change=change) if isinstance(part, Slot) and part.field == "tool_calls" else part
