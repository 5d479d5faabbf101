"""The SGLang engine against fake servers: answers that cannot be true, servers that fail at every point."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines import Finish, Request, Sampling
from agent_rl.rollout.engines.sglang import SglangEngine, SglangSettings, arrival, fleet
from agent_rl.rollout.engines.sglang.transports.disk import DiskTransport
from tests.clients.fake_sglang import DROP, HALF, HANG, FakeSglang

pytestmark = pytest.mark.slow

T = TypeVar("T")


class Weights:
    current = True

    def __init__(self, version: int) -> None:
        self.version = version

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield "weight", torch.full((4,), float(self.version))

    def save(self, folder: Path) -> None:
        save_file(dict(self.tensors()), folder / "model.safetensors")


def request(episode: str = "e", new: int = 3, **rest: Any) -> Request:
    fields: dict[str, Any] = {"stop_tokens": frozenset(), "seed": 5, "sampling": Sampling()} | rest
    return Request(f"{episode}/0", episode, fields.pop("tokens", [1, 2, 3]), new, **fields)


@asynccontextmanager
async def running(folder: Path, *fakes: FakeSglang, **settings: Any) -> AsyncIterator[SglangEngine]:
    """An engine over fakes that run already."""
    quick = {"probe_seconds": 0.1, "recovery_seconds": 60.0, "startup_seconds": 60.0}
    urls = tuple(fake.url for fake in fakes)
    engine = SglangEngine(SglangSettings(urls=urls, **(quick | settings)), "tiny", 512, folder)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.stop()


def play(folder: Path, work: Callable[[SglangEngine, FakeSglang], Awaitable[T]], **settings: Any) -> T:
    async def scenario() -> T:
        async with FakeSglang() as fake, running(folder, fake, **settings) as engine:
            return await asyncio.wait_for(work(engine, fake), 120)

    return asyncio.run(scenario())


async def until(check: Callable[[], bool]) -> None:
    while not check():
        await asyncio.sleep(0.02)


# --- answers ---------------------------------------------------------------------------------------------------------


def change(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A mutation: `output_ids` of the answer, or anything of its `meta_info`."""

    def mutate(answer: dict[str, Any]) -> dict[str, Any]:
        for name, value in changes.items():
            (answer if name == "output_ids" else answer["meta_info"])[name] = value
        return answer

    return mutate


def logprobs(*values: Any, tokens: tuple[int, ...] = (391, 392, 393)) -> list[list[Any]]:
    return [[value, token, None] for value, token in zip(values, tokens, strict=False)]


def span(version: str, start: int, end: int) -> dict[str, Any]:
    return {"version": version, "start": start, "end": end}


STOPPED = {"type": "stop", "matched": 393}


