"""A tokenizer's chat template, told apart from the peculiarities of its family."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.rollout.renderer.families import Family
from agent_rl.rollout.renderer.settings import RendererSettings
from agent_rl.rollout.renderer.shapes import Plain
from agent_rl.tools.call_formats import CallFormat

_CLOCK = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_SWITCHES = (
    ("enable_thinking", True, False),
    ("thinking", True, False),
    ("reasoning_effort", "high", "low"),
    ("reasoning_effort", "high", "none"),
)
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}


class ChatTemplate:
    """Renders conversations as text: the reference that tokens are proved against."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        family: Family,
        call_format: CallFormat,
        settings: RendererSettings,
    ) -> None:
        """Find how the template wants tools, calls and ids, and how it is told to think.

        Raises:
            UserError: The template asks for the time, or cannot be told whether to think.
        """
        self._tokenizer = tokenizer
        self._format = call_format
        self._text = _dated(template_of(tokenizer), settings.date)
        self._variables = {**family.variables}
        self._short_ids = True
        self._texts_as_arguments = False
        self._shows_tools = self._hears_tools = self.writes_calls = True
        if settings.thinking is not None:
            self._variables |= self._switched(settings.thinking)
        self._shows_tools = self.render([user("u")], [], True) != self.render([user("u")], [TOOL], True)
        self.writes_calls = self._find_calls()
        self._hears_tools = self._find_results()

    def render(self, messages: Sequence[Plain | Message], tools: Sequence[dict[str, Any]], opening: bool) -> str:
        """Return the text of a conversation, with the opening of the assistant's turn if `opening`.

        Where the template has no place for tools, the first message describes them, calls are written as the content
        and the user tells their results.
        Where it wants turns, messages of the user in a row become one, and those of the system the beginning of it.

        Raises:
            UserError: The template refuses the conversation.
        """
        plain = [self._plain(message) for message in messages]
        if tools and not self._shows_tools:
            plain, tools = _told(plain, described(tools, self._format)), ()
        refusal: Exception | None = None
        for attempt in (plain, _merged(plain), _merged(_without_system(plain))):
            try:
                return self._apply(attempt, tools, opening)
            except Exception as error:  # templates are programs: whatever they raise is a refusal
                refusal = refusal or error
        roles = ", ".join(message["role"] for message in plain)
        raise UserError(f"the chat template refuses a conversation of {roles}: {refusal}") from refusal

    def _apply(self, messages: list[Plain], tools: Sequence[dict[str, Any]], opening: bool) -> str:
        rendered = self._tokenizer.apply_chat_template(
            messages,
            tools=list(tools) or None,
            chat_template=self._text,
            add_generation_prompt=opening,
            tokenize=False,
            **self._variables,
        )
        return str(rendered)

    def _plain(self, message: Plain | Message) -> Plain:
        """Return a message as the template wants it."""
        plain: Plain = {field: value for field, value in message.items() if field != "invalid_tool_calls"}
        if "reasoning_content" in plain:
            plain["thinking"] = plain["reasoning_content"]  # what gpt-oss calls it
        if "tool_call_id" in plain:
            plain["tool_call_id"] = self.call_id(plain["tool_call_id"])
        if plain.get("tool_calls") and not self.writes_calls:
            return {
                "role": "assistant",
                "content": self._format.write(assistant(plain["content"], plain["tool_calls"])),
            }
        if "tool_calls" in plain:
            plain["tool_calls"] = [self._call(call) for call in plain["tool_calls"]]
        if plain["role"] == "tool" and not self._hears_tools:
            return {"role": "user", "content": f"<tool_response>\n{plain['content']}\n</tool_response>"}
        return plain

    def _call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = call["function"]
        arguments = function["arguments"]
        if not self._texts_as_arguments and isinstance(arguments, str):
            arguments = json.loads(arguments or "{}")
        return {**call, "id": self.call_id(call["id"]), "function": {"name": function["name"], "arguments": arguments}}

    def call_id(self, text: str) -> str:
        """Return an id of nine letters or digits where the template insists on that (Mistral), else the id."""
        if self._short_ids or re.fullmatch(r"[A-Za-z0-9]{9}", text):
            return text
        return re.sub(r"[^A-Za-z0-9]", "", text)[-9:].rjust(9, "0")

    def _find_calls(self) -> bool:
        """Find a way to give the template a tool call that it writes; return whether there is one."""
        said = [user("u"), assistant("", [tool_call("namePROBE", {"at": "valuePROBE"})])]
        for self._short_ids in (True, False):
            for self._texts_as_arguments in (False, True):
                try:
                    text = self._apply([self._plain(message) for message in said], [TOOL], False)
                except Exception:  # not this way
                    continue
                if "namePROBE" in text and '\\"at\\"' not in text and "valuePROBE" in text:
                    return True
        self._short_ids, self._texts_as_arguments = True, False
        return False

    def _find_results(self) -> bool:
        """Return whether the template writes tool messages."""
        call = tool_call("look", {"at": "x"})
        said = assistant("", [call]) if self.writes_calls else assistant("x")
        try:
            return "resultPROBE" in self.render([user("u"), said, tool_result("resultPROBE", call)], [], True)
        except UserError:
            return False

    def _switched(self, thinking: bool) -> dict[str, Any]:
        """Return the variable that switches thinking on or off: the first that makes a difference."""
        for name, on, off in _SWITCHES:
            texts = []
            for value in (on, off):
                self._variables[name] = value
                try:
                    texts.append(self.render([user("u")], [], True))
                except UserError:  # not a value that it knows
                    texts.clear()
                    break
            del self._variables[name]
            if len(set(texts)) == 2:
                return {name: on if thinking else off}
        raise UserError("renderer.thinking: the chat template has no switch for thinking")


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the tokenizer's chat template; of several, the one for tools.

    Raises:
        UserError: There is none.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("tool_use", template.get("default"))
    if not template:
        raise UserError(f"the tokenizer of {tokenizer.name_or_path or 'this model'} has no chat template")
    return str(template)


def _dated(template: str, date: str) -> str:
    """Write the day into the template in the place of the clock."""
    try:
        day = datetime.fromisoformat(date)
    except ValueError as error:
        raise UserError(f"renderer.date: {error}") from error
    template = _CLOCK.sub(lambda found: json.dumps(day.strftime(found[2])), template)
    if "strftime_now(" in template:
        raise UserError("the chat template writes the time into prompts, so that they cannot be repeated")
    return template


def described(tools: Sequence[dict[str, Any]], call_format: CallFormat) -> str:
    """Return a text that says which tools there are and how to call one."""
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    text = f"You can call these tools:\n{listed}"
    try:
        example = call_format.write(assistant("", [tool_call("name", {"argument": "value"})]))
    except ValueError:  # a format for some tools alone, which the task explains
        return text
    return f"{text}\n\nTo call one, write:\n{example}"


def _told(messages: list[Plain], text: str) -> list[Plain]:
    """Say `text` at the end of the system message, or before all else."""
    if messages and messages[0]["role"] == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{text}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _without_system(messages: list[Plain]) -> list[Plain]:
    return [{**message, "role": "user"} if message["role"] == "system" else message for message in messages]


def _merged(messages: list[Plain]) -> list[Plain]:
    """Join messages of the user in a row, with a blank line between."""
    merged: list[Plain] = []
    for message in messages:
        if merged and message["role"] == merged[-1]["role"] == "user":
            merged[-1] = {**merged[-1], "content": f"{merged[-1]['content']}\n\n{message['content']}"}
        else:
            merged.append({**message})
    return merged
