"""Text as it may be shown."""


def printable(text: str) -> str:
    """Write control characters, and halves of surrogate pairs, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
