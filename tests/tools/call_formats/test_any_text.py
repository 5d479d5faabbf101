"""Whatever a policy writes is read without an exception, in a time that grows with its length, and accounted for."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_rl.tools.call_formats import CALL_FORMATS
from tests.tools.call_formats.messages import ADVERSARIAL, MARKS, well_formed

FORMATS = list(CALL_FORMATS)
OPENINGS = {
    "hermes": "<tool_call>",
    "qwen3_coder": "<tool_call>",
    "llama3_json": "<|python_tag|>",
    "lfm2": "<|tool_call_start|>",
    "mistral": "[TOOL_CALLS]",
    "mistral_args": "[TOOL_CALLS]",
    "mistral_ids": "[TOOL_CALLS]",
    "deepseek": "<｜tool▁calls▁begin｜>",
    "deepseek_v31": "<｜tool▁calls▁begin｜>",
    "glm": "<tool_call>",
    "kimi": "<|tool_calls_section_begin|>",
    "gemma": "<|tool_call>",
    "search_r1": "<search>",
    "gpt_oss": " to=functions.f",
    "pythonic": "<|python_start|>",
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(text=ADVERSARIAL)
@example(text="")
@example(text="<tool_call>" * 3)
def test_any_text_is_read_as_a_well_formed_message(name, text):
    assert well_formed(CALL_FORMATS[name].parse(text))
    assert well_formed(CALL_FORMATS[name].parse(text, TOOLS))


@pytest.mark.parametrize("name", OPENINGS)
@settings(max_examples=60)
@given(before=st.text(max_size=5), after=ADVERSARIAL)
def test_a_begun_call_is_a_call_or_an_invalid_call_and_never_content_alone(name, before, after):
    message = CALL_FORMATS[name].parse(before + OPENINGS[name] + after)
    thought = "reasoning_content" in message  # the opening may stand in it
    assert thought or message.get("tool_calls") or message.get("invalid_tool_calls")


LONG = 200_000
UNITS = [
    *MARKS, "<tool_call>\n<function=a>\n<parameter=b>\n", "<parameter=b>1</parameter>", "<arg_key>a</arg_key>",
    "<arg_key>a</arg_key><arg_value>b</arg_value>", "<tool_call>f<arg_key>", '{"a":', "[f(a=", "f(a=[", "[f(a={'a':",
    "\n[f(a", "\\'", "'a'", '"a",', "1" * 50, "<function=", "<|tool_call>call:f{a:", "a:1,", "a:[",
    "[TOOL_CALLS]f[ARGS]{", "[TOOL_CALLS][{", "<|start|>assistant<|channel|>analysis<|message|>", "```python\nx\n",
    "   ;", "\t", "-", "+", "e9", "{'a':", "<search>x", "<answer>", " to=", "functions.f:",
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", ".5",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_long_adversarial_texts_are_read_in_linear_time(name):
    """No clock is read: with a reader of quadratic time this test would not end while anybody waits for it."""
    format_ = CALL_FORMATS[name]
    opening = OPENINGS.get(name, "```python\n")
    for unit in UNITS:
        many = (unit * (LONG // len(unit) + 1))[:LONG]
        for text in (
            many,
            opening + many,
            f"{opening}{{{many}",
            f"{opening}[f(a={many}",
            f"{opening}\n<function=f>{many}",
        ):
            assert well_formed(format_.parse(text))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bracket", ["[", "{", '{"a":', "{a:", "("])
def test_deep_nesting_is_no_exception(name, bracket):
    for opening in ("", OPENINGS.get(name, ""), "[f(a=", '{"name": "f", "parameters": ', "<|tool_call>call:f{a:"):
        assert well_formed(CALL_FORMATS[name].parse(opening + bracket * 100_000))
