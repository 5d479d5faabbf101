"""Each format by examples: what models write in the spellings they are known for, and what is wrong with a call."""

import json

import pytest

from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.tools.call_formats import CALL_FORMATS

DEEPSEEK = "<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>"
KIMI = "<|tool_calls_section_begin|>{}<|tool_calls_section_end|>"
CALL, END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
BEGIN, ARGUMENTS, CLOSE = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
SEP = "<｜tool▁sep｜>"


def read(name: str, text: str) -> tuple[str, list[tuple[str, dict[str, object]]]]:
    """Return the content and the calls of a text that has nothing wrong."""
    message = CALL_FORMATS[name].parse(text)
    assert "invalid_tool_calls" not in message, message
    functions = [call["function"] for call in message.get("tool_calls", [])]
    return message["content"], [(function["name"], json.loads(function["arguments"])) for function in functions]


ONE = [("f", {"a": 1})]
WRITTEN = [
    ("qwen3_coder", "<tool_call><function=f><parameter=a>1</parameter></function></tool_call>", ("", ONE)),
    ("qwen3_coder", "Hm.\n\n<tool_call>\n<function=f>\n</function>\n</tool_call>", ("Hm.", [("f", {})])),
    ("qwen3_coder", "<tool_call>\n<function=f>\n<parameter=a>\n\nx\n\n</parameter>\n</function>\n</tool_call>",
     ("", [("f", {"a": "\nx\n"})])),
    ("glm", "\n<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", ("", ONE)),
    ("glm", "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>", ("", ONE)),
    ("glm", "Hm.\n<tool_call>f\n</tool_call>", ("Hm.", [("f", {})])),
    ("llama3_json", '{"name": "f", "parameters": {"a": 1}}', ("", ONE)),
    ("llama3_json", '<|python_tag|>{"name": "f", "parameters": {"a": 1}}', ("", ONE)),
    ("llama3_json", '{"type": "function", "name": "f", "parameters": {"a": 1}}', ("", ONE)),
    ("llama3_json", '{"name": "f", "arguments": {"a": 1}}; {"name": "g", "parameters": {}}', ("", [*ONE, ("g", {})])),
    ("llama3_json", 'Hm.<|python_tag|>{"name": "f", "parameters": {"a": 1}} So.', ("Hm.\nSo.", ONE)),
    ("llama3_json", '{"answer": 42}', ('{"answer": 42}', [])),
    ("llama3_json", '{"type": "cat"}', ('{"type": "cat"}', [])),
    ("llama3_json", "The set {1, 2}.", ("The set {1, 2}.", [])),
    ("pythonic", "[f(a=1)]", ("", ONE)),
    ("pythonic", "<|python_start|>[f(a=1)]<|python_end|>", ("", ONE)),
    ("pythonic", "[ f( a = 1 ) , g() ]", ("", [*ONE, ("g", {})])),
    ("pythonic", "Hm.\n[f(a=1)]\nSo.", ("Hm.\nSo.", ONE)),
    ("pythonic", "[f(a='it\\'s', b=\"\\u00e9\\n\", c=[True, None, -1.5e3], d={'k': {}})]",
     ("", [("f", {"a": "it's", "b": "é\n", "c": [True, None, -1500.0], "d": {"k": {}}})])),
    ("pythonic", "[1, 2]", ("[1, 2]", [])),
    ("pythonic", "See [the page](x).", ("See [the page](x).", [])),
    ("lfm2", "<|tool_call_start|>[f(a=1)]<|tool_call_end|>So.", ("So.", ONE)),
    ("lfm2", "[f(a=1)]", ("[f(a=1)]", [])),
    ("mistral", '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}]', ("", ONE)),
    ("mistral", 'Hm.[TOOL_CALLS][{"name": "f", "arguments": {"a": 1}, "id": "abc012345"}]', ("Hm.", ONE)),
    ("mistral", '[TOOL_CALLS]{"name": "f", "arguments": {"a": 1}}', ("", ONE)),
    ("mistral_args", '[TOOL_CALLS]f[ARGS]{"a": 1}[TOOL_CALLS]g[ARGS]{}', ("", [*ONE, ("g", {})])),
    ("mistral_args", '[TOOL_CALLS]f[CALL_ID]abc012345[ARGS]{"a": 1}', ("", ONE)),
    ("mistral_args", 'Hm.[TOOL_CALLS]f{"a": 1}', ("Hm.", ONE)),
    ("deepseek", DEEPSEEK.format(f'{CALL}function{SEP}f\n```json\n{{"a": 1}}\n```{END}'), ("", ONE)),
    ("deepseek", f'Hm.{CALL}f{SEP}{{"a": 1}}{END}', ("Hm.", ONE)),
    ("deepseek_v31", DEEPSEEK.format(f'{CALL}f{SEP}{{"a": 1}}{END}{CALL}function{SEP}{{}}{END}'),
     ("", [*ONE, ("function", {})])),
    ("kimi", KIMI.format(f'{BEGIN}functions.f:3{ARGUMENTS}{{"a": 1}}{CLOSE}'), ("", ONE)),
    ("kimi", KIMI.format(f'\n{BEGIN} functions.f:0 {ARGUMENTS}\n{{"a": 1}}\n{CLOSE}\n'), ("", ONE)),
    ("gemma", "<|tool_call>call:f{a:1}<tool_call|>", ("", ONE)),
    ("gemma", '<|tool_call>call:f{a:<|"|>x, y<|"|>,b:[true,null],c:{<|"|>k<|"|>:-0.5}}<tool_call|>So.',
     ("So.", [("f", {"a": "x, y", "b": [True, None], "c": {"k": -0.5}})])),
    ("gpt_oss", '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}', ("", ONE)),
    ("gpt_oss", ' to=functions.f<|channel|>commentary json<|message|>{"a": 1}<|call|>', ("", ONE)),
    ("gpt_oss", '<|channel|>commentary<|message|>Hm.<|end|><|start|>assistant<|channel|>analysis to=functions.f'
     '<|message|>{"a": 1}', ("Hm.", ONE)),
    ("gpt_oss", "<|channel|>final<|message|>So.<|return|>", ("So.", [])),
    ("gpt_oss", "So.", ("So.", [])),
    ("search_r1", "Hm. <search>capital of Mali</search>", ("Hm.", [("search", {"query": "capital of Mali"})])),
    ("search_r1", "<answer> Bamako </answer>", ("Bamako", [])),
    ("search_r1", "Bamako", ("Bamako", [])),
    ("fenced", "Hm.\n```python\nx = 1\n\n```\nSo.", ("Hm.\nSo.", [("python", {"code": "x = 1\n"})])),
    ("fenced", "```py\n```", ("", [("python", {"code": ""})])),
    ("fenced", "```\nplain\n```", ("```\nplain\n```", [])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), WRITTEN)
