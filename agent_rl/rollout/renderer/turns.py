"""What a chat template writes between two actions.

It is read off conversations of marks and proved there: the text before a new message does not change but for thoughts,
and what is appended depends neither on what was said before nor on the tools.
"""

import re
from collections.abc import Sequence
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, ToolCall, assistant, system, tool_call, user
from agent_rl.rollout.renderer.encoding import any_of
from agent_rl.rollout.renderer.families import Family
from agent_rl.rollout.renderer.shapes import Plain, Slot, derive, first_difference, mark, marked, marks_in
from agent_rl.rollout.renderer.template import TOOL, ChatTemplate

_UNCLOSED = "the chat template does not close the assistant's turn with its end-of-turn token"
_ASKED, _SAID, _SAID_AGAIN, _TOLD = 900, 901, 902, 903  # numbers of marks that stand for no message of a shape


class Turns:
    """Reads off a template what follows an action.

    Attributes:
        stops: The texts of the tokens that end an action.
        ends: Matches the tokens that the template writes at the end of one.
    """

    def __init__(self, template: ChatTemplate, family: Family, control: re.Pattern[str], known: Sequence[str]) -> None:
        """Find the tokens that end an action.

        Args:
            template: The template.
            family: What it does not show.
            control: Matches the control tokens.
            known: The texts of tokens that are known to end an action.

        Raises:
            UserError: The template does not end the assistant's turn with a control token.
        """
        self._template, self._family = template, family
        self.stops = tuple(known)
        self.ends = any_of([*self.stops, *family.instead.values()])
        text = template.render([asked(), assistant(mark(_SAID)), user(mark(0))], [], opening=True)
        _, heard, after = text.partition(mark(_SAID))
        if not heard:
            raise UserError("the chat template leaves out the text of assistant messages")
        if not self.ends.match(after):
            written = control.match(after)
            if written is None:
                raise UserError(_UNCLOSED)
            self.stops = (*self.stops, written[0])
            self.ends = any_of([*self.stops, *family.instead.values()])

    def between(self, messages: Sequence[Message | Plain]) -> list[str | Slot]:
        """Return what the template writes from the end token of an action to the beginning of the next one.

        Raises:
            UserError: It is not the same in every conversation, or the messages' texts are not in it.
        """
        self._prove(marked(messages))
        special = () if "numbers" in self._family.waived else ("7", "true", '{"a": 1}')
        return derive(lambda plain: self.after([asked()], plain)[1], messages, special)

    def after(
        self,
        earlier: Sequence[Plain],
        messages: Sequence[Plain],
        number: int = _SAID,
        tools: Sequence[dict[str, Any]] = (),
    ) -> tuple[str, str, Plain]:
        """Render messages behind an action; return the text before and from its end token on, and the action."""
        refusal = UserError(_UNCLOSED)
        for said in self._actions(messages, number):
            try:
                text = self._template.render([*earlier, said, *messages], tools, opening=True)
            except UserError as error:
                refusal = error
                continue
            calls = said.get("tool_calls", [])
            spoken = [found for call in calls for found in marks_in(call["function"]["arguments"])]
            ends = [text.rfind(m) + len(m) for m in spoken or [said["content"]] if m in text]
            if not ends:
                continue
            at = max(ends)
            found = self.ends.search(text, at)
            heard = [text.find(m, at) for message in messages for m in marks_in(message["content"])]
            if found and found.start() <= min(heard, default=len(text)) and (calls or found.start() == at):
                return text[: found.start()], text[found.start() :], said
        raise refusal

    def _prove(self, messages: Sequence[Plain]) -> None:
        before, after, said = self.after([asked()], messages)
        spoken = self._behind(self._template.render([asked()], [], opening=True), before)
        waived = self._family.waived
        if "first" not in waived:
            earlier = [{**system(mark(_TOLD))}, asked()]
            told, again, _ = self.after(earlier, messages, tools=[TOOL])
            self._behind(self._template.render(earlier, [TOOL], opening=True), told)
            if again != after:
                raise UserError("the chat template adds messages in another way behind other first messages")
        if "rounds" not in waived:
            all_before, again, _ = self.after([asked(), said, *messages], messages, _SAID_AGAIN)
            spoken_again = self._behind(before + after, all_before)
            for place in range(len(messages) + 1):
                spoken_again = spoken_again.replace(mark(_SAID_AGAIN + 10 * place), mark(_SAID + 10 * place))
            if (spoken_again, again) != (spoken, after):
                raise UserError("the chat template writes the same messages in another way later in a conversation")

    def _behind(self, prefix: str, text: str) -> str:
        """Return what a text has behind a prefix of it, thoughts and the white space at the seam aside.

        Raises:
            UserError: It does not begin with the prefix.
        """
        prefix, text = self._family.bare(prefix).rstrip(), self._family.bare(text)
        if not text.startswith(prefix):
            at = first_difference(prefix, text)
            raise UserError(
                "the chat template changes what is there when messages are added: "
                f"{text[at : at + 40]!r} in the place of {prefix[at : at + 40]!r}"
            )
        return text[len(prefix) :].strip()

    def _actions(self, messages: Sequence[Plain], number: int) -> list[Plain]:
        """Return actions that messages like these may follow: calls that they answer, a single call, or just words."""
        calls: list[ToolCall] = []
        for message in messages:
            if message["role"] != "tool":
                break
            call = tool_call(str(message.get("name") or "look"), {"at": mark(number + 10 * len(calls))}, len(calls))
            calls.append({**call, "id": message.get("tool_call_id") or call["id"]})
        words: list[Plain] = [{**assistant(mark(number))}]
        if not calls or not self._template.writes_calls:
            return words
        some = [calls, calls[:1]] if len(calls) > 1 else [calls]
        return [*({**assistant("", part)} for part in some), *words]


def asked() -> Plain:
    """Return the question at the beginning of conversations of marks."""
    return {**user(mark(_ASKED))}
