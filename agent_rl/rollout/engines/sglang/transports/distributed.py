"""Weights through process groups beside torch's default one, to servers on any machine.

Each server has a group of its own with the trainer as rank 0: when one dies, the others' broadcasts go on.
"""

import asyncio
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed import distributed_c10d

from agent_rl.clients.sglang_answers import SOURCE
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import in_thread
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.transports.base import Bucket, Failures, R, Receiver, begin, buckets, each

_c10d: Any = distributed_c10d  # torch has no public way to a group beside the default one


@dataclass
class _Group:
    """A server's group."""

    name: str
    handle: Any
    device: torch.device

    def broadcast(self, bucket: Bucket) -> None:
        """Send tensors as rank 0, in order."""
        for _, tensor in bucket:
            here = tensor.to(self.device).contiguous()
            options = dist.BroadcastOptions()
            options.rootRank, options.rootTensor = 0, 0
            self.handle.broadcast([here], options).wait()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class DistributedTransport:
    """Gathers each bucket once and broadcasts it in every server's group, all at the same time."""

    keeps = False

    def __init__(self, bucket_bytes: int, seconds: float) -> None:
        """Send buckets of `bucket_bytes`; no collective takes longer than `seconds`."""
        self._bytes = bucket_bytes
        self._seconds = seconds
        self._groups: dict[Any, _Group] = {}

    async def prepare(self, weights: Weights) -> None:
        """Nothing can be done before."""

    async def send(self, receivers: Sequence[R], weights: Weights) -> Failures[R]:
        """Let every server join a group if it is not in one, and broadcast."""
        failures = await each(receivers, self._join)
        await each(receivers, begin, failures)
        source = buckets(weights, self._bytes, receivers)
        while bucket := await in_thread(lambda: next(source, None)):

            async def load(receiver: R, bucket: Bucket = bucket) -> None:
                await self._broadcast(receiver, bucket)

            await each(receivers, load, failures)
        await each(receivers, lambda receiver: receiver.client.end_update(), failures)
        for receiver in failures:
            self.forget(receiver)
        return failures

    def forget(self, receiver: Receiver) -> None:
        """Leave its group."""
        group = self._groups.pop(receiver, None)
        if group is not None:
            dist.destroy_process_group(group.handle)

    async def close(self, receivers: Sequence[Receiver]) -> None:
        """Leave all groups."""
        joined = [receiver for receiver in receivers if receiver in self._groups]
        await each(joined, lambda receiver: receiver.client.leave_group(self._groups[receiver].name))
        for receiver in list(self._groups):
            self.forget(receiver)

    async def _join(self, receiver: R) -> None:
        if receiver in self._groups:
            return
        on_gpu = receiver.facts.device.startswith("cuda") and torch.cuda.is_available()
        backend, device = ("nccl", torch.device("cuda")) if on_gpu else ("gloo", torch.device("cpu"))
        name, world = f"agent_rl_{uuid.uuid4().hex}", 1 + receiver.facts.tensor_parallel
        address = _address_towards(receiver.client.url)
        timeout = timedelta(seconds=self._seconds)
        # The store listens before the server is told to come, at a port that nobody can take in between.
        store = TCPStore(address, 0, world, is_master=True, timeout=timeout, wait_for_workers=False)
        joining = receiver.client.join_group(name, address, store.port, world, backend)
        handle = await _both(joining, lambda: _make_group(name, store, world, backend, timeout))
        self._groups[receiver] = _Group(name, handle, device)

    async def _broadcast(self, receiver: R, bucket: Bucket) -> None:
        group = self._groups[receiver]
        names = [name for name, _ in bucket]
        dtypes = [str(tensor.dtype).removeprefix("torch.") for _, tensor in bucket]
        shapes = [list(tensor.shape) for _, tensor in bucket]
        receiving = receiver.client.update_from_group(group.name, names, dtypes, shapes)
        await _both(receiving, lambda: group.broadcast(bucket))


async def _both(call: Any, work: Any) -> Any:
    """Run the server's half, `call`, and ours, `work` in a thread; return what `work` does.

    When one fails the other is not waited for: it could only time out.
    """
    theirs, ours = asyncio.ensure_future(call), asyncio.ensure_future(in_thread(work))
    try:
        return (await asyncio.gather(theirs, ours))[1]
    except InfrastructureError:
        raise
    except Exception as error:  # torch raises several types
        raise InfrastructureError(SOURCE, f"the process group failed: {type(error).__name__}: {error}") from error
    finally:
        for future in (theirs, ours):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            future.cancel()


def _make_group(name: str, store: Store, world: int, backend: str, timeout: timedelta) -> Any:
    """Return a process group that is not torch's default one, under the keys at which a server looks for its peers."""
    handle, _ = _c10d._new_process_group_helper(
        world, 0, [], _c10d.Backend(backend), PrefixStore(name, store), group_name=name, timeout=timeout
    )
    _c10d._world.pg_group_ranks[handle] = {rank: rank for rank in range(world)}
    return handle


def _address_towards(url: str) -> str:
    """Return the address of this machine at which the host of `url` can reach it."""
    host = urlsplit(url).hostname or "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # connecting a datagram socket sends nothing
        probe.connect((host, 9))
        address: str = probe.getsockname()[0]
    return address
