"""Chat completions of one OpenAI-compatible endpoint, hosted or local.

What goes wrong is told apart by who can mend it: waiting (the request is repeated here), a fresh attempt later
(`InfrastructureError`), or only the user (`UserError`: a wrong key, an unknown model, a parameter it does not take).
"""

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import httpx

from agent_rl.clients.http import retry_after
from agent_rl.clients.openai_messages import read_message, write_messages
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.core.outcome import InfrastructureError

SOURCE = "openai"
_PATH = "/chat/completions"
_CONNECT_SECONDS = 10.0
_FIRST_ATTEMPTS = 3  # at an endpoint that was never reached: more likely the address is wrong
# Shorter than the 5 s after which uvicorn closes an idle connection: a request never meets one that is just closing.
_KEEPALIVE_SECONDS = 3.0
_LONGEST_BACKOFF = 30.0
_LONGEST_RETRY_AFTER = 120.0  # an endpoint that wants more is out of service
_BUSY = frozenset({408, 409, 425, 429})
_REQUESTS_OWN_FAULT = frozenset({400, 413, 422})
_TOO_LONG = ("context_length_exceeded", "context length", "maximum context", "context window")


class ContextLengthError(InfrastructureError):
    """The conversation is longer than the model can read."""


class _BusyError(InfrastructureError):
    """The endpoint was not reached, or cannot at the moment; after `seconds`, if it said so, it may."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(SOURCE, message)
        self.seconds = seconds


@dataclass(frozen=True)
class Completion:
    """What a model said.

    Attributes:
        message: Its message.
        finish: The endpoint's finish reason: `stop`, `tool_calls`, `length` …
        prompt_tokens: Tokens of the conversation as reported, and
        completion_tokens: of the answer with its thoughts; 0 where the endpoint reports none.
    """

    message: Message
    finish: str
    prompt_tokens: int
    completion_tokens: int


class ChatClient:
    """Calls one endpoint with one model. Belongs to the event loop in which it is first used."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        connections: int = 32,
        attempts: int = 6,
        backoff_seconds: float = 1.0,
        missing_key: str = "no key was given",
        admitted: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
    ) -> None:
        """Call the endpoint at `url`.

        Args:
            url: What stands before `/chat/completions`.
            model: The model's name there.
            key: Sent as the bearer token; it is taken out of every error's text.
            connections: Requests in flight at once; further ones wait.
            attempts: How often a request is sent while the endpoint is busy or out of reach.
            backoff_seconds: Wait before the second attempt; it doubles with each, and is drawn from its upper half.
            missing_key: What to say when the endpoint wants a key and none was given.
            admitted: Is entered around every attempt; what waits there counts for no deadline of this client.
        """
        self.in_flight = self.backing_off = 0
        self._url, self._model, self._key = url.rstrip("/"), model, key
        self._attempts, self._backoff, self._missing_key = attempts, backoff_seconds, missing_key
        self._admitted = admitted
        self._slots = asyncio.Semaphore(connections)
        self._reached = False
        self._not_before = 0.0  # the loop's time before which the endpoint wants no request
        self._http = httpx.AsyncClient(
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not is_local(self._url),  # a proxy of the environment is for what lies outside
        )

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]],
        parameters: Mapping[str, Any],
        *,
        seconds: float,
        reasoning: bool = False,
    ) -> Completion:
        """Return the model's next message.

        Args:
            messages: The conversation.
            tools: What the model may call, in the OpenAI format.
            parameters: Further fields of the request, such as `temperature`; those that are None are left out.
            seconds: Longest wait for one answer; queueing and the waits between attempts do not count.
            reasoning: Send earlier thoughts back.

        Raises:
            UserError: Only the user can mend it.
            ContextLengthError: The conversation is longer than the model can read.
            InfrastructureError: It was not answered, or with something that is no completion.
        """
        body = {"model": self._model, "messages": write_messages(messages, reasoning), **parameters}
        if tools:
            body["tools"] = list(tools)
        body = {name: value for name, value in body.items() if value is not None}
        async with self._slots:
            answer = await self._sent(json.dumps(body).encode(), seconds)
        return self._read(answer, {call["id"] for message in messages for call in message.get("tool_calls", [])})

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _sent(self, body: bytes, seconds: float) -> bytes:
        """Return the body of the answer, in as many attempts as it may take."""
        attempt = 0
        while True:
            attempt += 1
            await self._turn()
            try:
                async with self._admitted():
                    return await self._send(body, seconds)
            except _BusyError as error:
                if not self._reached and attempt >= min(_FIRST_ATTEMPTS, self._attempts):
                    raise UserError(f"the endpoint cannot be reached: {error.message}") from error
                if attempt == self._attempts or error.seconds > _LONGEST_RETRY_AFTER:
                    wanted = f", and wants {error.seconds:.0f} s of rest" if error.seconds else ""
                    text = f"{error.message} (attempt {attempt} of {self._attempts}{wanted})"
                    raise InfrastructureError(SOURCE, text) from error
                await self._back_off(attempt, error.seconds)

    async def _send(self, body: bytes, seconds: float) -> bytes:
        self.in_flight += 1
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.post(
                    self._url + _PATH, content=body, headers={"Content-Type": "application/json"}
                )
        except TimeoutError as error:
            raise InfrastructureError(SOURCE, f"{self._url} did not answer within {seconds:g} s") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            self._reached |= not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            raise _BusyError(self._clean(f"{self._url}: {type(error).__name__} {error}")) from error
        finally:
            self.in_flight -= 1
        self._reached = True
        if response.status_code != 200:
            raise self._refusal(response)
        return response.content

    async def _turn(self) -> None:
        """Wait until the endpoint wants requests again, and a little longer, so that not all come at once."""
        while (rest := self._not_before - asyncio.get_running_loop().time()) > 0:
            await self._sleep(rest + random.uniform(0, self._backoff))

    async def _back_off(self, attempt: int, wanted: float) -> None:
        """Wait before the next attempt; the rest that the endpoint wants holds for all requests."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + wanted)
        longest = min(self._backoff * 2 ** (attempt - 1), _LONGEST_BACKOFF)
        await self._sleep(random.uniform(longest / 2, longest))

    async def _sleep(self, seconds: float) -> None:
        self.backing_off += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.backing_off -= 1

    def _refusal(self, response: httpx.Response) -> Exception:
        """Return the error that stands for an answer other than 200."""
        status = response.status_code
        text, code, parameter = self._told(response)
        said = f"{self._url} answered {status}: {text}"
        if status == 429 and code == "insufficient_quota":
            return UserError(said)
        if status >= 500 or status in _BUSY:
            return _BusyError(said, retry_after(response.headers.get("retry-after", "")))
        if status in _REQUESTS_OWN_FAULT:
            if any(sign in f"{code} {text}".lower() for sign in _TOO_LONG):
                return ContextLengthError(SOURCE, said)
            if parameter and not parameter.startswith("messages"):
                return UserError(f"{said} (the request's field '{parameter}')")
            return InfrastructureError(SOURCE, said)
        if status == 401 and not self._key:
            return UserError(f"{said} ({self._missing_key})")
        if status == 404:
            return UserError(f"{said} (does the endpoint have the model '{self._model}', and is the address right?)")
        return UserError(said)

    def _told(self, response: httpx.Response) -> tuple[str, str, str]:
        """Return an error's text without the key, its code, and the field of the request that it names."""
        try:
            error = json.loads(response.content)
        except ValueError:
            error = None
        error = error.get("error", error) if isinstance(error, dict) else None
        fields = error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}
        text = str(fields.get("message") or response.text or response.headers.get("location") or response.reason_phrase)
        return self._clean(text)[:300], str(fields.get("code") or ""), str(fields.get("param") or "")

    def _clean(self, text: str) -> str:
        """Return a text on one line and without the key."""
        return " ".join((text.replace(self._key, "***") if self._key else text).split())

    def _read(self, answer: bytes, taken: Collection[str]) -> Completion:
        try:
            value = json.loads(answer)
            choice = value["choices"][0]
            said, finish, usage = choice["message"], choice.get("finish_reason"), value.get("usage") or {}
            counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            return Completion(read_message(said, taken), str(finish or "stop"), *counts)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            text = self._clean(answer.decode("utf-8", "replace"))[:100]
            raise InfrastructureError(SOURCE, f"{self._url} answered what is no completion: {text!r}") from error


def is_local(url: str) -> bool:
    """Return whether the address is one of this machine."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
