"""The client of SGLang: every way in which a call fails is one of three errors, and names the url."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent_rl.clients.http import RefusedError, UnreachableError
from agent_rl.clients.sglang import SglangClient, new_id
from agent_rl.clients.sglang_answers import Answer
from agent_rl.core.outcome import InfrastructureError
from tests.clients.fake_sglang import DROP, HALF, HANG, RECORDED, FakeSglang

T = TypeVar("T")


def call(fake: FakeSglang, work: Callable[[SglangClient], Awaitable[T]]) -> T:
    async def scenario() -> T:
        async with fake:
            client = SglangClient(fake.url, 8, generate_seconds=1.0, update_seconds=1.0)
            try:
                return await work(client)
            finally:
                await client.close()

    return asyncio.run(scenario())


async def generate(client: SglangClient) -> Answer:
    return await client.generate(new_id(), [1, 2, 3], {"max_new_tokens": 3}, "key")


def test_an_answer_is_read():
    answer = call(FakeSglang(), generate)
    assert answer.output_ids == [391, 392, 393]
    assert answer.meta_info.output_token_logprobs[0] == (-1.5, 391, None)
    assert answer.meta_info.weight_versions[0].end == 3


@pytest.mark.parametrize("fault", [HALF, HANG, DROP, (500, "?"), (503, "full"), (429, "busy"), (408, "late")])
def test_what_another_server_may_do_better_is_unreachable_and_names_the_url(fault):
    fake = FakeSglang()
    fake.faults["/generate"] = fault
    with pytest.raises(UnreachableError, match=r"sglang: http://127.0.0.1:\d+/generate"):
        call(fake, generate)


def test_nobody_there_is_unreachable():
    async def scenario() -> None:
        async with FakeSglang() as fake:
            client = SglangClient(fake.url, 8, 1.0, 1.0)
        await generate(client)

    with pytest.raises(UnreachableError, match="ConnectError"):
        asyncio.run(scenario())


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_request_itself_caused_is_a_value_error(status):
    fake = FakeSglang()
    fake.faults["/generate"] = (status, {"error": {"message": "too long"}})
    with pytest.raises(ValueError, match="too long"):
        call(fake, generate)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_somebody_else_caused_is_an_infrastructure_failure(status):
    fake = FakeSglang()
    fake.faults["/generate"] = (status, {"error": "no"})
    with pytest.raises(RefusedError):
        call(fake, generate)


def test_a_refused_update_of_the_weights_is_never_a_value_error():
    fake = FakeSglang()
    fake.faults["/update_weights_from_disk"] = (400, {"success": False, "message": "no such folder"})
    with pytest.raises(InfrastructureError, match="no such folder"):
        call(fake, lambda client: client.update_from_disk(Path("/nowhere")))


def test_an_update_that_says_that_it_failed_has_failed_whatever_its_status():
    fake = FakeSglang()
    fake.faults["/end_weight_update"] = (200, {"success": False, "message": "no session"})
    with pytest.raises(InfrastructureError, match="no session"):
        call(fake, lambda client: client.end_update())


def test_no_update_flushes_the_cache_or_aborts_what_runs():
    fake = FakeSglang()

    async def updates(client: SglangClient) -> None:
        await client.update_from_disk(Path("/weights"))
        await client.update_from_tensors(["x"])
        await client.update_from_group("g", ["a"], ["float32"], [[1]])
        await client.name_weights("v")

    call(fake, updates)
    assert [body["flush_cache"] for _, body in fake.calls[:3]] == [False] * 3
    assert fake.calls[3][1] == {"new_version": "v", "abort_all_requests": False}


def without(*path: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def mutate(answer: dict[str, Any]) -> dict[str, Any]:
        inner = answer
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return answer

    return mutate


@pytest.mark.parametrize(
    "mutate",
    [
        without("output_ids"),
        without("meta_info"),
        without("meta_info", "output_token_logprobs"),
        without("meta_info", "weight_versions"),
        without("meta_info", "finish_reason"),
        lambda answer: [answer],
        lambda answer: None,
        lambda answer: b"Internal Server Error",
        lambda answer: b"",
        lambda answer: answer | {"output_ids": ["391"]},
        lambda answer: answer | {"output_ids": [391.0]},
        lambda answer: answer | {"output_ids": [True]},
    ],
)
def test_an_answer_of_another_shape_is_an_infrastructure_failure(mutate):
    fake = FakeSglang()
    fake.mutate = mutate
    with pytest.raises(InfrastructureError, match="/generate"):
        call(fake, generate)


@given(st.data())
def test_no_damage_to_an_answer_raises_anything_else(data):
    """Cut anywhere, a byte changed anywhere: it is read, or it is a validation error, which the client turns."""
    content = bytearray(json.dumps(RECORDED).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(ValidationError):
        assert isinstance(Answer.model_validate_json(cut, strict=True), Answer)


def test_control_calls_do_not_wait_behind_hundreds_of_generations():
    fake = FakeSglang()
    fake.seconds = 30.0

    async def work(client: SglangClient) -> bool:
        calls = [asyncio.create_task(client.generate(new_id(), [1], {"max_new_tokens": 1}, "k")) for _ in range(300)]
        while len(fake.calls) < 300:
            await asyncio.sleep(0.01)
        await client.abort(fake.calls[0][1]["rid"])
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return await client.ready()

    async def scenario() -> bool:
        async with fake:
            client = SglangClient(fake.url, 300, 60.0, 60.0)
            try:
                return await work(client)
            finally:
                await client.close()

    assert asyncio.run(scenario())


@pytest.mark.parametrize("missing", ["max_req_input_len", "tp_size", "device", "internal_states"])
def test_a_server_that_does_not_describe_itself_is_named(missing):
    fake = FakeSglang()
    del fake.info[missing]
    with pytest.raises(InfrastructureError, match=f"does not describe itself.*{missing}"):
        call(fake, lambda client: client.facts())