@pytest.mark.parametrize(
    ("mutate", "why"),
    [
        (
            change(
                output_ids=[391, 392, 393, 394],
                output_token_logprobs=logprobs(-1, -1, -1, -1, tokens=(391, 392, 393, 394)),
            ),
            "4 tokens where at most 3",
        ),
        (
            change(output_ids=[391, 392, 512], output_token_logprobs=logprobs(-1, -1, -1, tokens=(391, 392, 512))),
            "token 512 is not in the vocabulary",
        ),
        (
            change(output_ids=[391, -1, 393], output_token_logprobs=logprobs(-1, -1, -1, tokens=(391, -1, 393))),
            "token -1 is not in the vocabulary",
        ),
        (change(output_ids=[391, 392]), "other tokens"),
        (change(output_token_logprobs=logprobs(-1, -1)), "other tokens"),
        (change(output_token_logprobs=logprobs(-1, -1, -1, tokens=(391, 393, 392))), "other tokens"),
        (change(output_token_logprobs=logprobs(-1, float("nan"), -1)), "log-probability of nan"),
        (change(output_token_logprobs=logprobs(-1, float("-inf"), -1)), "log-probability of -inf"),
        (change(output_token_logprobs=logprobs(-1, 0.5, -1)), "log-probability of 0.5"),
        (change(output_token_logprobs=logprobs(-1, None, -1)), "valid number"),
        (
            change(output_ids=[391, 392], output_token_logprobs=logprobs(-1, -1), weight_versions=[]),
            "ended by length after 2 of 3",
        ),
        (change(finish_reason={"type": "stop", "matched": "NaN happened"}), "stopped at 'NaN happened'"),
        (change(finish_reason={"type": "stop", "matched": 7}), "stopped at 7"),
        (change(finish_reason={"type": "abort", "message": "bad", "err_type": "ValueError"}), "aborted: bad"),
        (change(finish_reason={"type": "abort", "message": "bad", "status_code": 500}), "aborted: bad"),
        (change(finish_reason={"type": "tired"}), "finish_reason"),
        (change(finish_reason=None), "finish_reason"),
        (change(id="another"), "answer to request 'another'"),
        (change(weight_versions=[]), "weight versions of 0 tokens"),
        (change(weight_versions=[span("default", 0, 2)]), "weight versions of 2 tokens"),
        (change(weight_versions=[span("default", 0, 4)]), "weight versions of 4 tokens"),
        (change(weight_versions=[span("default", 1, 3)]), "hole or overlap"),
        (change(weight_versions=[span("default", 0, 2), span("default", 1, 3)]), "hole or overlap"),
        (change(weight_versions=[span("stranger", 0, 3)]), "called 'stranger'"),
    ],
)
def test_an_answer_that_cannot_be_true_is_an_infrastructure_failure(tmp_path, mutate, why):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.mutate = mutate
        with pytest.raises(InfrastructureError, match=why):
            await engine.generate(request())
        fake.mutate = lambda answer: answer
        assert len((await engine.generate(request())).tokens) == 3

    play(tmp_path, work)


