"""One container: files go in, a command runs, files come out. Plain calls, to be made from a thread."""

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from docker import APIClient
from docker.errors import APIError

from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools.sandbox.archives import packed, unpacked
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.sandbox.docker.settings import DockerSettings

ROOM = "/scratch"
FOLDER = f"{ROOM}/work"
_HEADER = 8  # bytes before each piece of output: its stream, three zeros, and its length
_PATIENCE = 30.0  # seconds in which the engine takes what is sent to it
_MEMORY = (
    """cd /sys/fs/cgroup; cat memory.peak memory.events memory/memory.max_usage_in_bytes memory/memory.oom_control"""
)
_POLL = 0.2  # seconds after which an output that stays silent is looked at again
_SOON = 0.02  # seconds after which a command is looked at again whose output has ended
_LIFE = 120.0  # seconds that a container lives beyond its program's: it ends by itself when we are gone
_GONE = frozenset({404, 409})  # it is removed, or just being removed


@dataclass
class Said:
    """What a command wrote, and how it ended.

    Attributes:
        streams: Standard output and standard error.
        exit_code: None where it did not end by itself.
        ended: `late` or `over`, when its time or its output was over the limit; else empty.
        seconds: Wall-clock seconds.
    """

    streams: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    exit_code: int | None = None
    ended: str = ""
    seconds: float = 0.0


class Container:
    """A container without network, capabilities and anything to write to but a folder in memory."""

    def __init__(self, engine: APIClient, settings: DockerSettings, limits: Limits) -> None:
        """Create and start it; it ends by itself some time after `limits.seconds`.

        Raises:
            docker.errors.DockerException: The engine does not.
        """
        self._engine = engine
        host = engine.create_host_config(
            network_mode="none",
            mem_limit=f"{limits.memory_mb}m",
            memswap_limit=f"{limits.memory_mb}m",
            pids_limit=limits.processes + 2,  # sleep, and what looks into it
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs={ROOM: f"rw,exec,nosuid,nodev,mode=0777,size={limits.disk_mb}m"},
            auto_remove=True,
            runtime=settings.runtime or None,
        )
        created = engine.create_container(
            settings.image,
            ["sh", "-c", f"mkdir {FOLDER} && exec sleep {limits.seconds + _LIFE:.0f}"],
            entrypoint="",
            user=settings.user,
            environment={"HOME": FOLDER, "TMPDIR": FOLDER, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            labels={"agent-rl": "sandbox"},
            host_config=host,
        )
        self._name: str = created["Id"]
        engine.start(self._name)

    def put(self, files: Mapping[str, bytes], seconds: float) -> None:
        """Write files, by their paths below `ROOM`.

        Raises:
            InfrastructureError: They could not be written.
            docker.errors.DockerException: The engine does not.
        """
        said = self.execute(["tar", "-xf", "-", "-C", ROOM], seconds, 1 << 16, packed(files))
        if said.exit_code != 0:
            raise InfrastructureError(
                "sandbox", f"no files in the container: {said.streams[1].decode(errors='replace')}"
            )

    def get(self, paths: Sequence[str], seconds: float, most: int) -> dict[str, bytes]:
        """Return those of the files in the working folder that are there, at most `most` bytes in all."""
        command = ["sh", "-c", 'tar -cf - -- "$@" 2>/dev/null', "sh", *paths]
        return unpacked(bytes(self.execute(command, seconds, most).streams[0])) if paths else {}

    def lacks(self, command: str, seconds: float) -> bool:
        """Return whether the image has no such command."""
        return self.execute(["sh", "-c", 'command -v "$1"', "sh", command], seconds, 1 << 16).exit_code != 0

    def memory(self, seconds: float) -> tuple[float | None, bool]:
        """Return the most memory used so far in MiB, None where the kernel does not say, and whether it ran out."""
        words = bytes(self.execute(["sh", "-c", _MEMORY], seconds, 1 << 16).streams[0]).decode().split()
        peaks = [int(word) for before, word in pairwise(["", *words]) if word.isdigit() and not before.isalpha()]
        kills = [int(word) for before, word in pairwise(words) if before == "oom_kill"]
        return (max(peaks) / 2**20 if peaks else None), any(kills)

    def execute(self, command: Sequence[str], seconds: float, most: int, stdin: bytes = b"") -> Said:
        """Run a command in the working folder, for at most `seconds` and `most` bytes of each stream.

        A command that is over a limit still runs afterwards, until the container is removed.

        Raises:
            docker.errors.DockerException: The engine does not.
        """
        name = self._engine.exec_create(self._name, list(command), stdin=True, workdir=FOLDER)["Id"]
        begun, said = time.monotonic(), Said()
        with _Attached(self._engine.exec_start(name, socket=True)) as attached:
            attached.send(stdin)
            while not said.ended and (piece := attached.receive()) is not None:
                stream, content = piece
                said.streams[stream].extend(content)
                if len(said.streams[stream]) > most:
                    said.ended = "over"
                elif time.monotonic() - begun > seconds:
                    said.ended = "late"
                elif not content and not self._engine.exec_inspect(name)["Running"]:
                    break  # what it has left behind holds the stream open
        if not said.ended:
            said.exit_code = self._exit_code(name, begun + seconds)
            said.ended = "late" if said.exit_code is None else ""
        said.seconds = time.monotonic() - begun
        return said

    def _exit_code(self, name: str, deadline: float) -> int | None:
        """Wait for the end of a command that has closed its output; None where it goes on after the deadline."""
        while (command := self._engine.exec_inspect(name))["Running"] or command["ExitCode"] is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(_SOON)
        exit_code: int = command["ExitCode"]
        return exit_code

    def remove(self) -> None:
        """End and remove it; harmless when that has happened."""
        try:
            self._engine.remove_container(self._name, force=True, v=True)
        except APIError as error:
            if error.status_code not in _GONE:
                raise


class _Attached:
    """What the engine relays to and from a command."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._socket.settimeout(_PATIENCE)
        self._received = bytearray()

    def __enter__(self) -> "_Attached":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def send(self, stdin: bytes) -> None:
        """Send standard input to its end."""
        self._socket.sendall(stdin)
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(_POLL)

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next piece of output and its stream, 0 or 1; an empty one after a silence, None at the end."""
        while True:
            length = int.from_bytes(self._received[4:_HEADER])
            if len(self._received) >= _HEADER + length and len(self._received) >= _HEADER:
                stream, content = self._received[0] - 1, bytes(self._received[_HEADER : _HEADER + length])
                del self._received[: _HEADER + length]
                return stream, content
            try:
                piece = self._socket.recv(1 << 16)
            except TimeoutError:
                return 0, b""
            if not piece:
                return None
            self._received += piece
