"""Search-R1: a search engine as the only tool, called by a tag."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import json_object
from agent_rl.tools.call_formats.thinking import Thinking

_THINKING = Thinking(inside=" ", after="\n")


@dataclass(frozen=True)
class SearchR1(CallFormat):
    """`<search> query </search>` calls the tool, `<answer> text </answer>` is the content of a turn without a call.

    Only calls of `tool` with the one argument `argument`, a string without white space around it, can be written.
    There is no escape: texts that hold the tags cannot be written. A text without tags is content.
    """

    tool: str = "search"
    argument: str = "query"

    tags = ("<think>", "</think>", "<search>", "</search>", "<answer>", "</answer>")

    def _write(self, message: Message) -> str:
        calls = []
        for call in message.get("tool_calls", []):
            query = json_object(call["function"]["arguments"]).get(self.argument)
            calls.append(f"<search> {query} </search>")
        content = text_of(message)
        parts = [content, *calls] if calls or not content else [f"<answer> {content} </answer>"]
        return _THINKING.write(message) + "\n".join(part for part in parts if part)

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the searches; a tag that is not closed is an invalid call."""
        reasoning, text = _THINKING.split(text)
        searches, answers = Turn(reasoning), Turn()
        searches.blocks(text, "<search>", "</search>", lambda body: (self.tool, {self.argument: body.strip()}))
        for said in searches.said:
            before, *blocks = said.split("<answer>")
            answers.say(before)
            for block in blocks:
                answer, closed, after = block.partition("</answer>")
                if not closed:
                    searches.reject(answer, "</answer> is missing")
                answers.say(answer if closed else "")
                answers.say(after)
        searches.said = answers.said
        return searches.message()