def test_a_stop_token_before_the_end_is_a_wrong_answer(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        with pytest.raises(InfrastructureError, match="went on behind the stop token 392"):
            await engine.generate(request(stop_tokens=frozenset([392])))

    play(tmp_path, work)


def test_a_stop_at_a_token_that_is_not_asked_for_is_gone_on_behind(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        def end_after_two(answer: dict[str, Any]) -> dict[str, Any]:
            meta = answer["meta_info"]
            answer["output_ids"] = answer["output_ids"][:2]
            meta["output_token_logprobs"] = meta["output_token_logprobs"][:2]
            meta["weight_versions"] = [span("default", 0, 2)]
            meta["finish_reason"] = {"type": "stop", "matched": 392}
            return answer

        fake.mutate = end_after_two
        said = await engine.generate(request(new=6, stop_tokens=frozenset([9])))
        asked = [body for path, body in fake.calls if path == "/generate"]
        assert said.tokens == [391, 392] * 3 and said.finish is Finish.LENGTH
        assert [len(body["input_ids"]) for body in asked] == [3, 5, 7]
        assert [body["sampling_params"]["max_new_tokens"] for body in asked] == [6, 4, 2]

    play(tmp_path, work)


def test_what_is_sent_leaves_nothing_to_defaults_and_nothing_of_the_users(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> dict[str, Any]:
        await engine.generate(request("user's text", sampling=Sampling(temperature=0.5, top_p=0.9, top_k=7)))
        await engine.generate(request("user's text", stop_tokens=frozenset([8, 4])))
        bodies = [body for path, body in fake.calls if path == "/generate"]
        assert all(len(body["rid"]) == 32 and "user" not in str(body) for body in bodies)
        assert bodies[1]["sampling_params"]["stop_token_ids"] == [4, 8]
        assert [body["sampling_params"]["ignore_eos"] for body in bodies] == [True, False]
        assert bodies[1]["sampling_params"]["top_k"] == -1
        return bodies[0]["sampling_params"]

    sent = play(tmp_path, work)
    assert (sent["temperature"], sent["top_p"], sent["top_k"]) == (0.5, 0.9, 7)
    assert (sent["min_p"], sent["repetition_penalty"], sent["stop"]) == (0.0, 1.0, [])
    assert "sampling_seed" not in sent


def test_seeds_are_sent_where_the_server_honours_them(tmp_path):
    async def scenario() -> Any:
        fake = FakeSglang()
        fake.info["enable_deterministic_inference"] = True
        async with fake, running(tmp_path, fake) as engine:
            await engine.generate(request(seed=2**64 + 5))
            return fake.calls[-1][1]["sampling_params"]["sampling_seed"]

    assert asyncio.run(scenario()) == 5


# --- failing servers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [HALF, DROP, (500, "?"), (503, "full"), HANG])
def test_a_request_that_a_server_drops_is_done_by_another(tmp_path, fault):
    seconds = 1.0 if fault is HANG else 60.0

    async def scenario() -> list[int]:
        async with FakeSglang() as bad, FakeSglang() as good:
            bad.faults["/generate"] = fault
            async with running(tmp_path, bad, good, request_seconds=seconds, attempts=10) as engine:
                calls = [engine.generate(request(str(number))) for number in range(20)]
                return [len(said.tokens) for said in await asyncio.gather(*calls)]

    assert asyncio.run(scenario()) == [3] * 20


def test_a_request_under_which_every_server_fails_ends_after_its_attempts_and_says_so(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> int:
        fake.faults["/generate"] = (500, "poison")
        with pytest.raises(InfrastructureError, match=r"2 attempts: .*poison"):
            await engine.generate(request())
        return fake.paths().count("/generate")

    assert play(tmp_path, work, attempts=2) == 2


def test_a_server_that_dies_is_out_and_back_with_the_current_weights_under_a_new_start(tmp_path):
    async def scenario() -> None:
        async with FakeSglang() as steady:
            fake = FakeSglang()
            await fake.__aenter__()
            async with running(tmp_path, steady, fake) as engine:
                await engine.update_weights(Weights(3))
                label = fake.label
                fake.seconds = steady.seconds = 0.3
                calls = [asyncio.create_task(engine.generate(request(str(number)))) for number in range(10)]
                await asyncio.sleep(0.1)
                await fake.__aexit__()
                answers = await asyncio.gather(*calls)
                assert all(said.weight_versions == [3] * 3 for said in answers)
                await until(lambda: "1 of 2 servers" in engine.status())
                fake.label = "default"  # its supervisor started it again
                await fake.__aenter__()
                await until(lambda: "2 of 2 servers" in engine.status())
                assert fake.label == label
                last = [body for path, body in fake.calls if path == "/update_weights_from_disk"][-1]
                assert Path(last["model_path"]).name == "version_3"
            await fake.__aexit__()

    asyncio.run(scenario())


class FakeProcess:
    """A process of ours that listens where a fake does."""

    alive = True
    starts = 0

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        self.starts, self.alive = self.starts + 1, True

    async def wait_ready(self, client: Any, seconds: float) -> None:
        """It is ready."""

    async def stop(self) -> None:
        self.alive = False

    def last_words(self) -> str:
        return "none"


def test_a_server_that_waits_for_the_next_weights_is_not_started_again_meanwhile(tmp_path, monkeypatch):
    """Each wait cost it a start, so that it was given up while the trainer computed."""

    async def scenario() -> None:
        async with FakeSglang() as fake:
            process = FakeProcess(fake.url)
            monkeypatch.setattr(arrival, "launch", lambda *_: process)
            monkeypatch.setattr(fleet, "_RETRY_SECONDS", 0.05)
            async with running(tmp_path, restarts=2) as engine:
                await engine.update_weights(lent := Weights(1))
                monkeypatch.setattr(DiskTransport, "keeps", False)
                lent.current = False  # the trainer changes them
                fake.label, process.alive = "default", False
                await until(lambda: "moved on" in engine.status())
                await asyncio.sleep(0.5)
                assert process.starts == 2
                await engine.update_weights(Weights(2))
                assert (await engine.generate(request())).weight_versions == [2] * 3
                assert process.starts == 2

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_an_idle_server_that_dies_is_noticed(tmp_path):
    async def scenario() -> None:
        async with FakeSglang() as steady:
            fake = FakeSglang()
            await fake.__aenter__()
            async with running(tmp_path, steady, fake) as engine:
                await fake.__aexit__()
                await until(lambda: "1 of 2 servers" in engine.status())
                assert fake.url in engine.status() and steady.url not in engine.status()

    asyncio.run(asyncio.wait_for(scenario(), 120))


@pytest.mark.parametrize(
    "path", ["/pause_generation", "/update_weights_from_disk", "/update_weight_version", "/continue_generation"]
)
def test_a_server_that_fails_an_update_serves_nothing_until_it_has_the_weights(tmp_path, path):
    async def scenario() -> None:
        async with FakeSglang() as good, FakeSglang() as bad, running(tmp_path, good, bad) as engine:
            bad.faults[path] = (400, {"success": False, "message": "out of order"})
            await engine.update_weights(Weights(1))
            assert "1 of 2 servers" in engine.status() and "out of order" in engine.status()
            before = bad.paths().count("/generate")
            answers = await asyncio.gather(*[engine.generate(request(str(number))) for number in range(8)])
            assert all(said.weight_versions == [1] * 3 for said in answers)
            assert bad.paths().count("/generate") == before
            bad.faults.clear()
            await until(lambda: "2 of 2 servers" in engine.status())
            assert bad.label == good.label

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_weights_that_no_server_takes_are_an_error_and_not_old_weights_in_silence(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.faults["/update_weights_from_disk"] = (400, {"success": False, "message": "out of order"})
        with pytest.raises(InfrastructureError, match=r"no server took the weights.*out of order"):
            await engine.update_weights(Weights(1))
        with pytest.raises(InfrastructureError, match=r"no server in service.*out of order"):
            await engine.generate(request())

    play(tmp_path, work, recovery_seconds=0.3)


def test_an_update_that_is_cancelled_half_way_leaves_no_server_with_unknown_weights(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.faults["/update_weights_from_disk"] = HANG
        update = asyncio.create_task(engine.update_weights(Weights(1)))
        await until(lambda: "/update_weights_from_disk" in fake.paths())
        update.cancel()
        await asyncio.gather(update, return_exceptions=True)
        assert "0 of 1 servers" in engine.status()
        fake.faults.clear()
        assert (await engine.generate(request())).weight_versions == [1] * 3

    play(tmp_path, work)


def test_the_order_of_an_update_with_requests_in_flight(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> list[str]:
        fake.seconds = 0.2
        call = asyncio.create_task(engine.generate(request()))
        await until(lambda: "/generate" in fake.paths())
        fake.calls.clear()
        await engine.update_weights(Weights(1))
        await call
        assert fake.calls[0][1] == {"mode": "in_place"}
        return [path for path in fake.paths() if path != "/server_info"]

    assert play(tmp_path, work) == [
        "/pause_generation",
        "/update_weights_from_disk",
        "/update_weight_version",
        "/continue_generation",
    ]


def test_a_colocated_pause_aborts_flushes_and_releases_in_this_order_and_takes_back_only_what_is_released(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> list[tuple[str, Any]]:
        fake.calls.clear()
        await engine.pause()
        await engine.pause()  # a second release would be a second abort only
        await engine.update_weights(Weights(1))
        await engine.resume()
        return [(path, body.get("tags")) for path, body in fake.calls if path != "/server_info"]

    assert play(tmp_path, work, colocated=True) == [
        ("/pause_generation", None),
        ("/flush_cache", None),
        ("/release_memory_occupation", ["cuda_graph", "kv_cache", "weights"]),
        ("/pause_generation", None),
        ("/flush_cache", None),
        ("/resume_memory_occupation", ["weights"]),
        ("/update_weights_from_disk", None),
        ("/update_weight_version", None),
        ("/resume_memory_occupation", ["cuda_graph", "kv_cache"]),
        ("/continue_generation", None),
    ]


def test_a_colocated_server_started_anew_during_a_pause_is_not_asked_for_memory_that_it_did_not_release(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> list[Any]:
        await engine.update_weights(Weights(1))
        await engine.pause()
        await fake.__aexit__()
        await until(lambda: "0 of 1 servers" in engine.status())
        fake.label, fake.info["startup_time"] = "default", 2.0
        fake.calls.clear()
        await fake.__aenter__()
        await until(lambda: "1 of 1 servers" in engine.status())
        await engine.resume()
        assert (await engine.generate(request())).weight_versions == [1] * 3
        memory = ("/release_memory_occupation", "/resume_memory_occupation")
        return [path for path in fake.paths() if path in memory]

    assert play(tmp_path, work, colocated=True) == ["/release_memory_occupation", "/resume_memory_occupation"]


def test_an_abort_waits_until_the_pause_is_over_since_a_paused_server_loses_it(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.seconds = 60.0
        call = asyncio.create_task(engine.generate(request()))
        await until(lambda: "/generate" in fake.paths())
        await engine.pause()
        call.cancel()
        await asyncio.sleep(0.4)
        assert "/abort_request" not in fake.paths() and "1 requests running" in engine.status()
        await engine.resume()
        await until(lambda: "/abort_request" in fake.paths())
        await until(lambda: "0 requests running" in engine.status())

    play(tmp_path, work)


def test_an_aborted_request_is_given_back_with_what_it_has(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.mutate = change(finish_reason={"type": "abort", "message": "Aborted", "status_code": None})
        said = await engine.generate(request())
        assert (said.finish, len(said.tokens)) == (Finish.ABORT, 3)

    play(tmp_path, work)


def test_stopping_with_requests_in_flight_and_waiting_fails_them_and_mends_nothing(tmp_path):
    async def work(engine: SglangEngine, fake: FakeSglang) -> None:
        fake.seconds = 60.0
        calls = [asyncio.create_task(engine.generate(request(str(number)))) for number in range(3)]
        await until(lambda: fake.paths().count("/generate") == 1)
        await engine.stop()
        await fake.__aexit__()
        for each in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(each, InfrastructureError)
        before = len(asyncio.all_tasks())
        await asyncio.sleep(0.2)
        assert len(asyncio.all_tasks()) <= before and "0 of 0 servers" in engine.status()

    play(tmp_path, work, requests_per_server=1, attempts=1)


# --- servers that cannot be used -------------------------------------------------------------------------------------


def refuse(folder: Path, prepare: Callable[[FakeSglang], object], **settings: Any) -> str:
    async def scenario() -> str:
        fake, other = FakeSglang(), FakeSglang()
        prepare(fake)
        async with fake, other:
            with pytest.raises((UserError, InfrastructureError)) as caught:
                async with running(folder, fake, other, **settings):
                    pass
        return str(caught.value)

    return asyncio.run(scenario())


HASTE = {"startup_seconds": 1.0}


@pytest.mark.parametrize(
    ("prepare", "settings", "why"),
    [
        (lambda fake: fake.faults.update({"/model_info": (404, {})}), {}, "urls of its workers"),
        (lambda fake: setattr(fake, "defaults", {"top_k": 3}), {}, "--preferred-sampling-params"),
        (lambda fake: setattr(fake, "label", "other"), {}, "hold different weights: default, other"),
        (lambda fake: fake.info.update(dp_size=2), {"weight_transport": "distributed"}, "data-parallel"),
        (lambda fake: fake.info.update(device="cuda"), {"colocated": True}, "--enable-memory-saver"),
        (
            lambda fake: fake.faults.update({"/ready": (503, {})}),
            {"startup_seconds": 1.0},
            "after 1 s: it is not ready",
        ),
        (lambda fake: fake.faults.update({"/server_info": HALF}), HASTE, "after 1 s: .*server_info"),
    ],
)
def test_servers_that_cannot_be_used_are_refused_at_the_start_with_the_reason(tmp_path, prepare, settings, why):
    assert re.search(why, refuse(tmp_path, prepare, **settings))


def test_settings_that_would_not_be_read_are_refused():
    with pytest.raises(ValidationError, match="servers: not read when urls are given"):
        SglangSettings(urls=("http://a",), servers=2)
    with pytest.raises(ValidationError, match="bucket_mib: not read with weight_transport=disk"):
        SglangSettings(bucket_mib=9)
    with pytest.raises(ValidationError, match="named twice"):
        SglangSettings(urls=("http://a", "http://a"))


def test_without_sglang_installed_the_transport_by_tensors_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sglang.srt.utils", None)
    monkeypatch.setitem(sys.modules, "sglang", None)
    assert "agent-rl[sglang]" in refuse(tmp_path, lambda fake: None, weight_transport="tensor")
