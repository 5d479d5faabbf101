"""sandbox=e2b: E2B's own client against a fake of the service. Not run against the real one, which needs a key."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("e2b", reason="the package e2b is not installed: pip install 'agent-rl[e2b]'")

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.e2b.sandbox import E2bSandbox
from agent_rl.tools.sandbox.e2b.settings import E2bSettings
from tests.tools.sandbox.fake_e2b import FakeE2b, fake_e2b


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeE2b]:
    with pytest.MonkeyPatch.context() as patch, fake_e2b() as fake:
        patch.setenv("E2B_API_KEY", "e2b_0123456789abcdef0123456789abcdef01234567")
        patch.setenv("E2B_HTTP_VERSION", "1.1")
        yield fake


def ran(fake: FakeE2b, code: str, stdin: str = "", **more: Any) -> Result:
    async def run() -> Result:
        sandbox = E2bSandbox(E2bSettings(api_url=fake.url, sandbox_url=fake.url))
        try:
            return await sandbox.run(Program(code, **more), stdin)
        finally:
            await sandbox.close()

    result = asyncio.run(run())
    assert not fake.running
    return result


def test_a_program_runs_in_a_machine_of_its_own(fake: FakeE2b):
    fake.ordered.clear()
    code = "import sys; print(input()); print('err', file=sys.stderr); open('out', 'wb').write(open('in', 'rb').read())"
    result = ran(fake, code, "hello\n", files={"in": b"\0\xff"}, fetch=("out", "nowhere"))
    assert (result.status, result.exit_code, result.tier) == (Status.FINISHED, 0, "e2b")
    assert (result.stdout, result.stderr, result.files) == ("hello\n", "err\n", {"out": b"\0\xff"})
    (order,) = fake.ordered
    assert order["allow_internet_access"] is False and order["templateID"] == "base" and order["timeout"] == 130


@pytest.mark.parametrize(
    ("code", "limits", "status", "exit_code"),
    [
        ("import sys; sys.exit(7)", {}, Status.ERROR, 7),
        ("import os; os.kill(os.getpid(), 9)", {}, Status.ERROR, None),
        ("while True: pass", {"seconds": 0.5}, Status.TIME_LIMIT, None),
        ("while True: print('x' * 1000)", {"output_kb": 10}, Status.OUTPUT_LIMIT, None),
        ("x = bytearray(10 ** 9)", {"memory_mb": 100}, Status.ERROR, 1),
    ],
)
def test_what_ends_a_program_is_told(
    fake: FakeE2b, code: str, limits: dict[str, Any], status: Status, exit_code: int | None
):
    result = ran(fake, code, limits=Limits(**{"processes": 1024, **limits}))
    assert (result.status, result.exit_code) == (status, exit_code), result
    assert len(result.stdout) <= 10 << 10


def test_a_service_that_fails_is_infrastructure(fake: FakeE2b, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fake, "refuse", 500)
    assert ran(fake, "print(1)").status is Status.INFRASTRUCTURE
    monkeypatch.setattr(fake, "url", "http://127.0.0.1:9")
    assert ran(fake, "print(1)").status is Status.INFRASTRUCTURE


def test_a_wrong_key_and_a_missing_one_are_the_users(fake: FakeE2b, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fake, "refuse", 401)
    with pytest.raises(UserError, match="sandbox=e2b"):
        ran(fake, "print(1)")
    monkeypatch.delenv("E2B_API_KEY")
    with pytest.raises(UserError, match="API key"):
        ran(fake, "print(1)")
