"""A local sandbox that the tests of a module share."""

import asyncio
from collections.abc import Iterator

import pytest

from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    made = LocalSandbox(LocalSettings())
    yield made
    asyncio.run(made.close())
