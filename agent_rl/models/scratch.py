"""A small model and its tokenizer from nothing: how the shipped models begin."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.chat_template_utils import render_jinja_template

from agent_rl.core.message import Message

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
_WORD = r"[\p{L}\p{M}]"
_PIECES = rf" ?{_WORD}+|\d+|[^\p{{L}}\p{{M}}\d]+?(?= ?{_WORD}|\d|$)"
"""Words with the space before them, numbers, and what lies between as one piece: a name is the same tokens wherever it
follows a space, a number wherever it stands, and the punctuation of a tool call costs one token a run."""


def train_tokenizer(
    conversations: list[list[Message]], tools: list[dict[str, Any]], size: int
) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of `size` tokens with the Hermes chat template, trained on `conversations`."""
    template = (Path(__file__).parent / "chat_template.jinja").read_text(encoding="utf-8")
    texts, _ = render_jinja_template(conversations=conversations, chat_template=template, tools=tools)
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(CONTROL) - len(TAGS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(list(CONTROL))
    tokenizer.add_tokens(list(TAGS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=template,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def new_model(
    vocabulary: int, eos_token_id: int, pad_token_id: int, seed: int, layers: int = 4, width: int = 128
) -> Qwen3ForCausalLM:
    """Return a Qwen3 model with random weights drawn from `seed`; by default of 0.85 million parameters (512 tokens).

    `width` is a multiple of 8: there are four heads, and a head's width has to be even.
    """
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=width // 4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=eos_token_id,
        pad_token_id=pad_token_id,
        bos_token_id=None,
        dtype="float32",
    )
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(config)
