"""Files that are either whole or not there: written beside their place, then moved into it."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from agent_rl.core.errors import UserError


class StorageError(UserError):
    """A file cannot be written: the disk is full, read-only, gone."""


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Tell what keeps the block from writing `path` as a `StorageError`, with the path and the system's reason."""
    try:
        yield
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise StorageError(f"cannot write {path}: {reason}") from error


def _reason(error: Exception) -> str | None:
    """Return why the system refused to write; None when the error is about something else."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    number = re.search(r"\(os error (\d+)\)", str(error))  # how libraries written in Rust tell it
    if number:
        return os.strerror(int(number[1]))
    torch_save = "inline_container.cc" in str(error)  # it says where in its code, and nothing of why
    return "not all of it could be written" if torch_save else None


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of `path` when the block ends, and vanishes when it raises.

    A reader, or a run that was killed meanwhile, sees the old file or the new one, never a part of either.

    Raises:
        StorageError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with open_atomic(path) as file:
        file.write(text.encode())


def write_json_atomic(path: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    write_text_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append a line of UTF-8, whole or not at all, to a file to which other threads and processes append as well.

    Raises:
        StorageError: It cannot be written.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # where appending is not atomic, and where not all is written at once
            data = line.encode() + b"\n"
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                data = b"\n" + data  # a writer was killed within its line, which is not to damage this one
            if file.write(data) != len(data):
                file.truncate(end)
                raise OSError("not all of a line could be written")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one when there is no such file."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return value


def cache_folder() -> Path:
    """Return what may be kept from run to run: `AGENT_RL_CACHE`, or `agent_rl` in the user's cache folder."""
    base = os.environ.get("AGENT_RL_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent_rl"
