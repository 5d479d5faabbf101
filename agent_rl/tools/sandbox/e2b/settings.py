"""Settings of a hosted sandbox."""

from typing import Literal

from pydantic import PositiveInt

from agent_rl.core.settings import Settings


class E2bSettings(Settings):
    """Programs run at E2B or at a service that speaks its API, each in a fresh machine. Needs `agent-rl[e2b]`.

    The key is read from E2B_API_KEY alone, so that it is in no configuration.
    """

    name: Literal["e2b"] = "e2b"
    """In a machine of E2B or of a service with its API each. Needs `agent-rl[e2b]`; the key is E2B_API_KEY."""
    template: str = "base"
    """What the machines are made from; it needs `bash` and what the languages need."""
    languages: tuple[str, ...] = ("python", "bash")
    """What the template can run."""
    domain: str = ""
    """The service's domain; by default E2B_DOMAIN's, or E2B's own."""
    api_url: str = ""
    """Where machines are ordered, where that is not `https://api.DOMAIN`."""
    sandbox_url: str = ""
    """Where machines are reached, where that does not follow from the domain."""
    concurrency: PositiveInt = 16
    """Machines at one time; others wait, which does not count against their seconds."""
