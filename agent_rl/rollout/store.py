"""The store: trajectories in files, one JSON line each, compressed with zstandard."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from agent_rl.core.files import open_atomic
from agent_rl.core.trajectory import Trajectory

_CHUNK = 1 << 16  # compressed bytes read at once


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Write a `.jsonl.zst` file, whole or not at all."""
    compressor = zstandard.ZstdCompressor()
    with open_atomic(path) as file, compressor.stream_writer(file, closefd=False) as stream:
        for trajectory in trajectories:
            stream.write(json.dumps(trajectory.to_json()).encode() + b"\n")


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


def parse_trajectory(line: str) -> Trajectory:
    """Return the trajectory in a line."""
    return Trajectory.from_json(json.loads(line))
