"""Renderer: messages to tokens for a model family, extended turn by turn without touching what is there."""

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, user
from agent_rl.tools.call_formats import CALL_FORMATS

_MARK = secrets.token_hex(8)  # no text from anywhere else can hold it
_SLOT = f"{_MARK}x{{}}x"
_SLOTS = re.compile(rf"{_MARK}x(\d+)x")


@dataclass(frozen=True)
class _Part:
    """A piece of a rendered template: a control token (`token`), a fixed text, or the place of a message's content."""

    text: str = ""
    token: int | None = None
    slot: int | None = None


class Renderer:
    """Derives prompts and turn deltas from a tokenizer's chat template.

    The template is rendered once per sequence of roles with marks in the place of the contents. Its own control tokens
    become control tokens; the contents are encoded by a copy of the tokenizer that knows none, so text from tools and
    users can never become one. An observation is what the template writes between the end of the assistant's turn and
    the beginning of the next: what is there already is never encoded again.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, call_format: str = "hermes") -> None:
        """Prove the template usable.

        Raises:
            UserError: The tokenizer has no chat template or no end-of-turn token, or its template does not keep the
                text before a new message unchanged.
        """
        if not tokenizer.chat_template:
            raise UserError(f"the tokenizer of {tokenizer.name_or_path or 'this model'} has no chat template")
        self.tokenizer = tokenizer
        self.format = CALL_FORMATS[call_format]
        self._plain = _without_added_tokens(tokenizer)
        added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
        self._added = added
        self._control = _any_of(added)
        self._tags = _any_of([t.content for t in tokenizer.added_tokens_decoder.values() if not t.special])
        if tokenizer.eos_token is None:
            raise UserError(f"the tokenizer of {tokenizer.name_or_path or 'this model'} has no end-of-turn token")
        self.stop_token = int(tokenizer.convert_tokens_to_ids(tokenizer.eos_token))
        self.vocabulary = len(tokenizer)
        self._parts: dict[str, list[_Part]] = {}
        self.observation([user("probe")])  # refuses a template that cannot be extended

    def prompt(self, messages: Sequence[Message], tools: list[dict[str, Any]]) -> list[int]:
        """Return the tokens of the first messages, with the opening of the assistant's turn at the end."""
        slotted = _slotted(messages)
        key = json.dumps([slotted, tools])
        if key not in self._parts:
            self._parts[key] = self._split(self._template(slotted, tools, opening=True), self._control)
        return self._fill(self._parts[key], messages)

    def observation(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens that follow the end-of-turn token of an action: `messages` and the next turn's opening.

        The newline between the end-of-turn token and the next message is part of them.
        """
        slotted = _slotted(messages)
        key = json.dumps(slotted)
        if key not in self._parts:
            before = [user(_SLOT.format(900)), assistant(_SLOT.format(901))]
            text = self._template([*before, *slotted], [], opening=True)
            closed = self._template(before, [], opening=False)
            end = self.tokenizer.eos_token
            spoken, _, rest = text.partition(_SLOT.format(901))
            if not rest.startswith(end) or not closed.startswith(spoken + _SLOT.format(901) + end):
                raise UserError("the chat template does not close the assistant's turn with its end-of-turn token")
            self._parts[key] = self._split(rest.removeprefix(end), self._control)
        return self._fill(self._parts[key], messages)

    def action(self, message: Message) -> list[int]:
        """Return the tokens of an assistant message, the end-of-turn token included, as a policy would sample them.

        Tags such as `<tool_call>` become their tokens; special tokens that the content spells out stay plain text.
        """
        return [*self._encode(self._split(self.format.write(message), self._tags)), self.stop_token]

    def parse(self, tokens: Sequence[int]) -> Message:
        """Return the message that sampled tokens stand for; a malformed tool call is in `invalid_tool_calls`."""
        spoken = tokens[:-1] if tokens and tokens[-1] == self.stop_token else tokens
        return self.format.parse(self.tokenizer.decode(list(spoken), skip_special_tokens=False))

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self._plain.encode(text, add_special_tokens=False).ids)

    def _template(self, messages: Sequence[Message], tools: list[dict[str, Any]], opening: bool) -> str:
        rendered = self.tokenizer.apply_chat_template(
            list(messages), tools=tools or None, add_generation_prompt=opening, tokenize=False
        )
        return str(rendered)

    def _split(self, text: str, control: re.Pattern[str]) -> list[_Part]:
        """Cut a text of the template or the policy at the control tokens it may hold, and at slots."""
        parts: list[_Part] = []
        at = 0
        for found in control.finditer(text):
            parts += [*_texts(text[at : found.start()]), _Part(token=self._added[found[0]])]
            at = found.end()
        return [*parts, *_texts(text[at:])]

    def _fill(self, parts: list[_Part], messages: Sequence[Message]) -> list[int]:
        filled = (part if part.slot is None else _Part(text=messages[part.slot]["content"]) for part in parts)
        return self._encode(filled)

    def _encode(self, parts: Any) -> list[int]:
        """Encode the text between two control tokens as a whole, so that word boundaries fall as in training."""
        tokens: list[int] = []
        text = ""
        for part in [*parts, _Part(token=-1)]:
            if part.token is None:
                text += part.text
                continue
            if text:
                tokens += self._plain.encode(_valid(text), add_special_tokens=False).ids
                text = ""
            tokens.append(part.token)
        return tokens[:-1]


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of any of `tokens`, longer ones first; of nothing when there are none."""
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or r"(?!)")


def _texts(text: str) -> list[_Part]:
    pieces = _SLOTS.split(text)  # text, slot number, text, slot number, … text
    parts = [_Part(slot=int(piece)) if i % 2 else _Part(text=piece) for i, piece in enumerate(pieces)]
    return [part for part in parts if part.slot is not None or part.text]


def _slotted(messages: Sequence[Message]) -> list[Message]:
    """Put marks in the place of the contents; an empty one stays, because templates write nothing for it."""
    return [{**m, "content": _SLOT.format(i) if m["content"] else ""} for i, m in enumerate(messages)]


def _valid(text: str) -> str:
    """Replace lone surrogates, which JSON and file names can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _without_added_tokens(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """Return a copy of the tokenizer for which `<|im_end|>` or `<tool_call>` in a text are plain characters."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["added_tokens"] = []
    state["post_processor"] = None
    return Tokenizer.from_str(json.dumps(state))
