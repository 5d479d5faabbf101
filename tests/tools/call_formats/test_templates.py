"""What a format writes is what the family's own chat template writes, and every template's format is recognised."""

import json
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.tools.call_formats import CALL_FORMATS, detect
from tests.reference_templates import folder, template

SEARCH = {"query": 'the "Œuvre" of\nMme <Curie> \\ 日本 it\'s', "limit": 5}
NESTED = {"a": "x", "list": [1, "two", [3.5]], "map": {"k": "v"}, "yes": True}
QWEN = ("<|im_start|>assistant\n", "<|im_end|>")
NEMOTRON = [f"nemotron_3_{size}" for size in ("5_lightning", "nano", "super", "ultra")]
QWEN_XML = ["qwen3_6", "qwen3_8"]
QWEN35 = ["qwen3_5_nothink", "qwen3_5_think"]
GEMMA = ["gemma4", "gemma4_v3", "gemma4_v4", "gemma4_v5", "diffusion_gemma"]

TURNS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(["qwen2_5", "qwen3", "qwen3_instruct_2507", "qwen3_vl", *QWEN_XML, *QWEN35, *NEMOTRON], QWEN),
    **dict.fromkeys(["lfm2_v2", "lfm2_2_5", "lfm2_2_5_v2", "lfm2_2_5_vl"], QWEN),
    **dict.fromkeys(["deepseekv3", "deepseek_r1_distill"], ("<｜Assistant｜>", "<｜end▁of▁sentence｜>")),
    **dict.fromkeys(["llama3_1", "llama3_2"], ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>")),
    **dict.fromkeys(GEMMA, ("<|turn>model\n", "")),
    "gemma4_v2": ("<|turn>model\n", ""),
    "glm4moe": ("<|assistant|>", ""),
    "gptoss": ("<|start|>assistant", ""),
}
"""Templates that write an assistant's turn, with what stands before and after it."""


def said(content: str = "", calls: tuple[dict[str, Any], ...] = (), thought: str | None = None) -> Message:
    message = assistant(content, [tool_call("search", arguments, index) for index, arguments in enumerate(calls)])
    if thought is not None:
        message["reasoning_content"] = thought
    return message


def turn(name: str, message: Message) -> str:
    """Return the text of an assistant's turn as the template `name` writes it after a question."""
    shown: dict[str, Any] = {**message}
    if "reasoning_content" in message:
        shown["thinking"] = message["reasoning_content"]  # some families' name for it
    if "tool_calls" in message:
        shown["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in message["tool_calls"]
        ]
        if name.startswith("deepseek"):
            shown["tool_calls"] = message["tool_calls"]
    conversation = [{"role": "user", "content": "q"}, shown]
    ((text,), _) = render_jinja_template([conversation], chat_template=template(name), bos_token="", eos_token="")
    before, after = TURNS[name]
    text = text.partition(before)[2]
    for end in (after, "<|return|>", "<|call|>", "<turn|>\n", "<|tool_response>"):
        text = text.partition(end)[0] if end else text
    return text


ONE, TWO, OTHER = (SEARCH,), (SEARCH, NESTED), (NESTED,)
EXACT = [
    *[(name, said(*case)) for name in ("qwen2_5", "qwen3_instruct_2507", "qwen3_vl") for case in (
        ("Answer.",), ("", ONE), ("", OTHER), ("", TWO), ("First.", ONE), ("First.", TWO))],
    *[(name, said(*case)) for name in ("qwen3", *QWEN_XML) for case in (
        ("Answer.", (), "hm"), ("", ONE, "two\nlines"), ("", TWO, "hm"), ("First.", ONE, "hm"), ("First.", TWO, ""))],
    *[(name, said(*case)) for name in QWEN35 for case in (
        ("Answer.", (), "hm"), ("", ONE, "two\nlines"), ("First.", (SEARCH, SEARCH), ""))],
    *[("deepseekv3", said(*case)) for case in (("Answer.",), ("", ONE), ("", TWO), ("First.", ONE))],
    ("deepseek_r1_distill", said("Answer.")),
    *[("glm4moe", said(*case)) for case in (
        ("Answer.", (), "hm"), ("Answer.", (), ""), ("", ONE, "two\nlines"), ("", TWO, "hm"), ("First.", TWO, ""))],
    *[(name, said(*case)) for name in ("llama3_1", "llama3_2") for case in (("Answer.",), ("", ONE), ("", OTHER))],
    *[("gptoss", said(*case)) for case in (
        ("Answer.",), ("Answer.", (), "hm"), ("", ONE), ("", OTHER), ("", ONE, "two\nlines"))],
    *[(name, said(*case)) for name in GEMMA for case in (
        ("Answer.",), ("", ONE), ("", TWO), ("", OTHER, "hm"), ("Then.", TWO, "two\nlines"))],
    *[("gemma4_v2", said(*case)) for case in (("Answer.",), ("", TWO), ("Then.", ONE))],
    *[("lfm2_v2", said(*case)) for case in (("Answer.",), ("", ONE), ("", TWO), ("First.", OTHER))],
    *[("lfm2_2_5_vl", said(*case)) for case in (("Answer.", (), "hm"), ("", OTHER), ("First.", OTHER, "hm"))],
]  # fmt: skip
READ = [
    *[(name, said(*case)) for name in (*QWEN35, *NEMOTRON, "lfm2_2_5", "lfm2_2_5_v2") for case in (
        ("Answer.", (), "hm"), ("", OTHER, "hm"), ("First.", (NESTED, NESTED), "two\nlines"))],
]  # fmt: skip
"""Templates whose turns the format reads, but writes with other white space, quotation marks or `true` for `True`."""


