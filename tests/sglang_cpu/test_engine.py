"""The engine over a real server: exact log-probabilities, exact ends, nothing left running behind a cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from agent_rl.clients.sglang import SglangClient, new_id
from agent_rl.models.loading import ModelSettings, load_model
from agent_rl.rollout.engines import Finish, Generation, Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine
from agent_rl.rollout.engines.sglang import SglangEngine
from tests.sglang_cpu.conftest import LoopThread, Weights, given, request

PROMPT = [5, 6, 7, 8] * 6


@pytest.fixture(scope="module")
def engine(loop: LoopThread, url: str, shipped: Weights, tmp_path_factory: pytest.TempPathFactory):
    made = given([url], tmp_path_factory.mktemp("engine"))
    loop.run(made.start())
    loop.run(made.update_weights(shipped))
    yield made
    loop.run(made.stop())


async def idle(url: str) -> bool:
    """Whether nothing runs or waits at the server: only then its cache can be flushed."""
    async with httpx.AsyncClient() as client:
        return (await client.post(f"{url}/flush_cache")).status_code == 200


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 5) -> bool:
    for _ in range(int(seconds / 0.1)):
        if await check():
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7), Sampling(top_p=0.9, top_k=40)])
def test_logprobs_are_as_near_the_exact_ones_as_those_of_our_own_forward_pass(loop, engine, shipped, sampling):
    """The shipped model's float32 rounds by some 1e-5, ours as theirs; fresh weights agree closer, see test_weights."""

    async def several() -> list[Generation]:
        asked = [request([*PROMPT, i], 40, episode=str(i), sampling=sampling) for i in range(8)]
        return await asyncio.gather(*[engine.generate(each) for each in asked])

    exact, answers = shipped.double(), loop.run(several())
    gaps, own = [], []
    for i, said in enumerate(answers):
        assert len(said.tokens) == 40 and said.finish is Finish.LENGTH and said.weight_versions == [0] * 40
        true = exact.logprobs([*PROMPT, i], said.tokens, sampling.temperature)
        ours = shipped.logprobs([*PROMPT, i], said.tokens, sampling.temperature)
        gaps += [abs(one - other) for one, other in zip(said.logprobs, true, strict=True)]
        own += [abs(one - other) for one, other in zip(ours, true, strict=True)]
    assert max(gaps) < 3 * max(own) < 3e-4
    assert sorted(gaps)[len(gaps) // 2] < 1e-5


def test_greedy_tokens_are_those_of_the_embedded_engine(loop, engine, shipped):
    asked = request(PROMPT, 60, sampling=Sampling(temperature=0.0))

    async def embedded() -> Generation:
        other = EmbeddedEngine(shipped.model)
        other.open("e")
        try:
            return await other.generate(asked)
        finally:
            other.close("e")

    ours, theirs = loop.run(engine.generate(asked)), loop.run(embedded())
    assert ours.tokens == theirs.tokens
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)


def test_a_sampled_stop_token_ends_the_turn_and_is_kept(loop, engine):
    stops = frozenset(range(0, 512, 3))
    said = loop.run(engine.generate(request(PROMPT, 300, stop_tokens=stops)))
    assert said.finish is Finish.STOP
    assert said.tokens[-1] in stops and not stops & set(said.tokens[:-1])


def test_the_models_own_end_of_text_ends_nothing_that_the_request_does_not_name(loop, engine, shipped):
    """Alone, `ignore_eos` would switch the request's own stop tokens off as well."""
    end, greedy = shipped.model.config.eos_token_id, Sampling(temperature=0.0)
    tokenizer = load_model(ModelSettings(device="cpu"))[1]
    asked = [{"role": "user", "content": "What is the capital of Japan?"}]
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    start = tokenizer(text, add_special_tokens=False)["input_ids"]
    turn = loop.run(engine.generate(request(start, 300, sampling=greedy, stop_tokens=frozenset([end]))))
    assert turn.finish is Finish.STOP and turn.tokens[-1] == end
    prompt = start + turn.tokens[:-1]  # where the model ends

    def generate(*stops: int) -> Generation:
        return loop.run(engine.generate(request(prompt, 30, sampling=greedy, stop_tokens=frozenset(stops))))

    named, without, other = generate(end), generate(), generate(0)
    assert (named.tokens, named.finish) == ([end], Finish.STOP)
    assert without.tokens[0] == end and len(without.tokens) == 30
    assert other.tokens == without.tokens and other.weight_versions == [0] * 30
    assert other.logprobs == pytest.approx(shipped.logprobs(prompt, other.tokens), abs=1e-4)


def test_a_cancelled_call_leaves_the_server_idle_and_the_others_alone(loop, engine, url):
    async def scenario() -> tuple[Generation, bool]:
        calls = [asyncio.create_task(engine.generate(request([*PROMPT, i], 900, episode=str(i)))) for i in range(6)]
        kept = asyncio.create_task(engine.generate(request([*PROMPT, 99], 60, episode="kept")))
        await asyncio.sleep(0.3)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return await kept, await eventually(lambda: idle(url), 2.5)  # sooner than a closed connection is noticed

    kept, quiet = loop.run(scenario())
    assert kept.finish is Finish.LENGTH and len(kept.tokens) == 60
    assert quiet
    assert "0 requests running, 0 waiting" in engine.status()


def test_calls_cancelled_at_once_leave_the_server_idle(loop, engine, url):
    async def scenario() -> bool:
        calls = [asyncio.create_task(engine.generate(request([*PROMPT, i], 900, episode=str(i)))) for i in range(20)]
        for number, call in enumerate(calls):
            await asyncio.sleep(0.002 * (number % 5))
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return await eventually(lambda: idle(url), 6)

    assert loop.run(scenario())
    assert "0 requests running, 0 waiting" in engine.status()