def test_what_models_write_is_read(name, text, expected):
    assert read(name, text) == expected


WRONG = [
    (
        "qwen3_coder",
        "<tool_call>\n<function=f>\n<parameter=a>\n1\n</function>\n</tool_call>",
        "</parameter> is missing",
    ),
    (
        "qwen3_coder",
        "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</tool_call>",
        "</function> is missing",
    ),
    ("qwen3_coder", "<tool_call>\nf\n</tool_call>", "<function= is missing at 'f"),
    ("qwen3_coder", "<function=f>\n</function>", "<tool_call> is missing"),
    ("glm", "<tool_call>f\n<arg_key>a</arg_key>\n</tool_call>", "<arg_value> is missing"),
    ("glm", "<tool_call>f\n<arg_key>a</arg_key><arg_value>1\n</tool_call>", "</arg_value> is missing"),
    ("glm", "<tool_call>\n</tool_call>", "begins with the name"),
    ("glm", "<tool_call>f\n", "</tool_call> is missing"),
    ("llama3_json", '{"name": "f", "parameters": {"a": 1}', "must be a JSON object"),
    ("llama3_json", '{"name": "f"}', 'needs "parameters"'),
    ("llama3_json", "<|python_tag|>f(a=1)", "must be a JSON object"),
    ("llama3_json", "<|python_tag|>[1]", 'needs "name"'),
    ("pythonic", '[f("x")]', "a name is expected at"),
    ("pythonic", "[f(1)]", "= is expected at ')]'"),
    ("pythonic", "[f(a=x)]", "a value is expected at 'x)]'"),
    ("pythonic", "[f(a=1", "a comma or ) is expected"),
    ("pythonic", "[f(a={1: 2})]", "a string is expected at '1"),
    ("lfm2", "<|tool_call_start|>f(a=1)<|tool_call_end|>", "are a list"),
    ("lfm2", "<|tool_call_start|>[]<|tool_call_end|>", "is empty"),
    ("mistral", "[TOOL_CALLS] []", "is empty"),
    ("mistral", '[TOOL_CALLS] [{"name": "f"}]', 'needs "arguments"'),
    ("mistral", '[TOOL_CALLS] [{"name": "f", "arguments": {}}', "must be a JSON object"),
    ("mistral_args", "[TOOL_CALLS]f[ARGS]5", "must be a JSON object"),
    ("mistral_args", "[TOOL_CALLS]", "must be a JSON object"),
    ("deepseek", DEEPSEEK.format(""), f"{CALL} is missing"),
    ("deepseek", DEEPSEEK.format(f"{CALL}f{END}"), f"{SEP} is missing"),
    ("deepseek", DEEPSEEK.format(f"{CALL}function{SEP}f{END}"), "must be a JSON object"),
    ("deepseek_v31", DEEPSEEK.format(f"{CALL}{SEP}{{}}{END}"), "the name of the tool is missing"),
    ("kimi", KIMI.format(f"{BEGIN}f{ARGUMENTS}{{}}{CLOSE}"), "functions.NAME:NUMBER"),
    ("kimi", KIMI.format(f"{BEGIN}functions.f:0{CLOSE}"), f"{ARGUMENTS} is missing"),
    ("gemma", "<|tool_call>f{a:1}<tool_call|>", "begins with call:NAME{"),
    ("gemma", "<|tool_call>call:f{a:x}<tool_call|>", "a value is expected at 'x}'"),
    ("gemma", "<|tool_call>call:f<tool_call|>", "are missing"),
    ("gemma", "<|tool_call>call:f{}!<tool_call|>", "nothing may follow"),
    ("gpt_oss", " to=functions.f<|channel|>commentary", "<|message|> is missing"),
    ("gpt_oss", " to=functions.f<|channel|>commentary json<|message|>{", "must be a JSON object"),
    ("search_r1", "<search>x", "</search> is missing"),
    ("search_r1", "<answer>x", "</answer> is missing"),
    ("fenced", "```python\nx = 1", "the closing fence"),
]


