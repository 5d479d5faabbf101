"""Supervised training: the masks of reinforcement learning, and a model from nothing."""

from random import Random

import pytest
from transformers import AutoModelForCausalLM

from agent_rl.cli.main import main
from agent_rl.envs import Demonstration
from agent_rl.envs.registration import make
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.trainer.conversations import sequence

SMALL = ("sft.from_scratch=true", "sft.layers=2", "sft.width=64")


def test_only_what_the_assistant_says_is_trained(renderer):
    env = make("search")
    for seed in range(100):
        demonstration = env.demonstrate(Random(seed))
        tokens, mask = sequence(demonstration, renderer)
        said = [t for m in demonstration.messages if m["role"] == "assistant" for t in renderer.action(m)]
        assert [token for token, flag in zip(tokens, mask, strict=True) if flag] == said


def test_a_demonstration_is_tokenized_as_a_rollout_would_see_it(renderer):
    demonstration: Demonstration = make("search").demonstrate(Random(5))
    tokens, _ = sequence(demonstration, renderer)
    whole = renderer.tokenizer.apply_chat_template(
        demonstration.messages, tools=demonstration.tools, tokenize=True, return_dict=False
    )
    assert whole[: len(tokens)] == tokens


@pytest.mark.slow
def test_a_model_from_nothing_learns_and_is_left_in_hugging_face_format(tmp_path, capsys):
    words = [*SMALL, "sft.steps=30", "sft.batch=4", "sft.log_every=5", "optimizer.warmup=5"]
    assert main(["sft", *words, f"out={tmp_path / 'run'}"]) == 0
    losses = [line["sft/loss"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert len(losses) == 6
    assert losses[-1] < 0.85 * losses[0]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "checkpoints" / "step_000030")
    assert "agent-rl eval env=search model=" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_model(tmp_path):
    words = [*SMALL, "sft.steps=3", "sft.batch=2", "seed=4"]
    for name in ("a", "b"):
        assert main(["sft", *words, f"out={tmp_path / name}"]) == 0
    file = "checkpoints/step_000003/model.safetensors"
    assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
