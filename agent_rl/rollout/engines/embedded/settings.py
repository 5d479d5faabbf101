"""Settings of the embedded engine, apart from the engine and torch with it."""

from typing import Literal

from pydantic import Field

from agent_rl.core.settings import Settings


class EmbeddedSettings(Settings):
    """Settings of the embedded engine."""

    name: Literal["embedded"] = "embedded"
    """The engine."""
    rows: int = Field(default=128, ge=1)
    """Episodes in the cache at once; more wait for a row."""
    join_every: int = Field(default=4, ge=1)
    """Steps between the joining of new turns: more makes larger prefills, fewer makes shorter waits."""
    deterministic: bool = True
    """Wait at each joining for the episodes due there, so that batches do not depend on the speed of tools. Only in
    rollout mode `sync`; the others do not repeat themselves anyway."""
    min_shared_prefix: int = Field(default=8, ge=1)
    """Shortest prefix worth copying from another row."""
