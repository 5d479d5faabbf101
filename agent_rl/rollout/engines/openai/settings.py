"""Settings of hosted models."""

from typing import Any, Literal

import httpx
from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from agent_rl.core.settings import Settings

_OURS = ("model", "messages", "tools", "stream", "n")


class OpenAISettings(Settings):
    """Settings of a model behind an OpenAI-compatible endpoint; for evaluation."""

    name: Literal["openai"] = "openai"
    """The engine."""
    model: str = Field(min_length=1)
    """The model's name at the endpoint."""
    url: str = "https://api.openai.com/v1"
    """The endpoint: what stands before `/chat/completions`."""
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; without one, none is sent. The key itself is never recorded."""
    concurrency: PositiveInt = 32
    """Requests in flight at once; no more episodes play at once either."""
    attempts: PositiveInt = 6
    """How often a request is sent while the endpoint is busy or out of reach, with growing waits between."""
    length_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The request's field for the longest answer; OpenAI's reasoning models want `max_completion_tokens`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request, such as `reasoning_effort`; null leaves out one that is sent otherwise, such as
    `temperature` or `seed`."""
    price_input: NonNegativeFloat | None = None
    """US dollars per million tokens that the model reads; with `price_output`, results tell what an episode cost."""
    price_output: NonNegativeFloat | None = None
    """US dollars per million tokens that the model writes."""
    return_reasoning: bool = False
    """Send earlier thoughts back as `reasoning_content`, as models want that think between their calls of tools."""

    @model_validator(mode="after")
    def _both_prices(self) -> "OpenAISettings":
        """Refuse half a price, of which nothing can be told."""
        if (self.price_input is None) != (self.price_output is None):
            raise ValueError("price_input and price_output are given together, or neither")
        return self

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        """Refuse what is no address, and one that holds a secret: addresses are recorded."""
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"no address: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError("an address begins with http:// or https:// and a host")
        if parts.userinfo or parts.query or parts.fragment:
            raise ValueError("an address has no user, password or query; the key is read from engine.key_variable")
        return url

    @field_validator("parameters")
    @classmethod
    def _further(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        taken = [name for name in _OURS if name in parameters]
        if taken:
            raise ValueError(f"'{taken[0]}' is not a parameter to set")
        return parameters
