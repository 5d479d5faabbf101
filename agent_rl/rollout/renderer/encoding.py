"""Text to tokens and back, with control tokens only where they are meant."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError

TEXT = -1
"""Stands for a token that is no control token."""


class Encoder:
    """Encodes text by a copy of the tokenizer that knows no added tokens; control tokens are put in by number."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Make the copy.

        Raises:
            UserError: Plain text could become a control token.
        """
        self._backend = tokenizer.backend_tokenizer
        tokens = tokenizer.added_tokens_decoder
        self.added = {token.content: number for number, token in tokens.items()}
        self.control = any_of(self.added)
        self._eats_before = {number for number, token in tokens.items() if token.lstrip}
        self._eats_after = {number for number, token in tokens.items() if token.rstrip}
        state = _without_added_tokens(tokenizer)
        self._plain = Tokenizer.from_str(json.dumps(state))
        self._inner = Tokenizer.from_str(json.dumps(state)) if _without_first_spaces(state) else self._plain
        for text, number in self.added.items():
            if number in self.encode_text(text):
                raise UserError(f"the tokenizer makes a control token of the plain text {text!r}")

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of a text in which nothing is a control token."""
        return list(self._plain.encode(_valid(text), add_special_tokens=False).ids)

    def encode_inner(self, text: str) -> list[int]:
        """Return the tokens of a text that goes on behind another one, so that no space is put before it."""
        return list(self._inner.encode(_valid(text), add_special_tokens=False).ids)

    def encode(self, parts: Iterable[str | int], before: int | None = None) -> list[int]:
        """Return the tokens of texts and control tokens in order.

        The text between two control tokens is encoded as a whole, so that word boundaries fall as in training.

        Args:
            parts: Texts and the numbers of control tokens.
            before: The token that stands before them; `TEXT` for any that is no control token, None for nothing.
        """
        tokens: list[int] = []
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
                continue
            if text:
                tokens += self._between(before, text, part)
                text = ""
            tokens.append(part)
            before = part
        return tokens + self._between(before, text, None) if text else tokens

    def _between(self, before: int | None, text: str, after: int | None) -> list[int]:
        if before in self._eats_after:
            text = text.lstrip()
        if after in self._eats_before:
            text = text.rstrip()
        if not text:
            return []
        return self.encode_inner(text) if before == TEXT else self.encode_text(text)

    def split(self, text: str, control: re.Pattern[str] | None = None) -> list[str | int]:
        """Cut a text at the control tokens that it may hold: all, or those that the pattern matches."""
        parts: list[str | int] = []
        at = 0
        for found in (control or self.control).finditer(text):
            parts += [text[at : found.start()], self.added[found[0]]]
            at = found.end()
        return [part for part in [*parts, text[at:]] if part != ""]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, control tokens included."""
        return str(self._backend.decode(tokens, skip_special_tokens=False))


def any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of any of `texts`, longer ones first; of nothing when there are none."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)")


def _valid(text: str) -> str:
    """Replace lone surrogates, which JSON and file names can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _without_added_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return the state of a tokenizer for which `<|im_end|>` or `<tool_call>` in a text are plain characters.

    A space that some put before the first word of all is left out: what is encoded here stands behind a control token.
    """
    state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    state["added_tokens"] = []
    state["post_processor"] = None
    for part in _parts(state["pre_tokenizer"], "pretokenizers"):
        if part.get("prepend_scheme") == "first":
            part["prepend_scheme"] = "never"
    return state


def _without_first_spaces(state: dict[str, Any]) -> bool:
    """Let a tokenizer's state put no space before the first word of a piece; return whether it did."""
    changed = False
    for part in _parts(state["pre_tokenizer"], "pretokenizers"):
        if part.get("prepend_scheme") == "always":
            part["prepend_scheme"], changed = "never", True
        if part.get("add_prefix_space"):
            part["add_prefix_space"], changed = False, True
    for part in _parts(state["normalizer"], "normalizers"):
        if part.get("type") == "Prepend":
            part["prepend"], changed = "", True
    return changed


def _parts(component: dict[str, Any] | None, inner: str) -> list[dict[str, Any]]:
    return [] if component is None else [component, *component.get(inner, [])]
