"""The store: trajectories in files, one JSON line each, compressed with zstandard."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from agent_rl.core.files import open_atomic, storing
from agent_rl.core.trajectory import Trajectory

_CHUNK = 1 << 16  # compressed bytes read at once


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Write a `.jsonl.zst` file, whole or not at all."""
    compressor = zstandard.ZstdCompressor()
    with open_atomic(path) as file, compressor.stream_writer(file, closefd=False) as stream:
        for trajectory in trajectories:
            stream.write(_line(trajectory))


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """Yield the trajectories of a `.jsonl.zst` file, one at a time."""
    return map(parse_trajectory, read_lines(path))


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a `.jsonl.zst` file, one at a time.

    Raises:
        ValueError: The file breaks off; the lines before that have been yielded.
        zstandard.ZstdError: The file is damaged.
    """
    stream = zstandard.ZstdDecompressor().decompressobj()
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            *lines, rest = (rest + stream.decompress(chunk)).split(b"\n")
            for line in lines:
                yield line.decode()
    if rest or not stream.eof:
        raise ValueError(f"{path} breaks off")


def append_frame(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Append trajectories to a file as a zstd frame of their own, and wait until the disk has it.

    Raises:
        StorageError: It cannot be written.
    """
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(map(_line, trajectories)))
    with storing(path), path.open("ab") as file:
        file.write(frame)
        file.flush()
        os.fsync(file.fileno())


def recover_frames(path: Path) -> list[list[Trajectory]]:
    """Return the trajectories of each frame of a file that `append_frame` wrote; none where there is no file.

    What follows the last whole frame was being written when the process or the machine died. It is cut off, so that
    the file can be appended to.

    Raises:
        StorageError: It cannot be cut off.
    """
    frames: list[list[Trajectory]] = []
    if not path.exists():
        return frames
    whole = 0
    with path.open("rb") as file:
        for text, end in _frames(file):
            frames.append([parse_trajectory(line.decode()) for line in text.split(b"\n")[:-1]])
            whole = end
    if whole < path.stat().st_size:
        with storing(path):
            os.truncate(path, whole)
    return frames


def _frames(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield what each frame holds and where it ends, up to the first that is not whole."""
    rest = b""
    while True:
        stream, parts = zstandard.ZstdDecompressor().decompressobj(), []
        while not stream.eof:
            chunk = rest or file.read(_CHUNK)
            if not chunk:
                return
            rest = b""
            try:
                parts.append(stream.decompress(chunk))
            except zstandard.ZstdError:
                return
        rest = stream.unused_data
        yield b"".join(parts), file.tell() - len(rest)


def parse_trajectory(line: str) -> Trajectory:
    """Return the trajectory in a line."""
    return Trajectory.from_json(json.loads(line))


def _line(trajectory: Trajectory) -> bytes:
    return json.dumps(trajectory.to_json()).encode() + b"\n"
