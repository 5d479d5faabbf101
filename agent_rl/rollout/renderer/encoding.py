"""Text to tokens and back, with control tokens only where they are meant."""

import json
import re
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError


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
        self._plain = _without_added_tokens(tokenizer)
        for text, number in self.added.items():
            if number in self.encode_text(text):
                raise UserError(f"the tokenizer makes a control token of the plain text {text!r}")

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of a text in which nothing is a control token."""
        return list(self._plain.encode(_valid(text), add_special_tokens=False).ids)

    def encode(self, parts: Iterable[str | int], before: int | None = None) -> list[int]:
        """Return the tokens of texts and control tokens in order.

        The text between two control tokens is encoded as a whole, so that word boundaries fall as in training.

        Args:
            parts: Texts and the numbers of control tokens.
            before: The token that stands before them, if it is known.
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
        return self.encode_text(text) if text else []

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


def _without_added_tokens(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """Return a copy of the tokenizer for which `<|im_end|>` or `<tool_call>` in a text are plain characters.

    A mark for the beginning of a text, which some write before the first word, is left out: what is encoded here
    stands behind a control token.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["added_tokens"] = []
    state["post_processor"] = None
    for part in _parts(state["pre_tokenizer"]):
        if part.get("prepend_scheme") == "first":
            part["prepend_scheme"] = "never"
    return Tokenizer.from_str(json.dumps(state))


def _parts(component: dict[str, object] | None) -> list[dict[str, object]]:
    if component is None:
        return []
    inner = component.get("pretokenizers")
    return [component, *(inner if isinstance(inner, list) else [])]