@pytest.mark.parametrize(("name", "text", "problem"), WRONG)
def test_a_malformed_call_is_kept_with_what_is_wrong_with_it(name, text, problem):
    message = CALL_FORMATS[name].parse(text)
    assert "tool_calls" not in message
    (bad,) = message["invalid_tool_calls"]
    assert problem in bad["error"]
    assert bad["text"] in text


THINKERS = [name for name in CALL_FORMATS if name not in ("llama3_json", "gpt_oss", "gemma") and "mistral" not in name]


def thought(reasoning: str, content: str) -> Message:
    return {**assistant(content), "reasoning_content": reasoning}


@pytest.mark.parametrize("name", THINKERS)
def test_a_thought_is_reasoning_whether_the_text_or_the_prompt_opens_it(name):
    parse = CALL_FORMATS[name].parse
    assert parse("<think>\nhm <tool_call>\n</think>\n\nSo.") == thought("hm <tool_call>", "So.")
    assert parse("hm <search>\n</think>\n\nSo.") == thought("hm <search>", "So.")
    assert parse("<think>\nhm <tool_call>") == thought("hm <tool_call>", "")
    assert parse("<think>\n\n</think>\n\nSo.") == thought("", "So.")
    assert parse("So. <think>") == assistant("So. <think>")


