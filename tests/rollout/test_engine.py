"""The embedded engine: exact log-probabilities, the same bits whatever the tools' speed, joining and leaving."""

import asyncio
import random
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from agent_rl.core.outcome import InfrastructureError
from agent_rl.models import attention
from agent_rl.models.scratch import new_model
from agent_rl.rollout.engines import Finish, Generation, Request, Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings
from agent_rl.trainer.weights import PolicyWeights

VOCABULARY = 300
COMMON = [7, 8, 9] * 12


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    torch.manual_seed(0)
    made = new_model(VOCABULARY, 2, 0, seed=3).eval()
    made.set_attn_implementation(attention.NAME)
    return made


def request(episode: str, turn: int, tokens: list[int], new: int, **rest: object) -> Request:
    fields: dict = {"stop_tokens": frozenset(), "seed": hash((episode, turn)) % 1000, "sampling": Sampling()} | rest
    return Request(f"{episode}/{turn}", episode, tokens, new, **fields)


async def converse(
    engine: EmbeddedEngine, name: str, pause: Callable[[], float], turns: int = 3
) -> tuple[list[int], list[tuple[int, Generation]]]:
    """Play an episode whose lengths and observations hang on its name alone; return its tokens and generations."""
    rng = random.Random(name)
    tokens = COMMON + [rng.randrange(VOCABULARY) for _ in range(rng.randrange(3, 20))]
    said = []
    for turn in range(turns):
        seed, new = rng.randrange(2**60), rng.randrange(4, 20)
        generation = await engine.generate(request(name, turn, tokens, new, seed=seed))
        said.append((len(tokens), generation))
        tokens = tokens + generation.tokens + [rng.randrange(VOCABULARY) for _ in range(rng.randrange(2, 9))]
        await asyncio.sleep(pause())
    engine.close(name)
    return tokens, said


def play(engine: EmbeddedEngine, names: list[str], pause: Callable[[], float] = lambda: 0.0) -> list:
    async def everything() -> list:
        for name in names:
            engine.open(name)
        return await asyncio.gather(*(converse(engine, name, pause) for name in names))

    return asyncio.run(everything())


def single(engine: EmbeddedEngine, made: Request) -> Generation:
    async def once() -> Generation:
        engine.open(made.episode)
        try:
            return await engine.generate(made)
        finally:
            engine.close(made.episode)

    return asyncio.run(once())


def true_logprobs(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False, segments=[len(tokens)]).logits[0]
    return logits.log_softmax(-1)


def true_of(model: PreTrainedModel, before: list[int], said: Generation) -> list[float]:
    logprobs = true_logprobs(model, before + said.tokens)[len(before) - 1 : -1]
    return logprobs.gather(1, torch.tensor(said.tokens)[:, None])[:, 0].tolist()


@pytest.mark.parametrize("rows", [3, 16])
def test_logprobs_are_those_of_a_fresh_forward_pass_however_few_rows_there_are(model, rows):
    played = play(EmbeddedEngine(model, EmbeddedSettings(rows=rows)), [f"e{i}" for i in range(10)])
    for tokens, said in played:
        expected = true_logprobs(model, tokens)
        for start, generation in said:
            assert tokens[start : start + len(generation.tokens)] == generation.tokens
            for place, (token, logprob) in enumerate(zip(generation.tokens, generation.logprobs, strict=True)):
                assert logprob == pytest.approx(expected[start + place - 1, token].item(), abs=1e-5)


def test_the_same_bits_whatever_the_tools_speed(model):
    names = [f"e{i}" for i in range(12)]
    clock = random.Random(1)
    quick = play(EmbeddedEngine(model, EmbeddedSettings(rows=5)), names)
    slow = play(EmbeddedEngine(model, EmbeddedSettings(rows=5)), names, lambda: clock.random() * 0.02)
    assert quick == slow


