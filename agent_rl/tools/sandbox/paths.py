"""Paths of a program's files."""

from collections.abc import Iterable

from agent_rl.core.errors import UserError


def check_paths(paths: Iterable[str]) -> None:
    """Refuse paths that are not relative, or leave the working folder.

    Raises:
        UserError: There is such a path.
    """
    for path in paths:
        if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise UserError(f"'{path}' is no relative path of a file in the working folder")
