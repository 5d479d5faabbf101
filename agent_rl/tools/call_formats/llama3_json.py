"""Llama 3.1, 3.2 and 3.3."""

import json
import re
from collections.abc import Sequence

from agent_rl.core.message import Message, text_of
from agent_rl.tools.call_formats.base import CallFormat, Schema, Turn
from agent_rl.tools.call_formats.reading import guarded, json_value, named_call, skip

_PYTHON = "<|python_tag|>"
_BEGUN = re.compile(r'\s*\{\s*"(?:name|type|function|parameters)"')
_NEXT = re.compile(r"\s*+(?:[;,]\s*+)?(?=\{)")


class Llama3Json(CallFormat):
    """A turn that is `{"name": …, "parameters": {…}}`, as Llama 3.1 to 3.3 write it.

    A call begins the turn or stands after `<|python_tag|>`, which is how a call that follows some text is written. The
    family's templates allow one call in a turn; several are written with `; ` between them. A turn that is a JSON
    object without a `"name"` is content.
    """

    tags = (_PYTHON,)
    stops = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>")

    def _write(self, message: Message) -> str:
        calls = [
            f'{{"name": {json.dumps(call["function"]["name"], ensure_ascii=False)}, '
            f'"parameters": {guarded(call["function"]["arguments"], self.tags)}}}'
            for call in message.get("tool_calls", [])
        ]
        tag = _PYTHON if calls and text_of(message).strip() else ""
        return f"{text_of(message)}{tag}{'; '.join(calls)}"

    def parse(self, text: str, tools: Sequence[Schema] = ()) -> Message:
        """Read the JSON objects at the beginning of the turn or after the tag."""
        turn = Turn()
        before, tagged, after = text.partition(_PYTHON)
        if not tagged and not _BEGUN.match(text):
            turn.say(text)
            return turn.message()
        if tagged:
            turn.say(before)
        self._read(turn, after if tagged else text, certain=bool(tagged))
        return turn.message()

    def _read(self, turn: Turn, text: str, certain: bool) -> None:
        """Read calls from the beginning of `text`; what follows them is content, as is an object that is no call."""
        at, more = 0, True
        while more:
            start = skip(text, at)
            try:
                value, at = json_value(text, start)
                if not certain and not isinstance(value.get("name"), str):
                    turn.say(text)
                    return
                turn.call(*named_call(value, "parameters", "arguments"))
            except (ValueError, RecursionError) as error:
                ended = at > start
                turn.reject(text[start:at] if ended else text[start:], str(error))
                if not ended:
                    return
            certain = True
            following = _NEXT.match(text, at)
            at, more = following.end() if following else at, following is not None
        turn.say(text[at:])