def test_without_determinism_slow_episodes_do_not_hold_up_the_others(model):
    engine = EmbeddedEngine(model, EmbeddedSettings(rows=4, deterministic=False))
    order: list[str] = []

    async def episode(name: str, pause: float) -> None:
        await converse(engine, name, lambda: pause)
        order.append(name)

    async def everything() -> None:
        for name in ("slow", "quick"):
            engine.open(name)
        await asyncio.gather(episode("slow", 0.3), episode("quick", 0.0))

    asyncio.run(everything())
    assert order == ["quick", "slow"]


def test_a_sampled_stop_token_ends_the_turn_and_is_kept(model):
    generation = single(EmbeddedEngine(model), request("e", 0, COMMON, 200, stop_tokens=frozenset(range(0, 300, 3))))
    assert generation.finish is Finish.STOP
    assert generation.tokens[-1] % 3 == 0
    assert all(token % 3 for token in generation.tokens[:-1])
    assert len(generation.tokens) == len(generation.logprobs) == len(generation.weight_versions)


def test_a_turn_ends_by_length(model):
    generation = single(EmbeddedEngine(model), request("e", 0, COMMON, 5))
    assert generation.finish is Finish.LENGTH
    assert len(generation.tokens) == 5


def test_greedy_takes_the_most_likely_token_and_reports_its_unscaled_logprob(model):
    generation = single(EmbeddedEngine(model), request("e", 0, COMMON, 6, sampling=Sampling(temperature=0.0)))
    expected = true_logprobs(model, COMMON + generation.tokens)[len(COMMON) - 1 : -1]
    assert generation.tokens == expected.argmax(-1).tolist()
    assert generation.logprobs == pytest.approx(expected.max(-1).values.tolist(), abs=1e-5)


def test_new_weights_are_used_and_named_from_the_update_on():
    model = new_model(VOCABULARY, 2, 0, seed=4).eval()
    model.set_attn_implementation(attention.NAME)
    engine = EmbeddedEngine(model)
    asked = request("e", 0, COMMON, 4)

    async def twice() -> tuple[Generation, Generation]:
        engine.open("e")
        first = await engine.generate(asked)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)
        await engine.update_weights(PolicyWeights(9, model))
        second = await engine.generate(asked)  # the same episode: what the old weights cached must not be used
        engine.close("e")
        return first, second

    first, second = asyncio.run(twice())
    assert (first.weight_versions, second.weight_versions) == ([0] * 4, [9] * 4)
    tokens = COMMON + second.tokens
    expected = true_logprobs(model, tokens)
    for place, (token, logprob) in enumerate(zip(second.tokens, second.logprobs, strict=True)):
        assert logprob == pytest.approx(expected[len(COMMON) + place - 1, token].item(), abs=1e-5)


def test_a_pause_freezes_turns_and_new_weights_go_on_with_them():
    model = new_model(VOCABULARY, 2, 0, seed=4).eval()
    model.set_attn_implementation(attention.NAME)
    engine = EmbeddedEngine(model)

    async def interrupted() -> Generation:
        engine.open("e")
        turn = asyncio.create_task(engine.generate(request("e", 0, COMMON, 40)))
        while engine.steps < 10:
            await asyncio.sleep(0)
        await engine.pause()
        steps = engine.steps
        await asyncio.sleep(0.05)
        assert engine.steps == steps and not turn.done()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)
        await engine.update_weights(PolicyWeights(1, model))
        await engine.resume()
        return await turn

    said = asyncio.run(interrupted())
    old = said.weight_versions.index(1)
    assert said.weight_versions == [0] * old + [1] * (40 - old) and 0 < old < 40
    tokens = COMMON + said.tokens
    expected = true_logprobs(model, tokens)  # of the new weights
    for place in range(old, 40):
        assert said.logprobs[place] == pytest.approx(
            expected[len(COMMON) + place - 1, said.tokens[place]].item(), abs=1e-5
        )


def test_an_engine_with_weights_of_its_own_takes_over_those_it_is_given(model):
    other = new_model(VOCABULARY, 2, 0, seed=9).eval()
    other.set_attn_implementation(attention.NAME)
    engine = EmbeddedEngine(other, shared=False)
    asyncio.run(engine.update_weights(PolicyWeights(1, model)))
    said = single(engine, request("e", 0, COMMON, 6, sampling=Sampling(temperature=0.0)))
    assert (
        said.tokens
        == single(EmbeddedEngine(model), request("e", 0, COMMON, 6, sampling=Sampling(temperature=0.0))).tokens
    )


