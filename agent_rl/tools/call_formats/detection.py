"""Detection: which call format a chat template uses."""

_MARKS = (
    ("gpt_oss", ("<|channel|>commentary",)),
    ("gemma", ("<|tool_call>call:",)),
    ("deepseek", ("<｜tool▁calls▁begin｜>", "```json")),
    ("deepseek_v31", ("<｜tool▁calls▁begin｜>",)),
    ("kimi", ("<|tool_calls_section_begin|>",)),
    ("mistral_ids", ("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]")),
    ("mistral_args", ("[TOOL_CALLS]", "[ARGS]")),
    ("mistral", ("[TOOL_CALLS]",)),
    ("lfm2", ("<|tool_call_start|>",)),
    ("lfm2", ("<|tool_list_start|>",)),
    ("glm", ("<tool_call>", "<arg_key>")),
    ("qwen3_coder", ("<tool_call>", "<function=", "<parameter=")),
    ("hermes", ("<tool_call>", '"arguments": ')),
    ("llama3_json", ("<|start_header_id|>ipython", '"parameters": ')),
    ("llama3_json", ("<|header_start|>ipython", '"parameters": ')),
    ("pythonic", ("ipython", "[func_name1(")),
)
"""Names and the literal marks of their templates, all of which must be there; the first that fits wins."""


def detect(template: str) -> str | None:
    """Return the name of the call format that a chat template uses, or None if it uses none that is known."""
    return next((name for name, marks in _MARKS if all(mark in template for mark in marks)), None)
