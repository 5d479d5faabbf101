"""Reward models made by hand: small ones with random weights, and one that likes a token."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, Qwen3Config, Qwen3ForSequenceClassification

from agent_rl.models import attention
from agent_rl.models.loading import resolve


def save_reward_model(folder: Path, seed: int = 0) -> Path:
    """Write a random model with a head of one number, and the tokenizer of `tiny`, into a folder."""
    config = AutoConfig.from_pretrained(resolve("tiny"))
    config.num_labels, config.num_hidden_layers = 1, 2
    config.layer_types = config.layer_types[:2]
    torch.manual_seed(seed)
    Qwen3ForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(resolve("tiny")).save_pretrained(folder)
    return folder


def scorer(liked: int, vocabulary: int = 16) -> PreTrainedModel:
    """Return a model whose score is 1 where the last token is the one that it likes, else 0.

    Its layers add nothing to the embeddings: the liked token's lies along the first axis, all others' along the second.
    """
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        num_labels=1,
        pad_token_id=None,
    )
    model = Qwen3ForSequenceClassification(config).eval()
    model.set_attn_implementation(attention.NAME)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.model.norm.weight.fill_(8**-0.5)  # undoes the length that the norm gives
        model.model.embed_tokens.weight[:, 1] = 1.0
        model.model.embed_tokens.weight[liked] = torch.eye(8)[0]
        model.score.weight[0, 0] = 1.0
    return model
