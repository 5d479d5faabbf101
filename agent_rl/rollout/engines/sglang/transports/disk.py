"""Weights through a folder that the trainer and every server see."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open

from agent_rl.clients.sglang_answers import SOURCE
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import in_thread
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.transports.base import Failures, R, Receiver, each


class DiskTransport:
    """Keeps the newest version on disk: a server that comes back gets it from there."""

    keeps = True

    def __init__(self, folder: Path) -> None:
        """Keep it below `folder`."""
        self._folder = folder
        self._saved: Path | None = None

    async def prepare(self, weights: Weights) -> None:
        """Write the checkpoint, while the servers still generate, and forget the one before."""
        target = self._folder / f"version_{weights.version}"

        def write() -> None:
            if target.exists():
                shutil.rmtree(target)
            target.mkdir(parents=True)
            weights.save(target)
            _check(target)

        try:
            await in_thread(write)
        except Exception as error:
            raise InfrastructureError(
                SOURCE, f"weights cannot be written to {target}: {type(error).__name__}: {error}"
            ) from error
        old, self._saved = self._saved, target
        if old is not None and old != target:
            shutil.rmtree(old, ignore_errors=True)

    async def send(self, receivers: Sequence[R], weights: Weights) -> Failures[R]:
        """Let every server load the folder."""
        saved = self._saved
        assert saved is not None, "prepare comes first"
        return await each(receivers, lambda receiver: receiver.client.update_from_disk(saved))

    def forget(self, receiver: Receiver) -> None:
        """Nothing is kept of it."""

    async def close(self, receivers: Sequence[Receiver]) -> None:
        """Remove what is on disk."""
        if self._saved is not None:
            shutil.rmtree(self._saved, ignore_errors=True)
            self._saved = None


def _check(folder: Path) -> None:
    """Read the headers of all tensors: a server that is given a damaged file dies.

    Raises:
        OSError: There is no file of weights.
        safetensors.SafetensorError: One is damaged or not complete.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise OSError("the checkpoint has no .safetensors file")
    for file in files:
        with safe_open(file, framework="pt"):
            pass
