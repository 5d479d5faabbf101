"""The table of docs/renderers.md: each reference template is proved exact on it, or refused with the reason.

`python -m tests.rollout.test_renderer_table` writes the table into the page.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, system, tool_call, tool_result, user
from agent_rl.rollout.renderer import Renderer, RendererSettings
from agent_rl.rollout.renderer.template import TOOL, ChatTemplate
from agent_rl.tools.call_formats import CALL_FORMATS
from tests.reference_mistral import mistral_template
from tests.reference_templates import folder
from tests.rollout.family_tokenizers import tokenizer_for

PAGE = Path(__file__).parents[2] / "docs" / "renderers.md"
MISTRAL = [("v1", True), ("v2", True), ("v3", True), ("v3", False), ("v7", True), ("v7", False), ("v11", False)]
MISTRAL += [("v13", False), ("v15", False)]
CALLS = [tool_call("look", {"at": f"the door {i}"}, i) for i in range(2)]
RESULTS = [tool_result(f"A key {i}.", call) for i, call in enumerate(CALLS)]
CONVERSATIONS: dict[str, list[list[Message]]] = {
    "chat": [[user("a")], [assistant("b")], [user("c")], [assistant("d")], [user("e")]],
    "system": [[system("s"), user("a")], [assistant("b")], [user("c")]],
    "tool": [[system("s"), user("a")], [assistant("", CALLS[:1])], RESULTS[:1]],
    "tools": [[user("a")], [assistant("", CALLS)], RESULTS],
    "rounds": [[user("a")], [assistant("", CALLS[:1])], RESULTS[:1], [assistant("", CALLS[:1])], RESULTS[:1]],
    "both": [[user("a")], [assistant("", CALLS[:1])], RESULTS[:1], [assistant("b")], [user("c")]],
}
"""What a column of the table stands for: first messages, an action, answers, an action, …"""


def exact(renderer: Renderer, reference: ChatTemplate, spans: list[list[Message]]) -> bool:
    """Return whether a conversation, put together turn by turn, is the template's but for thoughts."""
    tools = [TOOL] if any("tool_calls" in said for said, *_ in spans[1::2]) else []
    tokens = renderer.prompt(spans[0], tools)
    instead = {renderer.tokenizer.convert_tokens_to_ids(a): b for a, b in renderer.family.instead.items()}
    text = renderer.tokenizer.decode(tokens)
    for said, heard in zip(spans[1::2], spans[2::2], strict=True):
        action = renderer.action(said[0], tokens)
        observation = renderer.observation(heard, action[-1])
        tokens = [*tokens, *action, *observation]
        ended = instead.get(action[-1], renderer.tokenizer.decode(action[-1:]))
        text += renderer.tokenizer.decode(action[:-1]) + ended + renderer.tokenizer.decode(observation)
    whole = reference.render([message for span in spans for message in span], tools, opening=True)
    written = renderer.tokenizer.decode(renderer.tokenizer.encode(whole, add_special_tokens=False))
    return renderer.family.bare(text) == renderer.family.bare(written)


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """Return a tokenizer with a template of TRL's wheel or `mistral_common VERSION`, `spm` behind for SentencePiece."""
    version, _, kind = name.removeprefix("mistral_common ").partition(" ")
    text = mistral_template(version, kind == "spm") if name.startswith("mistral_common") else None
    return tokenizer_for(name, text)


@cache
def row(name: str) -> str:
    """Return the row of a template."""
    tokenizer = tokenizer_of(name)
    try:
        renderer = Renderer(tokenizer)
    except UserError as error:
        reason = str(error).replace("|", "¦")[:110]
        return f"| `{name}` | | |{' |' * len(CONVERSATIONS)} refused: {reason} |"
    reference = ChatTemplate(tokenizer, renderer.family, renderer.format, RendererSettings())
    cells = [cell(renderer, reference, spans) for spans in CONVERSATIONS.values()]
    form = next(name for name in CALL_FORMATS if CALL_FORMATS[name] is renderer.format)
    return f"| `{name}` | {renderer.family.name} | `{form}` | {' | '.join(cells)} | |"


def cell(renderer: Renderer, reference: ChatTemplate, spans: list[list[Message]]) -> str:
    try:
        return "exact" if exact(renderer, reference, spans) else "differs"
    except (UserError, ValueError):  # by the renderer, or by the call format
        return "refused"


def references() -> list[str]:
    """Return the names of all reference templates that are installed."""
    spec = find_spec("trl")
    named = sorted(file.stem for file in folder().glob("*.jinja")) if spec else []
    return [*named, *(f"mistral_common {version}{' spm' if spm else ''}" for version, spm in MISTRAL)]


@pytest.mark.parametrize("name", references())
def test_the_page_says_of_each_reference_template_what_is_proved_of_it(name):
    assert row(name) in PAGE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", references())
def test_a_whole_conversation_is_what_the_template_writes_of_it(name):
    tokenizer = tokenizer_of(name)
    try:
        renderer = Renderer(tokenizer)
    except UserError:
        pytest.skip("the template is refused")
    reference = ChatTemplate(tokenizer, renderer.family, renderer.format, RendererSettings())
    for spans in CONVERSATIONS.values():
        messages = [message for span in spans for message in span]
        tools = [TOOL] if any("tool_calls" in message for message in messages) else []
        try:
            expected = reference.render(messages, tools, opening=False)
            found = renderer.conversation(messages, tools)
        except UserError:  # some have no place for several calls in a turn, or for results
            continue
        assert found == tokenizer.encode(expected, add_special_tokens=False)


def test_nothing_differs_but_what_a_family_is_known_for():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "differs" in line and line[:2] == "| "]
    waived = [line for line in rows if re.match(r"\| `(deepseek|mistral_common v(2|3|7|11)\b)", line)]
    assert rows == waived


def main() -> None:
    """Write the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition("<!-- table -->\n")
    _, _, tail = rest.partition("<!-- end of table -->")
    columns = ["template", "family", "call format", *CONVERSATIONS, ""]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns), *map(row, references())]
    PAGE.write_text(f"{head}<!-- table -->\n{chr(10).join(lines)}\n<!-- end of table -->{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
