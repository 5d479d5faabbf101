"""New weights reach a real server by every transport, with requests in flight, and are the trainer's very own."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from agent_rl.clients.sglang import SglangClient
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.models.loading import SHIPPED
from agent_rl.rollout.engines import Finish, Generation
from agent_rl.rollout.engines.sglang import SglangEngine
from tests.sglang_cpu.conftest import LoopThread, Weights, given, request

PROMPT = [5, 6, 7, 8] * 6
TRANSPORTS: dict[str, dict[str, Any]] = {
    "disk": {},
    "tensor": {"bucket_mib": 1},  # several buckets even of a small model
    "distributed": {"bucket_mib": 1},
}


async def checksums(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = (await client.post(f"{url}/weights_checker", json={"action": "checksum"})).json()
    return str(answer["per_engine_checksum"])


def test_every_transport_brings_the_same_weights_and_they_are_the_trainers(loop: LoopThread, url: str, tmp_path: Path):
    async def scenario() -> list[tuple[str, Generation, Weights]]:
        seen = []
        for number, transport in enumerate(TRANSPORTS):
            engine = given([url], tmp_path, weight_transport=transport, **TRANSPORTS[transport])
            await engine.start()
            await engine.update_weights(Weights(1, seed=90 + number))  # something else in between
            weights = Weights(2, seed=7)
            await engine.update_weights(weights)
            seen.append((await checksums(url), await engine.generate(request(PROMPT, 80)), weights))
            await engine.stop()
        return seen

    seen = loop.run(scenario())
    assert len({checksum for checksum, _, _ in seen}) == 1
    for _, said, weights in seen:
        assert said.weight_versions == [2] * 80
        assert said.logprobs == pytest.approx(weights.logprobs(PROMPT, said.tokens), abs=1e-5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_requests_in_flight_go_on_with_the_new_weights_and_name_them_by_token(loop, url, tmp_path, transport):
    old, new = Weights(3, seed=1), Weights(4, seed=2)

    async def scenario() -> tuple[list[Generation], Generation]:
        engine: SglangEngine = given([url], tmp_path, weight_transport=transport, **TRANSPORTS[transport])
        await engine.start()
        await engine.update_weights(old)
        running = [
            asyncio.create_task(engine.generate(request([*PROMPT, i], 150, episode=str(i)))) for i in range(20)
        ]  # more than run at once
        await asyncio.sleep(0.4)
        await engine.update_weights(new)
        late = await engine.generate(request([*PROMPT, 0], 40))  # its prefix is in the cache, from the old weights
        answers = await asyncio.gather(*running)
        await engine.stop()
        return answers, late

    answers, late = loop.run(scenario())
    mixed = [said for said in answers if set(said.weight_versions) == {3, 4}]
    assert len(mixed) >= 10
    for said in answers:
        assert said.finish is Finish.LENGTH and len(said.tokens) == len(said.weight_versions) == 150
        assert all(one <= other for one, other in pairwise(said.weight_versions))
    for i, said in enumerate(answers):
        if said in mixed:
            before = said.tokens[: said.weight_versions.count(3)]
            assert said.logprobs[: len(before)] == pytest.approx(old.logprobs([*PROMPT, i], before), abs=1e-5)
    assert late.weight_versions == [4] * 40
    assert late.logprobs == pytest.approx(new.logprobs([*PROMPT, 0], late.tokens), abs=1e-5)


@pytest.mark.parametrize("colocated", [False, True])
@pytest.mark.parametrize("transport", ["disk", "tensor"])
def test_weights_can_be_updated_during_a_pause(loop, url, tmp_path, transport, colocated):
    new = Weights(6, seed=6)

    async def scenario() -> tuple[Generation, Generation]:
        engine: SglangEngine = given([url], tmp_path, weight_transport=transport, colocated=colocated)
        await engine.start()
        await engine.update_weights(Weights(5, seed=5))
        running = asyncio.create_task(engine.generate(request(PROMPT, 200)))
        await asyncio.sleep(0.3)
        await engine.pause()
        await engine.update_weights(new)
        await asyncio.sleep(0.3)
        assert running.done() == colocated
        await engine.resume()
        first, second = await running, await engine.generate(request(PROMPT, 30))
        await engine.stop()
        return first, second

    first, second = loop.run(scenario())
    assert set(first.weight_versions) == ({5} if colocated else {5, 6})
    assert second.weight_versions == [6] * 30
    assert second.logprobs == pytest.approx(new.logprobs(PROMPT, second.tokens), abs=1e-5)


def test_versions_of_another_run_at_the_same_server_are_not_taken_for_ours(loop, url, tmp_path):
    async def scenario() -> list[int]:
        first, second = given([url], tmp_path / "a"), given([url], tmp_path / "b")
        await first.start()
        await first.update_weights(Weights(17, seed=3))
        await first.stop()
        await second.start()
        said = await second.generate(request(PROMPT, 4))
        await second.stop()
        return said.weight_versions

    assert loop.run(scenario()) == [0] * 4


def test_an_update_left_open_by_a_run_that_died_is_closed(loop, url, tmp_path):
    async def scenario() -> list[int]:
        client = SglangClient(url, 1, 60, 60)
        await client.begin_update()
        await client.close()
        engine = given([url], tmp_path, weight_transport="tensor")
        await engine.start()
        await engine.update_weights(Weights(1, seed=3))
        said = await engine.generate(request(PROMPT, 4))
        await engine.stop()
        return said.weight_versions

    assert loop.run(scenario()) == [1] * 4


def test_weights_that_cannot_be_written_are_an_infrastructure_failure_and_the_old_ones_serve_on(loop, url, tmp_path):
    """A damaged file would kill the server."""

    class Full(Weights):
        def save(self, folder: Path) -> None:
            raise OSError(28, "No space left on device")

    class Cut(Weights):
        def save(self, folder: Path) -> None:
            super().save(folder)
            file = folder / "model.safetensors"
            file.write_bytes(file.read_bytes()[:-100])

    async def scenario() -> list[int]:
        engine = given([url], tmp_path)
        await engine.start()
        for broken, reason in ((Full, "No space left"), (Cut, "SafetensorError")):
            with pytest.raises(InfrastructureError, match=f"cannot be written.*{reason}"):
                await engine.update_weights(broken(1, seed=3))
        said = await engine.generate(request(PROMPT, 4))
        await engine.stop()
        return said.weight_versions

    assert loop.run(scenario()) == [0] * 4


def test_only_the_newest_weights_are_on_disk(loop, url, tmp_path):
    async def scenario() -> list[str]:
        engine = given([url], tmp_path)
        await engine.start()
        for version in (1, 2, 3):
            await engine.update_weights(Weights(version, seed=version))
        left = sorted(path.name for path in (tmp_path / "weights").iterdir())
        await engine.stop()
        return left

    assert loop.run(scenario()) == ["version_3"]


def test_a_group_beside_torchs_default_one_leaves_that_alone(loop, url, tmp_path):
    async def scenario() -> None:
        engine = given([url], tmp_path, weight_transport="distributed")
        await engine.start()
        await engine.update_weights(Weights(1, seed=3))
        await engine.stop()

    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        loop.run(scenario())
        tensor = torch.ones(3)
        torch.distributed.all_reduce(tensor)
        assert tensor.tolist() == [1.0] * 3
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("transport", ["tensor", "distributed"])
def test_weights_of_another_model_are_refused_and_the_server_lives(loop, url, tmp_path, transport):
    """Of another shape it would die, and tensors that it does not know it would ignore."""

    class Other(Weights):
        def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
            for name, tensor in super().tensors():
                yield name, tensor[:-1] if name.endswith("q_norm.weight") else tensor

    async def scenario() -> Generation:
        await given_shipped(url)
        engine = given([url], tmp_path, weight_transport=transport)
        await engine.start()
        with pytest.raises(UserError, match=r"q_norm\.weight has the shape"):
            await engine.update_weights(Other(1, seed=3))
        assert "0 of 1 servers" in engine.status()  # parts of them may have arrived
        await engine.update_weights(Weights(2, seed=4))
        said = await engine.generate(request(PROMPT, 4))
        await engine.stop()
        return said

    assert loop.run(scenario()).weight_versions == [2] * 4


async def given_shipped(url: str) -> None:
    """Let the server load the shipped model from where it stays, unlike the folders of other tests."""
    client = SglangClient(url, 1, 60, 60)
    await client.update_from_disk(SHIPPED)
    await client.close()