def test_aborting_by_an_id_that_is_a_prefix_of_another_would_end_both_and_ours_are_never(loop, url):
    async def scenario() -> list[str]:
        client = SglangClient(url, 8, 60, 60)
        params = {"max_new_tokens": 300, "ignore_eos": True}
        calls = [asyncio.create_task(client.generate(rid, PROMPT, params, "k")) for rid in ("trap", "trap-2")]
        await asyncio.sleep(0.3)
        await client.abort("trap")
        ends = [(await call).meta_info.finish_reason.type for call in calls]
        await client.close()
        return ends

    assert loop.run(scenario()) == ["abort", "abort"]
    assert {len(new_id()) for _ in range(100)} == {32}


def test_the_same_request_many_times_at_once_is_no_duplicate(loop, engine):
    async def scenario() -> list[Generation]:
        asked = request(PROMPT, 20, sampling=Sampling(temperature=0.0))
        return await asyncio.gather(*[engine.generate(asked) for _ in range(40)])

    answers = loop.run(scenario())
    assert len({tuple(said.tokens) for said in answers}) == 1


@pytest.mark.parametrize(
    ("tokens", "rest"),
    [
        ([], {}),
        ([512], {}),
        ([-1], {}),
        ([True], {}),
        ([7.0], {}),
        (PROMPT, {"stop_tokens": frozenset([512])}),
        (PROMPT * 50, {}),
    ],
)
def test_what_would_kill_the_server_or_cannot_be_served_is_refused_before_it_is_sent(loop, engine, tokens, rest):
    with pytest.raises(ValueError, match=r"vocabulary|do not fit"):
        loop.run(engine.generate(request(tokens, 10, **rest)))
    assert len(loop.run(engine.generate(request(PROMPT, 3))).tokens) == 3


def test_a_request_is_served_in_full_or_refused_up_to_the_context(loop, engine):
    """The server itself would sample fewer tokens than asked for, and say nothing."""
    prompt, longest = PROMPT * 40, 1018
    assert len(loop.run(engine.generate(request(prompt, longest - len(prompt)))).tokens) == longest - len(prompt)
    for new in range(longest + 1 - len(prompt), 1030 - len(prompt)):
        with pytest.raises(ValueError, match="do not fit"):
            loop.run(engine.generate(request(prompt, new)))


def test_more_requests_than_the_server_runs_wait_here_by_priority(loop, url, tmp_path: Path):
    engine: SglangEngine = given([url], tmp_path, requests_per_server=2)

    async def scenario() -> list[int]:
        await engine.start()
        order: list[int] = []

        async def one(number: int) -> None:
            await engine.generate(request([*PROMPT, number], 10, episode=str(number), priority=-number))
            order.append(number)

        await asyncio.gather(*[one(number) for number in range(12)])
        await engine.stop()
        return order

    order = loop.run(scenario())
    assert set(order[:4]) <= {0, 1, 11, 10, 9}
    assert order.index(11) < order.index(5) < order.index(2)


@pytest.mark.parametrize("colocated", [False, True])
def test_a_pause_stops_sampling_and_resume_goes_on(loop, url, tmp_path: Path, colocated: bool):
    engine: SglangEngine = given([url], tmp_path, colocated=colocated)

    async def scenario() -> tuple[Generation, Generation]:
        await engine.start()
        running = asyncio.create_task(engine.generate(request(PROMPT, 300)))
        await asyncio.sleep(0.3)
        await engine.pause()
        late = asyncio.create_task(engine.generate(request([*PROMPT, 9], 5, episode="late")))
        await asyncio.sleep(1.0)
        assert not late.done() and running.done() == colocated
        cancelled = asyncio.create_task(engine.generate(request([*PROMPT, 10], 900, episode="cancelled")))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await engine.resume()
        first, second = await running, await late
        assert await eventually(lambda: idle(url), 3)
        await engine.stop()
        return first, second

    first, second = loop.run(scenario())
    assert first.finish is (Finish.ABORT if colocated else Finish.LENGTH)
    assert len(first.tokens) == len(first.logprobs) == len(first.weight_versions)
    assert colocated or len(first.tokens) == 300
    assert len(second.tokens) == 5


def test_a_request_that_a_pause_gave_back_goes_on_behind_its_tokens(loop, url, tmp_path: Path):
    """By the caller, as the protocol says; greedy, so that both ways must give the same tokens."""
    engine: SglangEngine = given([url], tmp_path, colocated=True)

    async def scenario() -> tuple[list[int], list[int]]:
        await engine.start()
        greedy = Sampling(temperature=0.0)
        whole = await engine.generate(request(PROMPT, 200, sampling=greedy))
        running = asyncio.create_task(engine.generate(request(PROMPT, 200, sampling=greedy)))
        await asyncio.sleep(0.3)
        await engine.pause()
        await engine.resume()
        part = await running
        assert part.finish is Finish.ABORT and 0 < len(part.tokens) < 200
        rest = await engine.generate(request(PROMPT + part.tokens, 200 - len(part.tokens), sampling=greedy))
        await engine.stop()
        return whole.tokens, part.tokens + rest.tokens

    whole, joined = loop.run(scenario())
    assert joined == whole


def test_a_server_left_paused_by_a_run_that_died_is_used(loop, url, tmp_path: Path):
    engine: SglangEngine = given([url], tmp_path)

    async def scenario() -> Generation:
        async with httpx.AsyncClient() as client:
            await client.post(f"{url}/pause_generation", json={"mode": "in_place"})
        await engine.start()
        said = await engine.generate(request(PROMPT, 3))
        await engine.stop()
        return said

    assert len(loop.run(scenario()).tokens) == 3
