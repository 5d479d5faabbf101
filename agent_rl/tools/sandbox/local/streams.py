"""What a run writes, read while it runs."""

import asyncio
import os
from collections.abc import Callable

_CHUNK = 65536


class Output:
    """One pipe out of a run: keeps its beginning."""

    def __init__(self, most: int, exceeded: Callable[[], None]) -> None:
        """Keep `most` bytes, and call `exceeded` at the first one more."""
        self._most, self._exceeded = most, exceeded
        self._reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reading, False)
        self._kept: list[bytes] = []
        self._room = most
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reading, self._read)

    @property
    def content(self) -> bytes:
        """What has been kept."""
        return b"".join(self._kept)

    def handed(self) -> None:
        """Close the end that others write to, who have it now. Harmless twice."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def finish(self) -> None:
        """Read what is there still, once nobody writes any more; and close. Harmless twice."""
        self.handed()
        if self._reading >= 0:
            while not self.over and self._read():
                pass
            self._loop.remove_reader(self._reading)
            os.close(self._reading)
            self._reading = -1

    def _read(self) -> bool:
        """Read a part; return False when there is no more at present."""
        try:
            data = os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._reading)
            return False
        if self._room:
            self._kept.append(data[: self._room])
        if len(data) > self._room and not self.over:
            self.over = True
            self._exceeded()
        self._room = max(0, self._room - len(data))
        return True
