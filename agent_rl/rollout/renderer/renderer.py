"""Renderer: messages to tokens for a model family, extended turn by turn without touching what is there."""

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, images_of, text_of, tool_call, tool_result, user
from agent_rl.rollout.renderer.actions import Actions
from agent_rl.rollout.renderer.encoding import TEXT, Encoder, any_of
from agent_rl.rollout.renderer.families import family_of
from agent_rl.rollout.renderer.settings import RendererSettings
from agent_rl.rollout.renderer.shapes import Slot, derive, first_difference, guarded, key, unguarded
from agent_rl.rollout.renderer.template import TOOL, ChatTemplate, template_of
from agent_rl.rollout.renderer.turns import Turns
from agent_rl.tools.call_formats import CALL_FORMATS, detect

_Shape = list[str | int | Slot]
_MOST_SHAPES = 1024
_LONGEST_OPENING = 32
_SPOKEN = ("content", "reasoning_content", "tool_calls")


class Renderer:
    """Derives prompts and turn deltas from a tokenizer's chat template.

    The template is rendered once per sequence of roles with marks in the place of the contents. Its own control tokens
    become control tokens; the contents are encoded by a copy of the tokenizer that knows none, so text from tools and
    users can never become one. An observation is what the template writes between the end of the assistant's turn and
    the beginning of the next: what is there already is never encoded again, and what was thought stays.

    Attributes:
        stop_tokens: The tokens that end an action; the sampled one is part of it.
        vocabulary: The number of tokens of the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: RendererSettings | None = None) -> None:
        """Prove the template exact.

        Raises:
            UserError: The tokenizer has no chat template, or conversations that are extended turn by turn would not be
                what the template writes.
        """
        settings = settings or RendererSettings()
        written = template_of(tokenizer)
        self.tokenizer = tokenizer
        self.family = family_of(written, settings.family)
        shown = detect(written) or self.family.call_format
        self.format = CALL_FORMATS[shown if settings.call_format == "auto" else settings.call_format]
        self._calls_alike = settings.call_format in ("auto", shown)  # another format's calls are the user's own choice
        self._encoder = Encoder(tokenizer)
        self._template = ChatTemplate(tokenizer, self.family, self.format, settings)
        added = self._encoder.added
        stops = (tokenizer.eos_token, *CALL_FORMATS[self.family.call_format].stops, *self.format.stops)
        known = [stop for stop in stops if stop in added]
        self._turns = Turns(self._template, self.family, self._encoder.control, known)
        self._actions = Actions(self._template, self.family, self._turns, self.format)
        self.stop_tokens = frozenset(added[text] for text in self._turns.stops)
        self._instead = {added[a]: added[b] for a, b in self.family.instead.items() if a in added and b in added}
        self._tags = any_of(tag for tag in self.format.tags if tag in added)
        self._begun = self._actions.always_begun()
        self._shapes: dict[Hashable, _Shape | None] = {}
        self.vocabulary = len(tokenizer)
        self._control = frozenset(added.values())
        self._asked = self.prompt([user("u")], [])
        self._prove()

    def prompt(self, messages: Sequence[Message], tools: list[dict[str, Any]]) -> list[int]:
        """Return the tokens of the first messages, with the opening of the assistant's turn at the end.

        Args:
            messages: What is said before the policy speaks.
            tools: The schemas of the tools, in the OpenAI format; empty for none.

        Raises:
            UserError: The template refuses the messages, or they hold images.
        """
        messages = self._texts(messages)
        shape = self._shape(("prompt", key(messages), json.dumps(tools)), lambda: self._first(messages, tools))
        return self._fill(shape or [], messages)

    def conversation(self, messages: Sequence[Message], tools: list[dict[str, Any]]) -> list[int]:
        """Return the tokens of a whole conversation as the template writes it; no turn is opened at its end.

        Args:
            messages: All that is said.
            tools: The schemas of the tools, in the OpenAI format; empty for none.

        Raises:
            UserError: The template refuses the messages, or they hold images.
        """
        messages = self._texts(messages)
        name = ("conversation", key(messages), json.dumps(tools))
        return self._fill(self._shape(name, lambda: self._first(messages, tools, opening=False)) or [], messages)

    def observation(self, messages: Sequence[Message], after: int | None) -> list[int]:
        """Return the tokens that follow an action: what the template writes up to the opening of the next turn.

        Args:
            messages: What the environment answers.
            after: The stop token that ended the action; None when it was cut before one, and then the end token that
                the template writes comes first. A stop token that opens the next role's turn is not written twice.

        Raises:
            UserError: The template cannot be extended by such messages, or they hold images.
        """
        messages = self._texts(messages)
        shape = self._shape(("observation", key(messages)), lambda: self._between(messages)) or []
        if after is not None and shape[0] in (after, self._instead.get(after)):
            return self._fill(shape[1:], messages, before=after)
        return self._fill(shape, messages)

    def action(self, message: Message, before: Sequence[int] = ()) -> list[int]:
        """Return the tokens of an assistant message as a policy would sample them, the stop token included.

        The tags of calls and thoughts become their tokens; special tokens that a text spells out stay plain text.

        Args:
            message: The message.
            before: The tokens of the conversation so far, which may have begun a thought; without, as after a question.

        Raises:
            ValueError: The call format has no way to write the calls.
        """
        fields = frozenset(field for field in _SPOKEN if str(message.get(field) or "").strip())
        before = before or self._asked
        begun = self.family.begun(self._encoder.decode(before[-_LONGEST_OPENING:]))
        last = before[-1] if before[-1] in self._control else TEXT
        shape = self._shape(("action", fields, begun, last), lambda: self._compiled_action(fields, begun, last))
        calls = message.get("tool_calls", [])
        said: Message = {**message, "tool_calls": [{**c, "id": self._template.call_id(c["id"])} for c in calls]}
        if shape is None:
            texts = self._encoder.split(self.format.write(said).removeprefix(begun), self._tags)
            return self._encoder.encode([*texts, self._encoder.added[self._actions.ending(bool(calls))]], last)
        parts: list[str | int] = []
        for part in shape:
            if isinstance(part, Slot) and part.field == "tool_calls":
                written = self.format.write(assistant("", said["tool_calls"]))
                parts += self._encoder.split(part.change(written) if part.change else written, self._tags)
            else:
                parts.append(part.text([message]) if isinstance(part, Slot) else part)
        return self._encoder.encode(parts, last)

    def parse(self, tokens: Sequence[int], tools: Sequence[dict[str, Any]] = ()) -> Message:
        """Return the message that sampled tokens stand for; a malformed tool call is in `invalid_tool_calls`.

        Args:
            tokens: The tokens of an action, its stop token included if it has one.
            tools: The schemas of the tools, by which formats that write arguments as bare text tell `"5"` from 5.
        """
        spoken = tokens[:-1] if tokens and tokens[-1] in self.stop_tokens else tokens
        return self.format.parse(self._begun + self._encoder.decode(spoken), tools)

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self._encoder.encode_text(text))

    def _texts(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages with parts of text made one; images are refused, which no text template can write."""
        if all(isinstance(message["content"], str) for message in messages):
            return messages
        for message in messages:
            if images_of(message):
                model = self.tokenizer.name_or_path or "the model"
                raise UserError(f"{model} is read by text alone here: a {message['role']} message holds an image")
        return [{**message, "content": text_of(message)} for message in messages]

    def _shape(self, name: Hashable, make: Callable[[], _Shape | None]) -> _Shape | None:
        if name not in self._shapes:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[name] = make()
        return self._shapes[name]

    def _first(self, messages: Sequence[Message], tools: list[dict[str, Any]], opening: bool = True) -> _Shape:
        """Return the shape of a first prompt. Control tokens that the tools' descriptions spell out are plain text."""
        safe_tools, texts = guarded(tools, self._encoder.control)
        safe, more = guarded([{**message} for message in messages], self._encoder.control, len(texts))
        parts = derive(lambda plain: self._template.render(plain, safe_tools, opening), safe)
        return self._compiled(parts, texts + more)

    def _between(self, messages: Sequence[Message]) -> _Shape:
        safe, texts = guarded([{**message} for message in messages], self._encoder.control)
        return self._compiled(self._turns.between(safe), texts)

    def _compiled_action(self, fields: frozenset[str], begun: str, last: int) -> _Shape | None:
        parts = self._actions.shape(fields, begun)
        return None if parts is None else self._compiled(parts, before=last)

    def _compiled(self, parts: Sequence[str | Slot], guards: Sequence[str] = (), before: int | None = None) -> _Shape:
        """Make tokens of all that does not depend on what messages say."""
        cut: _Shape = []
        for part in parts:
            if isinstance(part, Slot) and part.field == "tool_call_id":
                part = part._replace(change=self._template.call_id)
            cut += [part] if isinstance(part, Slot) else self._encoder.split(part)
        shape: _Shape = []
        run: _Shape = []
        for item in [*cut, None]:
            if item is not None and not isinstance(item, int):
                run.append(unguarded(item, guards) if isinstance(item, str) else item)
                continue
            if any(isinstance(piece, Slot) for piece in run):
                shape += run
            else:
                texts = [piece for piece in run if isinstance(piece, str)]
                ended = self._encoder.encode([*texts, *([item] if item is not None else [])], before)
                shape += ended[:-1] if item is not None else ended
            shape += [item] if item is not None else []
            run, before = [], item
        return shape

    def _fill(self, shape: _Shape, messages: Sequence[Message], before: int | None = None) -> list[int]:
        return self._encoder.encode([part.text(messages) if isinstance(part, Slot) else part for part in shape], before)

    def _prove(self) -> None:
        """Compare short conversations, extended turn by turn, with what the template writes of them.

        Raises:
            UserError: They differ by more than thoughts.
        """
        question, answer, more = user("What is there?"), assistant("Nothing much."), user("And behind it?")
        self._prove_equal([question], [(answer, [more])], [])
        if self._template.writes_calls and self._calls_alike:
            call = tool_call("look", {"at": "the door"})
            self._prove_equal([question], [(assistant("", [call]), [tool_result("A key.", call)])], [TOOL])

    def _prove_equal(
        self, first: list[Message], turns: list[tuple[Message, list[Message]]], tools: list[dict[str, Any]]
    ) -> None:
        tokens, messages = self.prompt(first, tools), [*first]
        self._require_equal(tokens, messages, tools)
        for said, heard in turns:
            action = self.action(said, tokens)
            tokens += [*action[:-1], self._instead.get(action[-1], action[-1]), *self.observation(heard, action[-1])]
            messages += [said, *heard]
            self._require_equal(tokens, messages, tools)

    def _require_equal(self, tokens: list[int], messages: list[Message], tools: list[dict[str, Any]]) -> None:
        text = self._template.render(messages, tools, opening=True)
        expected = self.tokenizer.encode(text, add_special_tokens=False)
        if tokens == expected:
            return
        ours, theirs = (self.family.bare(self._encoder.decode(some)) for some in (tokens, expected))
        if ours == theirs and len(messages) > 1:
            return
        at = first_difference(ours, theirs)
        near = slice(max(0, at - 20), at + 40)
        raise UserError(
            "the chat template cannot be followed turn by turn: "
            f"it writes {theirs[near]!r} where extending gives {ours[near]!r}"
        )
