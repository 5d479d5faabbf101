"""How a request, and the report on it, lie in a file or go through a pipe: a header in JSON, then contents."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

_LENGTH = 4  # bytes that hold the length of the header


def packed(header: Mapping[str, Any], contents: Iterable[bytes] = ()) -> bytes:
    """Return a header and contents as one run of bytes; the header says how long each content is."""
    text = json.dumps(header).encode()
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, *contents))


def unpacked(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header, and all contents.

    Raises:
        ValueError: It is no such thing, or cut short.
    """
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    if len(data) < max(start, _LENGTH + 2):
        raise ValueError("it is cut short")
    return json.loads(data[_LENGTH:start]), data[start:]


def read_all(descriptor: int) -> bytes:
    """Return what a file holds from where it is read."""
    return os.read(descriptor, os.fstat(descriptor).st_size)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
