"""The working folder of a run: what lies in it before, and what is fetched from it afterwards."""

import os
import stat
from collections.abc import Iterable

from . import wire

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def fill(files: Iterable[tuple[str, int]], contents: bytes) -> None:
    """Write files into the current folder, in which there are no links yet.

    Args:
        files: Relative path and size of each.
        contents: Their contents, one after the other.
    """
    start = 0
    for path, size in files:
        if folder := os.path.dirname(path):
            os.makedirs(folder, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
        wire.write_all(descriptor, contents[start : start + size])
        os.close(descriptor)
        start += size


def fetched(folder: str, paths: Iterable[str], most: int) -> tuple[list[tuple[str, int]], list[bytes]]:
    """Read files that a program has left; its links are not followed, and what is no plain file is left out.

    Args:
        folder: Where they lie.
        paths: Relative to it.
        most: Bytes to read at most; a file that exceeds them is left out.
    """
    names: list[tuple[str, int]] = []
    contents: list[bytes] = []
    for path in paths:
        content = _content(folder, path.split("/"), most)
        if content is not None:
            most -= len(content)
            names.append((path, len(content)))
            contents.append(content)
    return names, contents


def _content(folder: str, parts: list[str], most: int) -> bytes | None:
    """Return the content of a plain file, opened part by part so that no link leads elsewhere."""
    opened = []
    try:
        opened.append(os.open(folder, _FLAGS | os.O_DIRECTORY))
        for part in parts[:-1]:
            opened.append(os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=opened[-1]))
        opened.append(os.open(parts[-1], _FLAGS, dir_fd=opened[-1]))
        found = os.fstat(opened[-1])
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        with open(opened[-1], "rb", closefd=False) as file:
            return file.read(most)
    except OSError:
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)
