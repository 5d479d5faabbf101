"""Real SGLang servers on the CPU: two of them, shared by all tests here."""

import asyncio
import importlib.util
import threading
from collections.abc import Coroutine, Iterator
from copy import copy, deepcopy
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from transformers import PreTrainedModel

from agent_rl.models.loading import SHIPPED, ModelSettings, load_model
from agent_rl.models.packed import fresh_logprobs, pack
from agent_rl.rollout.engines import Request, Sampling
from agent_rl.rollout.engines.sglang import SglangEngine, SglangSettings

T = TypeVar("T")
VOCABULARY = 512
ARGUMENTS = (
    "--device=cpu",
    "--attention-backend=torch_native",
    "--dtype=float32",
    "--max-total-tokens=8192",
    "--max-running-requests=16",
    "--sleep-on-idle",  # two servers would otherwise take both cores of a small machine to look for work
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.slow)
        if importlib.util.find_spec("sglang") is None:
            item.add_marker(pytest.mark.skip(reason="SGLang is not installed here; make test-sglang runs these"))


class LoopThread:
    """An event loop that lives as long as the servers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 120) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


class Weights:
    """The shipped model (seed 0), or one of its shape with fresh weights."""

    current = True

    def __init__(self, version: int, seed: int) -> None:
        self.version = version
        self.model: PreTrainedModel = load_model(ModelSettings(device="cpu"))[0]
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.model.parameters() if seed else []:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * 0.05 if parameter.dim() > 1 else 1.0
                )

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.model.named_parameters()

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)

    def logprobs(self, prompt: list[int], said: list[int], temperature: float = 1.0) -> list[float]:
        """Log-probabilities of `said` behind `prompt` by a forward pass of ours, in the model's precision."""
        packed = pack([(prompt + said, [False] * len(prompt) + [True] * len(said))])
        return fresh_logprobs(self.model, packed, temperature).tolist()

    def double(self) -> "Weights":
        """The same weights in float64."""
        other = copy(self)
        other.model = deepcopy(self.model).double()
        return other


def request(tokens: list[int], new: int, **rest: Any) -> Request:
    fields: dict[str, Any] = {"stop_tokens": frozenset(), "seed": 1, "sampling": Sampling(), "episode": "e"} | rest
    return Request("user's own id", fields.pop("episode"), tokens, new, **fields)


def given(urls: list[str], folder: Path, **settings: Any) -> SglangEngine:
    """An engine over servers that run already, with quick looks at them."""
    return SglangEngine(
        SglangSettings(urls=tuple(urls), **({"probe_seconds": 0.5} | settings)), "tiny", VOCABULARY, folder
    )


@pytest.fixture(scope="session", autouse=True)
def without_a_gpu() -> Iterator[None]:
    """Let SGLang take the CPU, in the servers and, for its serializer, here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"SGLANG_USE_CPU_ENGINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def started(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SglangEngine]:
    """An engine that has started two servers."""
    settings = SglangSettings(servers=2, arguments=ARGUMENTS, startup_seconds=400, probe_seconds=0.5, attempts=4)
    engine = SglangEngine(settings, str(SHIPPED), VOCABULARY, tmp_path_factory.mktemp("servers"))
    loop.run(engine.start(), 450)
    yield engine
    loop.run(engine.stop())


@pytest.fixture(scope="session")
def url(started: SglangEngine) -> str:
    """A server that runs already, with whatever weights the last test gave it."""
    return started.urls[0]


@pytest.fixture(scope="session")
def shipped() -> Weights:
    return Weights(0, 0)
