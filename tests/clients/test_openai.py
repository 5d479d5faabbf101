"""The client of OpenAI-compatible endpoints: every failure is told apart by who can mend it, and keys stay secret."""

import asyncio
import time
from email.utils import formatdate
from typing import Any

import pytest

from agent_rl.clients.http import retry_after
from agent_rl.clients.openai import ChatClient, Completion, ContextLengthError
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, user
from agent_rl.core.outcome import InfrastructureError
from tests.fake_openai import FakeOpenAI, Reply, refuse, say, serving

KEY = "sk-very-secret"
QUESTION = [user("3+4?")]
TOOL = {"type": "function", "function": {"name": "add", "description": "", "parameters": {"type": "object"}}}


def ask(fake: FakeOpenAI, times: int = 1, seconds: float = 60.0, key: str | None = KEY, **options: Any) -> Any:
    """Ask `times` at once; return the last answer."""

    async def asking() -> Completion:
        client = ChatClient(fake.url, "m", key, **{"backoff_seconds": 0.01} | options)
        try:
            requests = [client.complete(QUESTION, [TOOL], {"temperature": 0.0}, seconds=seconds) for _ in range(times)]
            return (await asyncio.gather(*requests))[-1]
        finally:
            await client.close()

    return asyncio.run(asking())


def first(*replies: Reply):
    """Give `replies`, then say 7."""
    return lambda body, number: replies[number] if number < len(replies) else say("7")


def test_a_completion_is_asked_for_with_the_key_and_read():
    with serving(lambda body, _: say("7", usage=(11, 3))) as fake:
        said = ask(fake)
    assert said == Completion(assistant("7"), "stop", 11, 3)
    assert fake.keys == [f"Bearer {KEY}"]
    assert fake.bodies == [{"model": "m", "messages": QUESTION, "tools": [TOOL], "temperature": 0.0}]


def test_without_a_key_none_is_sent():
    with serving(first()) as fake:
        ask(fake, key=None)
    assert fake.keys == [None]


@pytest.mark.parametrize(
    "trouble",
    [
        refuse(429, "slow down"),
        refuse(429, "slow down", {"Retry-After": "0.05"}),
        refuse(500, "oops"),
        refuse(503, "overloaded", {"Retry-After": "0"}),
        Reply(502, b"<html>bad gateway</html>"),
        Reply(drop=True),
    ],
)
def test_what_waiting_can_mend_is_sent_again(trouble):
    with serving(first(trouble, trouble, trouble)) as fake:
        assert ask(fake).message == assistant("7")
    assert len(fake.bodies) == 4


def test_a_rest_that_the_endpoint_wants_holds_for_all_requests(monkeypatch):
    waits: list[float] = []
    sleep = ChatClient._sleep

    async def recorded(self, seconds: float) -> None:
        waits.append(seconds)
        await sleep(self, seconds)

    monkeypatch.setattr(ChatClient, "_sleep", recorded)
    with serving(first(refuse(429, "slow down", {"Retry-After": "0.3"}))) as fake:
        ask(fake, times=6, connections=1)
    assert len(fake.bodies) == 7
    assert max(waits) > 0.2


def test_an_outage_that_outlasts_the_attempts_is_a_failure_of_the_infrastructure():
    with (
        serving(lambda body, _: refuse(500, f"no memory for {KEY}")) as fake,
        pytest.raises(InfrastructureError, match=r"answered 500: no memory for \*\*\* \(attempt 3 of 3\)"),
    ):
        ask(fake, attempts=3)
    assert len(fake.bodies) == 3


def test_an_endpoint_that_wants_too_long_a_rest_is_not_waited_for():
    with (
        serving(lambda body, _: refuse(429, "come tomorrow", {"Retry-After": "86400"})) as fake,
        pytest.raises(InfrastructureError, match=r"come tomorrow .*wants 86400 s of rest"),
    ):
        ask(fake)
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refuse(401, f"Incorrect API key provided: {KEY}"), r"answered 401: Incorrect API key provided: \*\*\*"),
        (refuse(403, "not allowed"), "answered 403: not allowed"),
        (refuse(404, "no such model", code="model_not_found"), "does the endpoint have the model 'm'"),
        (refuse(402, "pay first"), "answered 402: pay first"),
        (refuse(429, "You exceeded your quota", code="insufficient_quota"), "You exceeded your quota"),
        (refuse(400, "use max_completion_tokens", param="max_tokens"), "the request's field 'max_tokens'"),
        (Reply(301, b"", {"Location": "https://elsewhere"}), "answered 301: https://elsewhere"),
    ],
)
def test_what_only_the_user_can_mend_is_told_once_and_not_sent_again(reply, told):
    with serving(lambda body, _: reply) as fake, pytest.raises(UserError, match=told) as caught:
        ask(fake)
    assert KEY not in str(caught.value)
    assert len(fake.bodies) == 1


def test_a_missing_key_is_told_with_where_it_is_looked_for():
    with (
        serving(lambda body, _: refuse(401, "who are you?")) as fake,
        pytest.raises(UserError, match="there is no key in MY_KEY"),
    ):
        ask(fake, key=None, missing_key="there is no key in MY_KEY")


def test_an_address_at_which_nothing_listens_is_told_to_the_user():
    with serving(first()) as fake:
        pass
    with pytest.raises(UserError, match=r"the endpoint cannot be reached: .*ConnectError"):
        ask(fake)


@pytest.mark.parametrize(
    "reply",
    [
        refuse(400, "too long", code="context_length_exceeded", param="messages"),
        refuse(400, "This model's maximum context length is 8 tokens"),
        Reply(400, b'{"object": "error", "message": "longer than the model\'s context length"}'),
    ],
)
def test_a_conversation_that_is_too_long_for_the_model_is_told_apart(reply):
    with serving(lambda body, _: reply) as fake, pytest.raises(ContextLengthError):
        ask(fake)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b"null", b'{"choices": []}', b'{"choices": [{"message": null}]}', b"\xff"]
)
def test_an_answer_that_is_no_completion_is_a_failure_of_the_infrastructure(body):
    with (
        serving(lambda *_: Reply(200, body)) as fake,
        pytest.raises(InfrastructureError, match="answered what is no completion"),
    ):
        ask(fake)


def test_an_endpoint_that_hangs_has_a_deadline():
    with (
        serving(lambda *_: Reply(hang=True)) as fake,
        pytest.raises(InfrastructureError, match=r"did not answer within 0.2 s"),
    ):
        ask(fake, seconds=0.2)


def test_no_more_requests_are_in_flight_than_allowed():
    def slow(body: Any, number: int) -> Reply:
        time.sleep(0.02)
        return say("7")

    with serving(slow) as fake:
        ask(fake, times=20, connections=3)
    assert len(fake.bodies) == 20
    assert fake.most_at_once <= 3


def test_retry_after_is_read_as_seconds_or_as_a_date():
    assert retry_after("2.5") == 2.5
    assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
    assert [retry_after(header) for header in ("", "soon", "-3", "nan", formatdate(0))] == [0.0] * 5


def test_half_of_a_surrogate_pair_survives_the_wire():
    with serving(lambda body, _: say(body["messages"][0]["content"])) as fake:

        async def asking() -> Completion:
            client = ChatClient(fake.url, "m")
            try:
                return await client.complete([user("a\ud800b")], [], {}, seconds=60)
            finally:
                await client.close()

        assert asyncio.run(asking()).message["content"] == "a\ud800b"