def test_families_with_other_marks_think_alike():
    assert CALL_FORMATS["mistral"].parse("[THINK]hm[/THINK]So.") == thought("hm", "So.")
    assert CALL_FORMATS["gemma"].parse("<|channel>thought\nhm\n<channel|>So.") == thought("hm", "So.")
    analysis = "<|channel|>analysis<|message|>hm"
    assert CALL_FORMATS["gpt_oss"].parse(analysis) == thought("hm", "")
    assert CALL_FORMATS["gpt_oss"].parse(
        f"{analysis}<|end|><|start|>assistant<|channel|>final<|message|>So."
    ) == thought("hm", "So.")


def test_ids_that_the_policy_wrote_are_kept_where_the_family_has_them():
    kimi = CALL_FORMATS["kimi"]
    text = KIMI.format("".join(f"{BEGIN}functions.f:{i}{ARGUMENTS}{{}}{CLOSE}" for i in (4, 5)))
    message = kimi.parse(text)
    assert [call["id"] for call in message["tool_calls"]] == ["functions.f:4", "functions.f:5"]
    assert kimi.write(message) == text
    assert "functions.g:0" in kimi.write(assistant("", [tool_call("g", {})]))

    mistral = CALL_FORMATS["mistral"]
    text = '[TOOL_CALLS] [{"name": "f", "arguments": {}, "id": "abc012345"}, {"name": "f", "arguments": {}}]'
    message = mistral.parse(text)
    assert [call["id"] for call in message["tool_calls"]] == ["abc012345", "call_1"]
    assert mistral.write(message) == text


def test_an_id_that_is_there_twice_is_replaced():
    for name, text in (
        ("kimi", KIMI.format(f"{BEGIN}functions.f:0{ARGUMENTS}{{}}{CLOSE}" * 2)),
        ("mistral", '[TOOL_CALLS] [{"name": "f", "arguments": {}, "id": "abc012345"}]' * 2),
    ):
        first, second = CALL_FORMATS[name].parse(text)["tool_calls"]
        assert second["id"] == "call_1" != first["id"]


UNWRITABLE = [
    ("hermes", assistant("<tool_call>")),
    ("hermes", assistant("</think>")),
    ("qwen3_coder", assistant("", [tool_call("f", {"a": "x</parameter>"})])),
    ("glm", assistant("", [tool_call("f", {"a": "x</arg_value>"})])),
    ("gemma", assistant("", [tool_call("f", {"a": '<|"|>'})])),
    ("gemma", assistant("", [tool_call("f", {"a:b": 1})])),
    ("gpt_oss", assistant("", [tool_call("f", {}), tool_call("g", {}, 1)])),
    ("llama3_json", thought("hm", "So.")),
    ("pythonic", assistant("", [tool_call("f g", {})])),
    ("search_r1", assistant("", [tool_call("search", {"query": "</search>"})])),
    ("search_r1", assistant("", [tool_call("search", {"query": "x", "limit": 1})])),
    ("search_r1", assistant("", [tool_call("find", {"query": "x"})])),
    ("fenced", assistant("", [tool_call("python", {"code": "a\n```\nb"})])),
]


@pytest.mark.parametrize(("name", "message"), UNWRITABLE)
def test_what_a_format_has_no_way_to_write_is_refused(name, message):
    with pytest.raises(ValueError, match=r"cannot write|only one"):
        CALL_FORMATS[name].write(message)


def test_calls_without_a_place_for_text_are_written_beside_it_where_the_format_has_a_way():
    beside = assistant("First.", [tool_call("f", {"a": 1})])
    assert CALL_FORMATS["llama3_json"].write(beside) == 'First.<|python_tag|>{"name": "f", "parameters": {"a": 1}}'
    assert CALL_FORMATS["pythonic"].write(beside) == "First.\n[f(a=1)]"
    assert CALL_FORMATS["gpt_oss"].write(beside).startswith("<|channel|>commentary<|message|>First.<|end|><|start|>")
