"""The only place where an audit meets the renderer: messages to tokens again, and tokens to text."""

from collections.abc import Sequence
from typing import Any

from transformers import AutoTokenizer

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.models.loading import resolve
from agent_rl.rollout.renderer import Renderer, RendererSettings


class Rerender:
    """Does again what the rollout did, and gives tokens as text."""

    def __init__(self, renderer: Renderer, tools: Sequence[dict[str, Any]] = ()) -> None:
        """Render with what rendered the rollout, and read calls by the schemas of `tools`."""
        self._renderer, self._tools = renderer, tools
        self.stop_tokens = renderer.stop_tokens

    @classmethod
    def load(cls, model: str, settings: RendererSettings) -> "Rerender":
        """Return the renderer of a model (a folder, a run or a name, as in `model=`) under the run's settings.

        Raises:
            UserError: Its tokenizer cannot be loaded.
        """
        place = resolve(model)
        try:
            tokenizer = AutoTokenizer.from_pretrained(place)
        except Exception as error:  # tokenizers and transformers raise types of their own for damaged files
            raise UserError(f"the tokenizer in {place} cannot be loaded: {str(error).partition(chr(10))[0]}") from error
        return cls(Renderer(tokenizer, settings))

    def offering(self, tools: Sequence[dict[str, Any]]) -> "Rerender":
        """Return the same for a conversation that offers `tools`."""
        return Rerender(self._renderer, tools)

    def prompt(self, messages: Sequence[Message], tools: list[dict[str, Any]]) -> tuple[int, ...]:
        """Return the tokens of a prompt."""
        return tuple(self._renderer.prompt(messages, tools))

    def observation(self, messages: Sequence[Message], after: Sequence[int]) -> tuple[int, ...]:
        """Return the tokens of the observation that follows the action `after`, as if that had its stop token."""
        if after and after[-1] in self.stop_tokens:
            return tuple(self._renderer.observation(messages, after[-1]))
        return tuple(self._renderer.observation(messages, None)[1:])

    def parse(self, tokens: Sequence[int]) -> Message | None:
        """Return the message that an action says, or None when no text has such tokens."""
        try:
            return self._renderer.parse(tokens, self._tools)
        except (OverflowError, TypeError, ValueError):
            return None

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, control tokens included."""
        try:
            return str(self._renderer.tokenizer.decode(list(tokens), skip_special_tokens=False))
        except (OverflowError, TypeError, ValueError):
            return "(not in the vocabulary)"

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Return the text of each token by itself, with the space that it has behind another token."""
        pieces = []
        for before, token in zip([None, *tokens], tokens, strict=False):
            alone, head = self.text([token]), "" if before is None else self.text([before])
            both = alone if before is None else self.text([before, token])
            pieces.append(both.removeprefix(head) if head and both.startswith(head) else alone)
        return pieces
