"""Thoughts: how families set the reasoning apart from what is said."""

from dataclasses import dataclass

from agent_rl.core.message import Message


@dataclass(frozen=True)
class Thinking:
    """The tags of a thought and the white space that the family's template puts at them."""

    opening: str = "<think>"
    closing: str = "</think>"
    inside: str = "\n"
    after: str = "\n\n"

    def write(self, message: Message) -> str:
        """Return the thought of a message between its tags; nothing if it has none, the tags alone if it is empty."""
        thought = message.get("reasoning_content")
        if thought is None:
            return ""
        return f"{self.opening}{self.inside}{thought}{self.inside}{self.closing}{self.after}"

    def split(self, text: str) -> tuple[str | None, str]:
        """Return the thought (None without one) and the text after it.

        A thought is what stands before the first closing tag, whether the text or the prompt opened it. One that the
        text opens at its beginning and never closes is all there is.
        """
        thought, closed, rest = text.partition(self.closing)
        begun = thought.lstrip()
        if begun.startswith(self.opening):
            return begun[len(self.opening) :].strip(), rest
        return (thought.strip(), rest) if closed else (None, text)
