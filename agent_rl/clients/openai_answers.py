"""What an OpenAI-compatible endpoint answers: completions, and refusals told apart by who can mend them."""

import json
from collections.abc import Collection
from dataclasses import dataclass

import httpx

from agent_rl.clients.http import retry_after
from agent_rl.clients.openai_messages import read_message
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.core.outcome import InfrastructureError

SOURCE = "openai"
"""What failures of endpoints are called."""
_BUSY = frozenset({408, 409, 425, 429})
_REQUESTS_OWN_FAULT = frozenset({400, 413, 422})
_TOO_LONG = ("context_length_exceeded", "context length", "maximum context", "context window")


class ContextLengthError(InfrastructureError):
    """The conversation is longer than the model can read."""


class BusyError(InfrastructureError):
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


class Answers:
    """Reads the answers of one endpoint with one model."""

    def __init__(self, url: str, model: str, key: str | None, missing_key: str) -> None:
        """Read what `url` answers.

        Args:
            url: What stands before `/chat/completions`.
            model: The model's name there.
            key: Is taken out of every text.
            missing_key: What to say when the endpoint wants a key and none was given.
        """
        self._url, self._model, self._key, self._missing_key = url, model, key, missing_key

    def refusal(self, response: httpx.Response) -> Exception:
        """Return the error that stands for an answer other than 200."""
        status = response.status_code
        text, code, parameter = self._told(response)
        said = f"{self._url} answered {status}: {text}"
        if status == 429 and code == "insufficient_quota":
            return UserError(said)
        if status >= 500 or status in _BUSY:
            return BusyError(said, retry_after(response.headers.get("retry-after", "")))
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
        return self.clean(text)[:300], str(fields.get("code") or ""), str(fields.get("param") or "")

    def clean(self, text: str) -> str:
        """Return a text on one line and without the key."""
        return " ".join((text.replace(self._key, "***") if self._key else text).split())

    def completion(self, answer: bytes, taken: Collection[str]) -> Completion:
        """Return the completion in the body of an answer; the ids in `taken` are not given to its calls.

        Raises:
            InfrastructureError: There is none.
        """
        try:
            value = json.loads(answer)
            choice = value["choices"][0]
            said, finish, usage = choice["message"], choice.get("finish_reason"), value.get("usage") or {}
            counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            return Completion(read_message(said, taken), str(finish or "stop"), *counts)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            text = self.clean(answer.decode("utf-8", "replace"))[:100]
            raise InfrastructureError(SOURCE, f"{self._url} answered what is no completion: {text!r}") from error
