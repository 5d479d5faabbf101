"""Paths of files that lie in a program's working folder."""

from collections.abc import Iterable

from agent_rl.core.errors import UserError

_PART, _WHOLE, _DEPTH = 255, 1000, 32


def check(files: Iterable[str], fetch: Iterable[str]) -> None:
    """Refuse paths that are not relative, leave the working folder, or are too long for it.

    Args:
        files: What is to lie there.
        fetch: What is to be brought back.

    Raises:
        UserError: There is such a path, or a file that would have to be a folder as well.
    """
    given = set(files)
    for path in (*given, *fetch):
        parts = path.split("/")
        if "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise UserError(f"{path!r} is no relative path of a file in the working folder")
        if len(parts) > _DEPTH or _bytes(path) > _WHOLE or max(map(_bytes, parts)) > _PART:
            raise UserError(f"{path[:60]!r} … is too long a path of a file in the working folder")
    for path in given:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            if (above := "/".join(parts[:depth])) in given:
                raise UserError(f"{above!r} cannot be a file and, because of {path!r}, a folder")


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