@pytest.mark.parametrize(("name", "message"), EXACT)
def test_a_turn_is_written_as_the_familys_template_writes_it(name, message):
    assert CALL_FORMATS[str(detect(template(name)))].write(message) == turn(name, message)


@pytest.mark.parametrize(("name", "message"), [*EXACT, *READ])
def test_a_turn_that_the_familys_template_writes_is_read(name, message):
    read = CALL_FORMATS[str(detect(template(name)))].parse(turn(name, message), SCHEMAS)
    assert functions(read) == functions(message)
    assert read.get("reasoning_content", "") == message.get("reasoning_content", "")
    assert read["content"] == message["content"]
    assert "invalid_tool_calls" not in read


def functions(message: Message) -> list[tuple[str, str]]:
    calls = [call["function"] for call in message.get("tool_calls", [])]
    return [(call["name"], json.dumps(json.loads(call["arguments"]), sort_keys=True)) for call in calls]


def schema(arguments: dict[str, Any]) -> dict[str, Any]:
    kinds = {str: "string", int: "integer", list: "array", dict: "object", bool: "boolean"}
    return {key: {"type": kinds[type(value)]} for key, value in arguments.items()}


SCHEMAS = [{"type": "function", "function": {"name": "search", "parameters": {"properties": schema(SEARCH | NESTED)}}}]

FAMILIES = {
    "deepseek": "deepseek", "gemma4": "gemma", "diffusion_gemma": "gemma", "glm4": "glm", "gptoss": "gpt_oss",
    "lfm2": "lfm2", "llama3_1": "llama3_json", "llama3_2": "llama3_json", "nemotron": "qwen3_coder",
    "qwen2_5_vl": None, "qwen2_5": "hermes", "qwen3_5": "qwen3_coder", "qwen3_6": "qwen3_coder",
    "qwen3_8": "qwen3_coder", "qwen3": "hermes",
}  # fmt: skip
"""The beginning of a template's name (the first that fits) and its format; every other template has no calls."""


def test_the_format_of_every_template_is_recognised():
    names = sorted(path.stem for path in folder().glob("*.jinja"))
    expected = {name: next((f for start, f in FAMILIES.items() if name.startswith(start)), None) for name in names}
    found = {name: detect(template(name)) for name in names}
    table = "\n".join(f"{name:36}{found[name] or '-':16}{expected[name] or '-'}" for name in names)
    assert len(names) > 60
    assert found == expected, f"template, recognised, expected:\n{table}"


def test_templates_by_their_marks_that_trl_does_not_have():
    assert detect("{{ '[TOOL_CALLS] [' + calls + ']' }}") == "mistral"
    assert detect("{{ '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}") == "mistral_args"
    assert detect("{{ '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>' }}") == "deepseek_v31"
    assert detect("<|tool_calls_section_begin|>{{ id }}<|tool_call_argument_begin|>") == "kimi"
    assert (
        detect("<|header_start|>ipython Use exact format: [func_name1(param1=value1), func_name2(...)]") == "pythonic"
    )
    assert detect("{{ messages }}") is None


@pytest.mark.parametrize("name", sorted(TURNS))
def test_the_tags_and_stops_are_texts_of_the_template(name):
    text = template(name)
    format_ = CALL_FORMATS[str(detect(text))]
    implied = {"<think>", "</think>", "<|python_tag|>"}  # written by the model, not by every template
    assert all(tag in text for tag in format_.tags if tag not in implied), format_.tags
    assert any(stop in text for stop in format_.stops), format_.stops
