"""sandbox=docker, on the engine that DOCKER_HOST and its like name; skipped where none answers or has the image.

The image is that of AGENT_RL_TEST_IMAGE, by default the settings'; it needs python3 and g++.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_WR, socketpair
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("docker", reason="the package docker is not installed: pip install 'agent-rl[docker]'")

from docker import APIClient
from docker.errors import DockerException, ImageNotFound
from docker.utils import kwargs_from_env

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.docker.container import Container, _Attached
from agent_rl.tools.sandbox.docker.sandbox import DockerSandbox
from agent_rl.tools.sandbox.docker.settings import DockerSettings

SETTINGS = DockerSettings(image=os.environ.get("AGENT_RL_TEST_IMAGE", DockerSettings().image))


@pytest.fixture(scope="module")
def engine() -> APIClient:
    try:
        client = APIClient(**kwargs_from_env(), version="auto")
        client.inspect_image(SETTINGS.image)
    except ImageNotFound:
        pytest.skip(f"the Docker engine has no image {SETTINGS.image}")
    except DockerException:
        pytest.skip("no Docker engine answers on this machine")
    return client


@pytest.fixture(scope="module")
def sandbox(engine: APIClient) -> Iterator[DockerSandbox]:
    made = DockerSandbox(SETTINGS)
    yield made
    asyncio.run(made.close())


def ran(sandbox: DockerSandbox, code: str, stdin: str = "", **more: Any) -> Result:
    return asyncio.run(sandbox.run(Program(code, **more), stdin))


def test_a_program_runs_in_a_container_of_its_own(engine: APIClient, sandbox: DockerSandbox):
    code = "import os; print(input(), os.getuid(), sorted(os.listdir('.'))); open('b/c', 'w').write('x')"
    result = ran(sandbox, code, "hello\n", files={"b/a": b"\xff"}, fetch=("b/a", "b/c", "nowhere"))
    assert (result.status, result.exit_code, result.tier) == (Status.FINISHED, 0, "docker")
    assert result.stdout == "hello 65534 ['b', 'main.py']\n"
    assert result.files == {"b/a": b"\xff", "b/c": b"x"}
    assert result.peak_memory_mb and result.peak_memory_mb > 1
    assert not engine.containers(filters={"label": "agent-rl=sandbox"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "limits", "status", "exit_code"),
    [
        ("import sys; sys.exit(7)", {}, Status.ERROR, 7),
        ("import os; os.kill(os.getpid(), 11)", {}, Status.ERROR, -11),
        ("while True: pass", {"seconds": 1}, Status.TIME_LIMIT, None),
        ("while True: print('x' * 1000)", {"output_kb": 10}, Status.OUTPUT_LIMIT, None),
        ("x = b'x' * 10 ** 9", {"memory_mb": 100}, Status.MEMORY_LIMIT, -9),
        ("open('f', 'wb').write(b'x' * 10 ** 7)", {"disk_mb": 5}, Status.ERROR, 1),
        ("open('/etc/f', 'w')", {}, Status.ERROR, 1),
        ("import urllib.request as r; r.urlopen('http://1.1.1.1')", {}, Status.ERROR, 1),
        (
            "import os\nfor _ in range(50): os.fork() or os._exit(os.system('sleep 9'))",
            {"processes": 5},
            Status.ERROR,
            1,
        ),
    ],
)
def test_what_ends_a_program_is_told(
    sandbox: DockerSandbox, code: str, limits: dict[str, Any], status: Status, exit_code: int | None
):
    result = ran(sandbox, code, limits=Limits(**limits))
    assert (result.status, result.exit_code) == (status, exit_code), result.stderr
    assert len(result.stdout) <= 10 << 10


@pytest.mark.slow
def test_a_program_is_compiled_once_for_all_its_inputs(sandbox: DockerSandbox):
    code = "#include <iostream>\nint main() { int x; std::cin >> x; std::cout << 2 * x; }"
    results = asyncio.run(sandbox.run_each(Program(code, "cpp"), ["1", "21"]))
    assert [result.stdout for result in results] == ["2", "42"]
    results = asyncio.run(sandbox.run_each(Program("int main() {", "cpp"), ["1", "21"]))
    assert [(result.stage, result.status) for result in results] == [("compile", Status.ERROR)] * 2
    assert "error" in results[0].stderr


def test_an_image_that_is_not_there_is_the_users(engine: APIClient):
    sandbox = DockerSandbox(DockerSettings(image="agent-rl/not-there:1"))
    with pytest.raises(UserError, match="docker pull"):
        ran(sandbox, "print(1)")
    asyncio.run(sandbox.close())


def test_a_language_that_the_image_lacks_is_the_users(engine: APIClient):
    sandbox = DockerSandbox(SETTINGS.model_copy(update={"languages": ("node", "python")}))
    with pytest.raises(UserError, match="the image has no 'node'"):
        ran(sandbox, "", language="node")
    assert ran(sandbox, "raise SystemExit(127)").exit_code == 127
    asyncio.run(sandbox.close())


def test_an_engine_that_is_not_there_is_infrastructure():
    sandbox = DockerSandbox(DockerSettings(url="unix:///nowhere/docker.sock"))
    assert ran(sandbox, "print(1)").status is Status.INFRASTRUCTURE


def test_what_cannot_be_done_is_the_users():
    sandbox = DockerSandbox(DockerSettings(languages=("python",)))
    with pytest.raises(UserError, match="no 'cpp'"):
        ran(sandbox, "", language="cpp")
    with pytest.raises(UserError, match="working folder"):
        ran(sandbox, "", files={"../x": b""})
    with pytest.raises(UserError, match="no sessions"):
        asyncio.run(sandbox.session())
    with pytest.raises(UserError, match="'rust'"):
        DockerSandbox(DockerSettings(languages=("rsut",)))


class FakeEngine:
    """A fake engine, of which commands close their output at once: when a real one notices their end is not chosen."""

    def __init__(self, exit_code: int, looks: int) -> None:
        self._exit_code, self._looks = exit_code, looks

    def create_host_config(self, **_: object) -> dict[str, Any]:
        return {}

    def create_container(self, *_: object, **__: object) -> dict[str, str]:
        return {"Id": "container"}

    def start(self, _: str) -> None: ...

    def exec_create(self, *_: object, **__: object) -> dict[str, str]:
        return {"Id": "command"}

    def exec_start(self, _: str, socket: bool) -> Any:
        ours, self.engines = socketpair()
        self.engines.shutdown(SHUT_WR)
        return ours

    def exec_inspect(self, _: str) -> dict[str, Any]:
        self._looks -= 1
        return {"Running": self._looks > 0, "ExitCode": None if self._looks > 0 else self._exit_code}


@pytest.mark.parametrize(("looks", "exit_code", "ended"), [(0, 3, ""), (3, 3, ""), (10**6, None, "late")])
def test_a_command_that_closes_its_output_has_not_ended(looks: int, exit_code: int | None, ended: str):
    engine = FakeEngine(3, looks)
    said = Container(engine, SETTINGS, Limits()).execute(["true"], 0.2, 100)
    engine.engines.close()
    assert (said.exit_code, said.ended) == (exit_code, ended)


@given(
    pieces=st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=300))),
    cuts=st.lists(st.integers(1, 200), min_size=1),
)
def test_output_is_told_apart_however_it_arrives(pieces: list[tuple[int, bytes]], cuts: list[int]):
    ours, engines = socketpair()
    with _Attached(ours) as attached, engines:
        attached.send(b"stdin")
        assert engines.recv(100) == b"stdin"
        content = b"".join(bytes([number + 1, 0, 0, 0]) + len(text).to_bytes(4) + text for number, text in pieces)
        received = []
        for cut in [*cuts, len(content)]:  # each part is read before the next is there
            engines.sendall(content[:cut])
            content = content[cut:]
            ours.setblocking(False)
            with suppress(BlockingIOError):
                while piece := attached.receive():
                    received.append(piece)
        engines.shutdown(SHUT_WR)
        assert attached.receive() is None
    assert received == pieces
