"""The client of Sandbox Fusion's contract: it repeats what repeating can mend, and nothing else."""

import asyncio
from typing import Any

import pytest

from agent_rl.clients.fusion import FusionClient
from agent_rl.clients.fusion_messages import RunAnswer
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from tests.clients.fake_fusion import fusion, ran

REQUEST = {"code": "print(1)", "language": "python"}


def asked(url: str, attempts: int = 3, seconds: float = 20.0) -> RunAnswer:
    async def ask() -> RunAnswer:
        client = FusionClient(url, 4, attempts, 0.01)
        try:
            return await client.run_code(REQUEST, seconds)
        finally:
            await client.close()

    return asyncio.run(ask())


def test_an_answer_is_read_and_the_request_sent_as_it_is():
    with fusion((200, ran("1\n"))) as server:
        answer = asked(server.url)
    assert answer.run_result is not None and answer.run_result.stdout == "1\n"
    assert server.asked == [REQUEST]


@pytest.mark.parametrize("trouble", [(0, b""), (429, {}, {"Retry-After": "0"}), (502, b"<html>"), (503, {}), (504, {})])
def test_what_may_pass_is_asked_again(trouble: Any):
    with fusion(trouble, trouble, (200, ran("1\n"))) as server:
        assert asked(server.url).status == "Success"
        assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [(0, b""), (429, {}), (503, {})])
def test_what_does_not_pass_is_infrastructure(trouble: Any):
    with fusion(trouble) as server:
        with pytest.raises(InfrastructureError, match="attempt 3"):
            asked(server.url)
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    "trouble",
    [(500, {"detail": "broken"}), (404, {}), (200, b"<html>"), (200, {"status": "Fine"}), (200, b"[]"), (200, b"")],
)
def test_what_repeating_cannot_mend_is_not_repeated(trouble: Any):
    with fusion(trouble) as server:
        with pytest.raises(InfrastructureError):
            asked(server.url)
        assert len(server.asked) == 1


def test_an_answer_that_takes_too_long_is_not_asked_for_again():
    async def silent() -> None:
        requests = 0

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            requests += 1

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        client = FusionClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 1, 3, 0.01)
        with pytest.raises(InfrastructureError, match="did not answer within"):
            await client.run_code(REQUEST, 0.3)
        assert requests == 1
        server.close()

    asyncio.run(silent())


def test_a_server_that_is_not_there_is_infrastructure():
    with fusion((200, {})) as server:
        pass
    with pytest.raises(InfrastructureError, match=r"attempt 3.*ConnectError"):
        asked(server.url)


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_server_refuses_is_told_to_the_user(status: int):
    detail = [{"type": "literal_error", "loc": ["body", "language"], "msg": "Input should be 'python' …"}]
    with fusion((status, {"detail": detail})) as server:
        with pytest.raises(UserError, match=r"refuses the request.*language"):
            asked(server.url)
        assert len(server.asked) == 1


def test_no_more_requests_are_in_flight_than_allowed():
    async def ask() -> int:
        most = now = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal most, now
            while await reader.readline() not in (b"\r\n", b""):
                pass
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            body = RunAnswer.model_validate(ran()).model_dump_json().encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        client = FusionClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 3, 1, 0.01)
        await asyncio.gather(*(client.run_code(REQUEST, 20) for _ in range(10)))
        server.close()
        return most

    assert asyncio.run(ask()) == 3
