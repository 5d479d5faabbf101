"""Small tokenizers with the control tokens of real model families, and the families' chat templates.

A byte-level BPE stands in for a family's vocabulary; its control tokens, and which of them are flagged special, are
those of the family's tokenizer configuration. The templates are read from the packages that carry them.
"""

from dataclasses import dataclass
from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tests.reference_templates import template

_TEXTS = (
    "What is there? Nothing much. And behind it? A key, I think: it lies under the old table.",
    "You may call one or more functions to assist with the user query. Answer: the capital of Mali is Bamako.",
    '{"name": "search", "arguments": {"query": "the longest river", "count": 3}}',
    "system user assistant tool model thought analysis commentary final functions developer",
)


@dataclass(frozen=True)
class Control:
    """The control tokens of a family: `special` are flagged so, `plain` are added but not special."""

    special: tuple[str, ...]
    plain: tuple[str, ...] = ()
    eos: str = "<|im_end|>"
    bos: str | None = None
    eats: tuple[str, ...] = ()


_QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_CALLS = ("<tool_call>", "</tool_call>")
_THOUGHTS = ("<tool_response>", "</tool_response>", "<think>", "</think>")
_DEEPSEEK = ("begin", "end")

CONTROL = {
    "qwen2_5": Control(_QWEN, _CALLS),
    "qwen3": Control(_QWEN, (*_CALLS, *_THOUGHTS)),
    "nemotron": Control(("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"), (*_CALLS, *_THOUGHTS)),
    "glm": Control(
        ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
        (*_CALLS, *_THOUGHTS, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "/nothink"),
        eos="<|endoftext|>",
    ),
    "deepseek": Control(
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"),
        (
            "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "<｜tool▁sep｜>",
            *(f"<｜tool▁{part}▁{edge}｜>" for part in ("calls", "call", "outputs", "output") for edge in _DEEPSEEK),
        ),
        eos="<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
    ),
    "llama3": Control(
        (
            "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
            "<|eom_id|>", "<|python_tag|>",
        ),
        eos="<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "gemma": Control(
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>"), eos="<eos>", bos="<bos>"
    ),
    "gemma4": Control(
        (
            "<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool>", "<tool|>",
            "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", "<|think|>", '<|"|>', "<|image|>",
        ),
        eos="<eos>",
        bos="<bos>",
    ),
    "gpt_oss": Control(
        (
            "<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>",
            "<|message|>", "<|call|>",
        ),
        eos="<|return|>",
        bos="<|startoftext|>",
    ),
    "mistral": Control(
        (
            "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]", "[ARGS]",
            "[CALL_ID]", "[THINK]", "[/THINK]", "[MODEL_SETTINGS]", "[/MODEL_SETTINGS]",
        ),
        eos="</s>",
        bos="<s>",
    ),
    "phi3": Control(
        ("<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
        eos="<|endoftext|>",
        bos="<s>",
        eats=("<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
    ),
    "cohere": Control(
        (
            "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>",
            "<|SYSTEM_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>",
        ),
        eos="<|END_OF_TURN_TOKEN|>",
        bos="<BOS_TOKEN>",
    ),
    "lfm2": Control(
        (
            "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|tool_list_start|>",
            "<|tool_list_end|>", "<|tool_call_start|>", "<|tool_call_end|>", "<|tool_response_start|>",
            "<|tool_response_end|>",
        ),
        ("<think>", "</think>", "<image>"),
        bos="<|startoftext|>",
    ),
    "muse": Control(
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start|>", "<|message|>", "<|eot|>", "<|eom|>"),
        eos="<|eot|>",
        bos="<|begin_of_text|>",
    ),
    "idefics": Control(
        ("<|begin_of_text|>", "<|im_start|>", "<end_of_utterance>", "<image>"), eos="<end_of_utterance>",
        bos="<|begin_of_text|>",
    ),
    "llava": Control(("<unk>", "<s>", "</s>", "<image>"), eos="</s>", bos="<s>"),
}  # fmt: skip

_FAMILIES = (
    ("qwen2", "qwen2_5"), ("qwen3", "qwen3"), ("nemotron", "nemotron"), ("glm", "glm"), ("deepseek", "deepseek"),
    ("llama3", "llama3"), ("gemma4", "gemma4"), ("diffusion_gemma", "gemma4"), ("gemma", "gemma"),
    ("gptoss", "gpt_oss"), ("phi3", "phi3"), ("cohere", "cohere"), ("lfm2", "lfm2"), ("muse", "muse"),
    ("idefics", "idefics"), ("smolvlm", "idefics"), ("llava", "llava"), ("mistral", "mistral"),
)  # fmt: skip


def control_of(name: str) -> Control:
    """Return the control tokens of the family that a template of TRL's wheel belongs to."""
    return CONTROL[next(control for beginning, control in _FAMILIES if name.startswith(beginning))]


@cache
def tokenizer_for(name: str, text: str | None = None) -> PreTrainedTokenizerBase:
    """Return a small tokenizer with a chat template: TRL's `name`, or `text` for the family of `name`."""
    return _tokenizer(control_of(name), template(name) if text is None else text)


def _tokenizer(control: Control, text: str) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_TEXTS * 3, trainer)
    tokenizer.add_special_tokens([AddedToken(t, rstrip=t in control.eats, normalized=False) for t in control.special])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in control.plain])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=control.eos,
        bos_token=control.bos,
        chat_template=text,
        clean_up_tokenization_spaces=False,
    )
