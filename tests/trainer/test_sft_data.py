"""Supervised training on what is there: conversations with the masks of rollouts, trajectories token for token."""

import json
from random import Random

import pytest
import torch

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure
from agent_rl.envs.registration import make
from agent_rl.models.loading import load_tokenizer
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import create_run
from agent_rl.trainer.conversations import read_conversation, sequence
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.sft import _backward, _micro_batches
from agent_rl.trainer.sft_data import Examples, read_data
from agent_rl.trainer.sft_settings import SftConfig
from tests.trainer.conftest import trajectory


@pytest.fixture(scope="module")
def tiny() -> Renderer:
    return Renderer(load_tokenizer(ModelSettings()))


@pytest.fixture
def shown():
    env = make("search")
    return [env.demonstrate(Random(number)) for number in range(5)]


def sft(*words: str) -> SftConfig:
    return validate(SftConfig, compose("sft", words))


def jsonl(file, rows) -> str:
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return str(file)


def test_conversations_of_a_file_are_what_demonstrations_would_be(tiny, shown, tmp_path):
    rows = [{"messages": one.messages, "tools": one.tools} for one in shown]
    file = jsonl(tmp_path / "talk.jsonl", rows)
    read = read_data(sft(f"sft.data={file}"), tiny, 1024)
    assert read.examples == [sequence(one, tiny) for one in shown]


def test_parquet_with_its_nulls_is_the_same(tiny, shown, tmp_path):
    import pyarrow
    from pyarrow.parquet import write_table

    rows = [{"messages": one.messages, "tools": json.dumps(one.tools)} for one in shown]
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "talk.parquet")
    read = read_data(sft(f"sft.data={tmp_path / 'talk.parquet'}"), tiny, 1024)
    assert read.examples == [sequence(one, tiny) for one in shown]


def test_what_cannot_be_trained_behind_the_last_answer_is_left_out():
    call = tool_call("look", {"at": "x"})
    said = [user("q"), assistant("", [call]), tool_result("r", call)]
    assert read_conversation({"messages": said}).messages == said[:2]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([1], "is an object"),
        ({"text": "x"}, "messages must be a list"),
        ({"messages": [user("q")]}, "the assistant says nothing"),
        ({"messages": [assistant("a")]}, "must be asked something first"),
        ({"messages": [user("q"), assistant("a"), assistant("b")]}, "messages 2 and 3 are both"),
        ({"messages": [{"role": "critic", "content": "x"}, assistant("a")]}, "message 1 is none"),
        ({"messages": [user("q"), {"role": "assistant", "content": None}]}, "message 2 says nothing"),
        ({"messages": [user("q"), {"role": "assistant", "content": "a", "weight": 0}]}, "has a weight"),
        (
            {"messages": [user("q"), {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
            'message 2: a tool call needs "arguments"',
        ),
    ],
)
def test_a_row_that_is_no_conversation_is_refused_with_its_line(tiny, tmp_path, row, told):
    file = jsonl(tmp_path / "talk.jsonl", [{"messages": [user("q"), assistant("a")]}, row])
    with pytest.raises(UserError, match=f"talk.jsonl, line 2: .*{told}"):
        read_data(sft(f"sft.data={file}"), tiny, 1024)


def test_what_is_too_long_is_left_out_and_counted(tiny, tmp_path):
    rows = [{"messages": [user("q " * length), assistant("a")]} for length in (1, 500, 2)]
    file = jsonl(tmp_path / "talk.jsonl", rows)
    read = read_data(sft(f"sft.data={file}", "sft.max_tokens=100"), tiny, 1024)
    assert len(read.examples) == 2 and "left out: 1 longer than 100 tokens" in str(read)
    with pytest.raises(UserError, match="nothing to train on: 0 examples"):
        read_data(sft(f"sft.data={file}", "sft.max_tokens=2"), tiny, 1024)


def test_good_trajectories_are_used_token_for_token(tiny, tmp_path):
    run = create_run(str(tmp_path / "run"), "run", TrainConfig(), ["agent-rl"])
    rng = Random(3)
    made = [trajectory(rng, reward) for reward in (1.0, 0.0, 0.6, 1.0)]
    made[2].part, made[1].part = 1, 0  # the second and the third are parts of one episode of 0.6
    made[3].failure = Failure(Cause.INFRASTRUCTURE, "", "gone")
    write_trajectories(run.trajectories_file(1), made)
    good = read_data(sft(f"sft.data={run.path}", "sft.min_reward=1.0"), tiny, 1024)
    assert good.examples == [(made[0].tokens, made[0].loss_mask)]
    assert "left out: 2 that failed or had less reward" in str(good)
    every = read_data(sft(f"sft.data={run.path}"), tiny, 1024)
    assert [tokens for tokens, _ in every.examples] == [one.tokens for one in made[:3]]


def test_the_tokens_of_another_tokenizer_are_refused(renderer, tmp_path):
    run = create_run(str(tmp_path / "run"), "run", TrainConfig(), ["agent-rl"])
    with pytest.raises(UserError, match="another tokenizer"):
        read_data(sft(f"sft.data={run.path}"), renderer, 1024)


def test_every_epoch_shows_all_once_in_its_own_order():
    examples = [([number, 0], [False, True]) for number in range(7)]
    dealt = Examples(examples, sft("sft.data=x", "sft.batch=3", "sft.epochs=2", "seed=1"))
    assert dealt.steps == 6
    epochs = [[one[0][0] for step in range(at, at + 3) for one in dealt.batch(step)] for at in (0, 3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 2
    assert epochs[0] != epochs[1]
    again = Examples(examples, sft("sft.data=x", "sft.batch=3", "sft.epochs=2", "seed=1"))
    assert [again.batch(step) for step in range(6)] == [dealt.batch(step) for step in range(6)]


def test_micro_batches_change_nothing_beyond_rounding(small_model):
    rng = Random(5)
    examples = [(one.tokens, one.loss_mask) for one in (trajectory(rng, 1.0) for _ in range(6))]
    assert len(_micro_batches(examples, 1)) == 6
    model, losses, gradients = small_model.double(), [], []
    for tokens in (10**6, 40):
        losses.append(_backward(model, examples, tokens)[0])
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
        model.zero_grad()
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sft.min_reward=1"], "'sft.min_reward' has no effect without sft.data"),
        (["sft.epochs=2"], "'sft.epochs' has no effect without sft.data"),
        (["sft.data=x", "sft.from_scratch=true"], "needs demonstrations"),
        (["sft.data=x", "sft.steps=3", "sft.epochs=2"], "not both"),
    ],
)
def test_settings_that_nothing_reads_are_refused(words, told):
    with pytest.raises(UserError, match=told):
        sft(*words)


def test_a_model_learns_conversations_through_the_command_line(tmp_path, capsys):
    rows = [{"messages": [user(f"{number}?"), assistant(f"It is {number}.")]} for number in range(8)]
    words = [f"sft.data={jsonl(tmp_path / 'talk.jsonl', rows)}", "sft.batch=4", "sft.epochs=6", "sft.log_every=1"]
    assert main(["sft", *words, "optimizer.warmup=0", f"out={tmp_path / 'run'}"]) == 0
    losses = [line["sft/loss"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert len(losses) == 12 and losses[-1] < 0.5 * losses[0]
    said = capsys.readouterr().out
    assert "8 examples" in said and "trained 12 steps" in said
    assert main(["sft", *words, "sft.min_reward=1", f"out={tmp_path / 'other'}"]) == 1
    assert "has no effect on a file" in capsys.readouterr().err