def test_a_cancelled_request_frees_its_row(model):
    engine = EmbeddedEngine(model, EmbeddedSettings(rows=1))

    async def run() -> Generation:
        engine.open("a")
        engine.open("b")
        first = asyncio.create_task(engine.generate(request("a", 0, COMMON, 900)))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        engine.close("a")
        return await asyncio.wait_for(engine.generate(request("b", 0, COMMON, 3)), 20)

    assert len(asyncio.run(run()).tokens) == 3


def test_a_failing_model_is_an_infrastructure_failure_not_a_hang(model, monkeypatch):
    engine = EmbeddedEngine(model)
    monkeypatch.setattr(engine._forward, "_decoder", lambda **_: 1 / 0)
    with pytest.raises(InfrastructureError, match="ZeroDivisionError"):
        single(engine, request("e", 0, COMMON, 3))


def test_after_a_model_failed_once_nothing_of_the_failed_turns_is_left(model, monkeypatch):
    """Rows whose turns had failed once stayed among those that generate, and failed the next turn as well."""
    engine = EmbeddedEngine(model, EmbeddedSettings(deterministic=False, join_every=1))

    async def run() -> Generation:
        for name in "ab":
            engine.open(name)
        calls = [asyncio.create_task(engine.generate(request(name, 0, COMMON, 50))) for name in "ab"]
        while engine.steps < 3:
            await asyncio.sleep(0)
        with monkeypatch.context() as broken:
            broken.setattr(engine._forward, "_decoder", lambda **_: 1 / 0)
            failed = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, InfrastructureError) for error in failed)
        return await engine.generate(request("a", 1, COMMON, 3))

    said = asyncio.run(run())
    assert said.logprobs == pytest.approx(true_of(model, COMMON, said), abs=1e-4)


@pytest.mark.parametrize(("tokens", "new"), [([], 3), (COMMON, 5000)])
def test_a_request_that_cannot_be_served_is_refused(model, tokens, new):
    with pytest.raises(ValueError, match="do not fit"):
        single(EmbeddedEngine(model), request("e", 0, tokens, new))


def test_a_conversation_that_was_rewritten_is_computed_anew(model):
    engine = EmbeddedEngine(model)

    async def rewritten() -> Generation:
        engine.open("e")
        await engine.generate(request("e", 0, [*COMMON, 1, 2, 3], 5))
        generation = await engine.generate(request("e", 1, [*COMMON, 4], 5))
        engine.close("e")
        return generation

    generation = asyncio.run(rewritten())
    expected = true_logprobs(model, [*COMMON, 4, *generation.tokens])
    start = len(COMMON)
    for place, (token, logprob) in enumerate(zip(generation.tokens, generation.logprobs, strict=True)):
        assert logprob == pytest.approx(expected[start + place, token].item(), abs=1e-5)


def test_the_prompt_that_a_group_shares_is_computed_once_whatever_others_have_in_common_with_it(model):
    engine = EmbeddedEngine(model)
    rng = random.Random(4)
    prompts = [COMMON + [rng.randrange(VOCABULARY) for _ in range(60)] for _ in range(3)]
    prompts.append([*COMMON, prompts[2][len(COMMON)], *prompts[0][:60]])  # a word in common with another group
    shapes = []
    handle = model.get_decoder().register_forward_pre_hook(
        lambda _, __, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )

    async def everything() -> None:
        names = [(f"{group}/{sample}", group) for group in range(4) for sample in range(4)]
        for name, _ in names:
            engine.open(name)
        await asyncio.gather(*(engine.generate(request(name, 0, prompts[group], 2)) for name, group in names))
        for name, _ in names:
            engine.close(name)

    try:
        asyncio.run(everything())
    finally:
        handle.remove()
    long = [rows for rows, tokens in shapes if tokens > 1]
    assert sum(long) <= 4 + 3 and len(long) == 2  # the first of all, then the others' with the first one's group
