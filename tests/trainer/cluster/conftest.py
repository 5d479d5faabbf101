"""One connection to Ray for all tests of a session."""

from collections.abc import Iterator
from typing import Any

import pytest

from agent_rl.trainer.cluster.session import connected


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """A small cluster of the tests' own; runs in this process use it as it is."""
    pytest.importorskip("ray")
    with connected(None, cpus=4, gpus=0) as module:
        yield module
