"""What tests share: a cache of their own, fixed examples for hypothesis, a small tokenizer and its renderer."""

import os
import signal
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported: no test needs the network

from transformers import PreTrainedTokenizerBase

from agent_rl import make
from agent_rl.core import context
from agent_rl.envs import Demonstration
from agent_rl.models.scratch import train_tokenizer
from agent_rl.rollout.renderer import Renderer

# A shell starts background jobs with SIGINT ignored, and what they start inherits it: Python then installs no handler,
# and the programs that tests interrupt would go on. Who asks for that gets it; the tests are not to depend on it.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep built indexes in a folder of this session, for the processes it starts too; never in the user's cache.

    Where the tests run in several processes, all have the same one: what one has built need not be built again.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_RL_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(autouse=True)
def outside_of_episodes() -> Iterator[None]:
    """Begin each test outside of any episode: one may enter one and never leave it."""
    yield
    context._current.set(None)


@pytest.fixture(scope="session")
def demonstrations() -> list[Demonstration]:
    env = make("search")
    return [env.demonstrate(Random(number)) for number in range(500)]


@pytest.fixture(scope="session")
def tokenizer(demonstrations: list[Demonstration]) -> PreTrainedTokenizerBase:
    return train_tokenizer([shown.messages for shown in demonstrations], demonstrations[0].tools, 512)


@pytest.fixture(scope="session")
def renderer(tokenizer: PreTrainedTokenizerBase) -> Renderer:
    return Renderer(tokenizer)
