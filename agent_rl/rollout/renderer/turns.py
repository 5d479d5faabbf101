"""The turns of a conversation: how a chat template writes an action, and what it writes between two of them.

Both are read off conversations of marks, and what stands between two actions is proved there: the text before a new
message does not change, and what is appended depends neither on what was said before nor on the tools.
"""

import re
from collections.abc import Sequence
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, ToolCall, assistant, tool_call, user
from agent_rl.rollout.renderer.encoding import any_of
from agent_rl.rollout.renderer.families import Family
from agent_rl.rollout.renderer.shapes import Plain, Slot, cut, derive, mark, marked, marks_in
from agent_rl.rollout.renderer.template import TOOL, ChatTemplate
from agent_rl.tools.call_formats import CallFormat

_ASKED, _CALLED = 900, 910  # numbers of marks that stand for no message of a shape
_SAID, _SAID_AGAIN = 901, 902


class Turns:
    """Reads turns off a template."""

    def __init__(
        self, template: ChatTemplate, family: Family, control: re.Pattern[str], stops: Sequence[str]
    ) -> None:
        """Find the texts of the tokens that end an action, `stops`.

        Args:
            template: The template.
            family: What it does not show.
            control: Matches the control tokens.
            stops: Those that are known to.

        Raises:
            UserError: The template does not end the assistant's turn with a control token.
        """
        self._template, self._family = template, family
        self.stops = tuple(stops)
        self._ends = any_of([*self.stops, *family.instead.values()])
        text = template.render([_asked(), assistant(mark(_SAID)), user(mark(0))], [], opening=True)
        _, heard, after = text.partition(mark(_SAID))
        if not heard:
            raise UserError("the chat template leaves out the text of assistant messages")
        written = self._ends.match(after) or control.match(after)
        if written is None:
            raise UserError("the chat template does not close the assistant's turn with its end-of-turn token")
        if not self._ends.match(after):
            self.stops = (*self.stops, written[0])
            self._ends = any_of([*self.stops, *family.instead.values()])

    def bare(self, text: str) -> str:
        """Return a text without thoughts, without one that is only begun, and without the white space behind them."""
        begin, end = map(re.escape, self._family.thoughts)
        return re.sub(rf"{begin}.*?(?:{end}\s*|\Z)", "", text, flags=re.DOTALL)

    def opening(self) -> str:
        """Return the beginning of a thought that stands at the end of every prompt, or `""`."""
        texts = [self._template.render([user("u")], [], opening=True)]
        if self._template.writes_calls:
            call = tool_call("look", {"at": "x"})
            answer: Message = {"role": "tool", "content": "x", "tool_call_id": call["id"], "name": "look"}
            texts.append(self._template.render([user("u"), assistant("", [call]), answer], [], opening=True))
        begun = {self._begun(text) for text in texts}
        return begun.pop() if len(begun) == 1 else ""

    def _begun(self, prompt: str) -> str:
        begin, end = self._family.thoughts
        at = prompt.rfind(begin)
        return prompt[at:] if at > prompt.rfind(end) else ""

    def between(self, messages: Sequence[Message]) -> list[str | Slot]:
        """Return what the template writes from the end token of an action to the beginning of the next one.

        Raises:
            UserError: It is not the same in every conversation, or the messages' texts are not in it.
        """
        self._prove(marked(messages))
        return derive(lambda plain: self._after([_asked()], plain, _SAID)[1], messages)

    def _prove(self, messages: Sequence[Plain]) -> None:
        before, after, said = self._after([_asked()], messages, _SAID)
        prompt = self._template.render([_asked()], [], opening=True)
        self._require_prefix(prompt, before)
        if "tools" not in self._family.waived and self._after([_asked()], messages, _SAID, [TOOL])[1] != after:
            raise UserError("the chat template moves the tools when messages are added")
        if "rounds" not in self._family.waived:
            earlier = [_asked(), said, *messages]
            all_before, after_again, _ = self._after(earlier, messages, _SAID_AGAIN)
            self._require_prefix(before + after, all_before)
            if after_again != after:
                raise UserError("the chat template writes the same messages in another way later in a conversation")

    def _require_prefix(self, prefix: str, text: str) -> None:
        prefix, text = self.bare(prefix).rstrip(), self.bare(text)
        if not text.startswith(prefix):
            at = next((i for i, (a, b) in enumerate(zip(prefix, text, strict=False)) if a != b), len(text))
            raise UserError(
                "the chat template changes what is there when messages are added: "
                f"{text[at : at + 40]!r} in the place of {prefix[at : at + 40]!r}"
            )

    def _after(
        self, earlier: Sequence[Plain], messages: Sequence[Plain], number: int, tools: Sequence[dict[str, Any]] = ()
    ) -> tuple[str, str, Plain]:
        """Render messages behind an action; return the text before and from its end token on, and the action."""
        refusal = UserError("the chat template does not close the assistant's turn with its end-of-turn token")
        for said in self._actions(messages, number):
            try:
                text = self._template.render([*earlier, said, *messages], list(tools), opening=True)
            except UserError as error:
                refusal = error
                continue
            at = max(text.rfind(spoken) + len(spoken) for spoken in _marks(said))
            found = self._ends.search(text, at)
            heard = [text.find(spoken, at) for message in messages for spoken in marks_in(message["content"])]
            if found and found.start() <= min(heard, default=len(text)) and (said.get("tool_calls") or found.start() == at):
                return text[: found.start()], text[found.start() :], said
        raise refusal

    def _actions(self, messages: Sequence[Plain], number: int) -> list[Plain]:
        """Return actions that messages like these may follow: calls that they answer, a single call, or just words."""
        calls: list[ToolCall] = []
        for message in messages:
            if message["role"] != "tool":
                break
            name = str(message.get("name") or "look")
            call = tool_call(name, {"at": mark(number + 10 * len(calls), "a")}, len(calls))
            calls.append({**call, "id": message.get("tool_call_id") or call["id"]})
        words = [{**assistant(mark(number))}]
        if not calls or not self._template.writes_calls:
            return words
        some = [calls, calls[:1]] if len(calls) > 1 else [calls]
        return [*({**assistant("", part)} for part in some), *words]

    def action(self, fields: frozenset[str], call_format: CallFormat) -> list[str | Slot] | None:
        """Return how the template writes an assistant message with these fields, from the prompt to its end token.

        `Slot(0, "tool_calls")` is the place of the calls. None when the template has no place for one of the fields.
        """
        parts = self._action(fields, call_format)
        if parts is None and "reasoning_content" not in fields:  # close a thought that the prompt has opened
            parts = self._action(fields | {"reasoning_content"}, call_format)
        return parts

    def _action(self, fields: frozenset[str], call_format: CallFormat) -> list[str | Slot] | None:
        said = assistant(mark(0) if "content" in fields else "")
        if "reasoning_content" in fields:
            said["reasoning_content"] = mark(0, "r")
        if "tool_calls" in fields:
            call = tool_call(mark(_CALLED, "n"), {"at": mark(_CALLED, "a")})
            said["tool_calls"] = [{**call, "id": self._template.call_id(call["id"])}]
        try:
            text = self._template.render([_asked(), said], [], opening=False)
        except UserError:
            return None
        spoken = self._spoken(text, "reasoning_content" in fields)
        if spoken is None:
            return None
        if "tool_calls" in fields:
            spoken = spoken.replace(call_format.write(assistant("", said["tool_calls"])), mark(0, "t"))
        parts = cut(spoken)
        if sorted(part.field for part in parts if isinstance(part, Slot)) != sorted(fields):
            return None
        return self._ended(parts, "tool_calls" in fields)

    def _spoken(self, text: str, thinks: bool) -> str | None:
        """Return what the assistant adds to the prompt when the conversation is `text`."""
        prompt = self._template.render([_asked()], [], opening=True)
        if text.startswith(prompt):
            return text[len(prompt) :]
        at = len(prompt) - len(self._begun(prompt))
        if not thinks or at == len(prompt) or mark(0, "r") in text or not text.startswith(prompt[:at]):
            return None
        return f"{mark(0, 'r')}\n{self._family.thoughts[1]}\n\n{text[at:]}"  # the template writes no thoughts

    def _ended(self, parts: list[str | Slot], calls: bool) -> list[str | Slot] | None:
        """Cut what the assistant said behind its end token; add the next role's where that ends a turn."""
        last = max(i for i, part in enumerate(parts) if isinstance(part, Slot)) if parts else -1
        tail = "".join(part for part in parts[last + 1 :] if isinstance(part, str))
        found = self._ends.search(tail)
        if found is None:
            answer: Message = {"role": "tool", "content": mark(0), "tool_call_id": "call_0", "name": "look"}
            follows = self._after([_asked()], [{**(answer if calls else user(mark(0)))}], _SAID)[1]
            ended = self._ends.match(follows)
            return [*parts, ended[0]] if ended else None
        if found.start() and not calls:
            return None
        return [*parts[: last + 1], tail[: found.end()]]


def _asked() -> Plain:
    return {**user(mark(_ASKED))}


def _marks(said: Plain) -> list[str]:
    """Return the marks behind which an action can end."""
    number = len(said.get("tool_calls", []))
    if not number:
        return [said["content"]]
    return [call["function"]["arguments"].split('"')[3] for call in said["tool_calls"]]
