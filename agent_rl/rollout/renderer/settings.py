"""The settings of the renderer."""

from agent_rl.core.settings import Settings


class RendererSettings(Settings):
    """How messages become tokens; what is not said here is derived from the tokenizer's chat template."""

    family: str = "auto"
    """The model family, where the template does not show it: `auto` or a name of the table in docs/renderers.md."""

    call_format: str = "auto"
    """How the policy writes tool calls: `auto` (as the chat template does) or the name of a call format."""

    thinking: bool | None = None
    """Whether the policy thinks before it answers. Unset: what the chat template does by itself. With gpt-oss, which
    always thinks, a high or a low effort."""

    date: str = "2025-01-01"
    """The day (ISO 8601) that chat templates which write the date are told; fixed, so that a run can be repeated."""
