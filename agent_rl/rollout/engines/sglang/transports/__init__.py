"""Ways for new weights to reach servers while these have requests in flight."""

from pathlib import Path

from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.engines.sglang.transports.base import Receiver, Transport
from agent_rl.rollout.engines.sglang.transports.disk import DiskTransport

__all__ = ["Receiver", "Transport", "make_transport"]


def make_transport(settings: SglangSettings, folder: Path) -> Transport:
    """Return the transport that `settings` name; `folder` is where one may keep files.

    Raises:
        UserError: It needs something that is not installed.
    """
    if settings.weight_transport == "disk":
        return DiskTransport(folder)
    if settings.weight_transport == "tensor":
        from agent_rl.rollout.engines.sglang.transports.tensor import TensorTransport

        return TensorTransport(settings.bucket_mib * 2**20)
    from agent_rl.rollout.engines.sglang.transports.distributed import DistributedTransport

    return DistributedTransport(settings.bucket_mib * 2**20, settings.update_seconds)
