"""One server for all tests that need no other."""

from collections.abc import Iterator

import pytest

from tests.tools.sandbox.served.fake import FakeSandbox, served


@pytest.fixture(scope="session")
def served_fake() -> Iterator[FakeSandbox]:
    fake = FakeSandbox()
    with served(fake) as fake.url:
        yield fake


@pytest.fixture
def fake(served_fake: FakeSandbox) -> FakeSandbox:
    """A sandbox that runs nothing, behind a server at its `url`."""
    served_fake.reset()
    return served_fake
