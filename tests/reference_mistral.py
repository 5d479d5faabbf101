"""Mistral's chat templates, written by mistral_common where it is installed. They are never copied."""

import pytest


def mistral_template(version: str, spm: bool) -> str:
    """Return the template of a tokenizer version (`v3`, `v7`, …); skip the test when mistral_common is not installed.

    Args:
        version: The version of the tokenizer.
        spm: Whether it is the one of SentencePiece, not Tekken.
    """
    generator = pytest.importorskip("mistral_common.integrations.chat_templates.template_generator")
    base = pytest.importorskip("mistral_common.tokens.tokenizers.base")
    thinks = version in ("v13", "v15")
    effort = {"reasoning_effort_values": ("none", "high"), "reasoning_effort_default": "none"}
    config = generator.TemplateConfig(
        version=base.TokenizerVersion(version),
        spm=spm,
        thinking_support=thinks,
        use_special_token_variables=True,
        **(effort if version == "v15" else {}),
    )
    return str(generator.build_chat_template(config))
