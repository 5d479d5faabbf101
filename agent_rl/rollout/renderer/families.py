"""What a chat template does not show by itself, for each model family. All else is derived from the template."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_rl.core.errors import UserError, nearest


@dataclass(frozen=True)
class Family:
    """A model family.

    Attributes:
        name: Its name.
        marks: Texts that every chat template of the family holds.
        call_format: How its models write tool calls, where the template does not tell, and the tokens that end a turn.
        instead: Stop tokens to what the template writes in their place once the conversation goes on.
        thoughts: The texts around a thought, as the policy samples them.
        variables: What the template is told beside messages and tools.
        waived: Proofs that the template is known to fail, each with what the renderer does there.
    """

    name: str
    marks: tuple[str, ...]
    call_format: str = "hermes"
    instead: Mapping[str, str] = field(default_factory=dict)
    thoughts: tuple[str, str] = ("<think>", "</think>")
    variables: Mapping[str, Any] = field(default_factory=dict)
    waived: Mapping[str, str] = field(default_factory=dict)

    def bare(self, text: str) -> str:
        """Return a text without thoughts, without one that is only begun, and without the white space behind them."""
        begin, end = map(re.escape, self.thoughts)
        return re.sub(rf"{begin}.*?(?:{end}\s*|\Z)", "", text, flags=re.DOTALL)

    def begun(self, prompt: str) -> str:
        """Return the beginning of a thought at the end of a prompt, or `""`."""
        found = re.search(rf"{re.escape(self.thoughts[0])}\s*\Z", prompt)
        return found[0] if found else ""


GENERIC = Family("generic", ())

FAMILIES: tuple[Family, ...] = (
    Family(
        "gpt_oss",
        ("<|start|>", "<|channel|>", "<|return|>"),
        call_format="gpt_oss",
        instead={"<|return|>": "<|end|>"},
        thoughts=("<|channel|>analysis<|message|>", "<|end|><|start|>assistant"),
    ),
    Family("glm", ("[gMASK]", "<|observation|>"), call_format="glm"),
    Family(
        "gemma4",
        ("<|turn>", "<turn|>", "<|tool_response>"),
        call_format="gemma",
        thoughts=("<|channel>thought\n", "<channel|>"),
    ),
    Family("gemma", ("<start_of_turn>", "<end_of_turn>")),
    Family(
        "deepseek",
        ("<｜User｜>", "<｜Assistant｜>"),
        call_format="deepseek",
        waived={"rounds": "the template writes the marks of the first round of tools alone; every round has them here"},
    ),
    Family(
        "llama3",
        ("<|start_header_id|>", "<|eot_id|>"),
        call_format="llama3_json",
        instead={"<|eom_id|>": "<|eot_id|>"},
        variables={"date_string": "26 Jul 2024"},
    ),
    Family(
        "mistral",
        ("[INST]", "[/INST]"),
        call_format="mistral",
        thoughts=("[THINK]", "[/THINK]"),
        waived={
            "first": "before version 13 the template moves the tools, and before version 7 the system message as well, "
            "to the last message of the user; here they stay where they were",
            "numbers": "up to version 3 the template writes the result of a tool that is a number without quotes; here "
            "it is text like any other",
        },
    ),
    Family("qwen3_coder", ("<|im_start|>", "<function="), call_format="qwen3_coder"),
    Family("qwen", ("<|im_start|>", "<tool_call>")),
)


def family_of(template: str, name: str) -> Family:
    """Return the family called `name`, or with `auto` the first whose marks `template` holds, else the generic one.

    Raises:
        UserError: There is no such family.
    """
    if name == "auto":
        return next((family for family in FAMILIES if all(mark in template for mark in family.marks)), GENERIC)
    known = {family.name: family for family in (*FAMILIES, GENERIC)}
    if name not in known:
        raise UserError(f"unknown model family '{name}'{nearest(name, known)} (there are: auto, {', '.join(known)})")
    return known[name]
