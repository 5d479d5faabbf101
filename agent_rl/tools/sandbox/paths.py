"""Paths of a program's files."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from agent_rl.core.errors import UserError


def check_paths(paths: Iterable[str]) -> None:
    """Raise `UserError` for a path that is not one of a file in the working folder."""
    for path in paths:
        pure = PurePosixPath(path)
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in path:
            raise UserError(f"'{path}' is no path in the working folder of a program")
