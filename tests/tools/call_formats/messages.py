"""Messages and texts that the tests of the call formats draw: harmless ones and adversarial ones."""

import json
from typing import Any

from hypothesis import strategies as st

from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.tools.call_formats import CALL_FORMATS

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
TAGS = sorted({tag for name in CALL_FORMATS for tag in (*CALL_FORMATS[name].tags, *CALL_FORMATS[name].stops)})
MARKS = [
    *TAGS, "<function=f>", "</function>", "<parameter=a>", "</parameter>", "<|python_start|>", "<|python_end|>",
    "[CALL_ID]", "<|constrain|>", " to=functions.f", "commentary json", "analysis", "final", "call:f{", "functions.f:0",
    "```python\n", "```json\n", "\n```", "```", '{"name": "f", "arguments": {"a": 1}}',
    '{"name": "f", "parameters": {}}', '[f(a=1, b="x")]', "[f(", "\n[f(", "\\u003c", "\\x3c",
    "\\", "'", '"', "{", "}", "[", "]", "(", ")", ",", ";",
    ":", "=", "\n", "\n\n", " ", "null", "None", "true", "5", "NaN", "-inf", "1e999", "é", "日本", "🦊", "\x00", "<",
    ">", "|",
]  # fmt: skip
HARMLESS = st.text(st.characters(codec="utf-8", exclude_characters="<>[]{}()`|\x00", exclude_categories=["Zs", "Cc"]))
ADVERSARIAL = st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=10).map("".join)


def values(strings: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Any JSON value whose strings are drawn from `strings`."""
    numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False)
    return st.recursive(
        st.none() | st.booleans() | numbers | strings,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=5,
    )


def arguments(name: str, strings: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A call that the format `name` has room for."""
    if name == "search_r1":
        return st.tuples(st.just("search"), st.fixed_dictionaries({"query": strings.map(str.strip)}))
    if name == "fenced":
        return st.tuples(st.just("python"), st.fixed_dictionaries({"code": strings}))
    return st.tuples(NAMES, st.dictionaries(NAMES, values(strings), max_size=3))


@st.composite
def messages(
    draw: st.DrawFn, name: str, strings: st.SearchStrategy[str], spoken: st.SearchStrategy[str] = HARMLESS
) -> Message:
    """A message for the format `name`: arguments from `strings`, content and thought from `spoken`."""
    most = 1 if name == "gpt_oss" else 3
    written = draw(st.lists(arguments(name, strings), max_size=most))
    message = assistant(draw(spoken).strip(), [tool_call(*call, index) for index, call in enumerate(written)])
    if name != "llama3_json" and draw(st.booleans()):
        message["reasoning_content"] = draw(spoken).strip()
    return message


def well_formed(message: Message) -> bool:
    """Check everything that readers of a message rely on."""
    calls, invalid = message.get("tool_calls", []), message.get("invalid_tool_calls", [])
    arguments = [json.loads(call["function"]["arguments"]) for call in calls]
    return (
        message["role"] == "assistant"
        and message["content"] == message["content"].strip()
        and all(isinstance(given, dict) for given in arguments)
        and len({call["id"] for call in calls}) == len(calls)
        and all(bad["error"] and bad["text"] == bad["text"].strip() for bad in invalid)
        and isinstance(message.get("reasoning_content", ""), str)
    )
