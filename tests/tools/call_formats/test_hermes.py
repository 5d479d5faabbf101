"""Call formats: what is written is read back, and nothing that a policy may write raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.message import assistant, tool_call
from agent_rl.tools.call_formats import CALL_FORMATS

HERMES = CALL_FORMATS["hermes"]

words = st.text(max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
written_calls = st.lists(st.tuples(words, st.dictionaries(words, values, max_size=3)), max_size=4)
contents = words.filter(lambda text: text == text.strip())


@given(contents, written_calls)
def test_hermes_reads_back_what_it_wrote(content, written):
    message = assistant(content, [tool_call(name, arguments, i) for i, (name, arguments) in enumerate(written)])
    assert HERMES.parse(HERMES.write(message)) == message


PIECES = [
    "<tool_call>", "</tool_call>", "<tool_", "\n", " ", "{", "}", '"', "\\", ":", ",", "[", "]", "null", "NaN", "1e999",
    '{"name": "a", "arguments": {}}', '"name"', '"arguments"', '"a"', "é", "\x00", "\\ud800", "<|im_end|>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14).map("".join))
def test_nothing_that_a_policy_writes_raises_and_every_opening_tag_is_accounted_for(text):
    message = HERMES.parse(text)
    calls, invalid = message.get("tool_calls", []), message.get("invalid_tool_calls", [])
    assert len(calls) + len(invalid) == text.count("<tool_call>")
    assert message["role"] == "assistant"
    assert [call["id"] for call in calls] == [f"call_{i}" for i in range(len(calls))]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert all(bad["error"] for bad in invalid)


def test_deep_nesting_is_an_invalid_call_and_no_exception():
    message = HERMES.parse("<tool_call>" + "[" * 100_000 + "</tool_call>")
    assert len(message["invalid_tool_calls"]) == 1


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ('<tool_call>\n{"name": "a", "arguments": {}}', "</tool_call> is missing"),
        ("<tool_call>", "</tool_call> is missing"),
        ('<tool_call>{"name": "a", "arguments": {}</tool_call>', "must be a JSON object"),
        ("<tool_call></tool_call>", "must be a JSON object"),
        ("<tool_call>search me</tool_call>", "must be a JSON object"),
        ('<tool_call>{"arguments": {}}</tool_call>', 'needs "name"'),
        ('<tool_call>{"name": 3, "arguments": {}}</tool_call>', 'needs "name"'),
        ("<tool_call>[]</tool_call>", 'needs "name"'),
        ('<tool_call>{"name": "a"}</tool_call>', 'needs "arguments"'),
        ('<tool_call>{"name": "a", "arguments": "{}"}</tool_call>', 'needs "arguments"'),
    ],
)
def test_a_malformed_call_is_kept_with_what_is_wrong_with_it(block, problem):
    message = HERMES.parse(f"before {block}")
    assert "tool_calls" not in message
    (bad,) = message["invalid_tool_calls"]
    assert problem in bad["error"]
    assert bad["text"] == block.removeprefix("<tool_call>").removesuffix("</tool_call>").strip()
    assert message["content"] == "before"


def test_a_malformed_call_does_not_hide_the_good_ones_around_it():
    good = '<tool_call>\n{"name": "a", "arguments": {"x": 1}}\n</tool_call>'
    message = HERMES.parse(f"first {good} then <tool_call>oops</tool_call> and {good} last")
    assert [call["id"] for call in message["tool_calls"]] == ["call_0", "call_1"]
    assert [bad["text"] for bad in message["invalid_tool_calls"]] == ["oops"]
    assert message["content"] == "first\nthen\nand\nlast"


def test_arguments_mean_what_the_policy_spelt():
    spelt = '{"x":  1.0,\n "y": "\\u00e9"}'
    for body in (f'{{"name": "a", "arguments": {spelt}}}', f' {{"name":"a","arguments":{spelt} }} '):
        (call,) = HERMES.parse(f"<tool_call>{body}</tool_call>")["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == json.loads(spelt)


def test_arguments_before_the_name_mean_the_same():
    (call,) = HERMES.parse('<tool_call>{"arguments": {"x": {"y": 1}}, "name": "a"}</tool_call>')["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("a", {"x": {"y": 1}})


def test_text_without_calls_is_the_content_alone():
    assert HERMES.parse(" Answer: 42 \n") == assistant("Answer: 42")
    assert HERMES.parse("") == assistant("")
