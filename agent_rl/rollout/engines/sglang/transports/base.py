"""What every transport is, and what those that send bucket by bucket share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from agent_rl.clients.sglang import SglangClient
from agent_rl.clients.sglang_answers import Facts
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.transports.fitting import Fitting

if TYPE_CHECKING:
    from torch import Tensor

Bucket = list[tuple[str, "Tensor"]]


class Receiver(Protocol):
    """A server as a transport sees it. Receivers can be keys of a dictionary."""

    client: SglangClient

    @property
    def facts(self) -> Facts:
        """What it says of itself."""
        ...


R = TypeVar("R", bound=Receiver)
Failures = dict[R, InfrastructureError]


class Transport(Protocol):
    """Brings weights to servers.

    Attributes:
        keeps: Whether it keeps what it prepared, so that it can send it again when the trainer has gone on.
    """

    keeps: bool

    async def prepare(self, weights: Weights) -> None:
        """Do what can be done before the servers are paused.

        Raises:
            InfrastructureError: The weights cannot be got.
        """
        ...

    async def send(self, receivers: Sequence[R], weights: Weights) -> Failures[R]:
        """Give `weights` to paused servers, all at the same time; return those that failed, and why.

        The servers' caches are not flushed and their weights get no name.

        Raises:
            InfrastructureError: The weights cannot be got.
        """
        ...

    def forget(self, receiver: Receiver) -> None:
        """A server was lost; if it comes back it knows nothing of what was before."""
        ...

    async def close(self, receivers: Sequence[Receiver]) -> None:
        """Let go of everything; `receivers` are those still in service."""
        ...


async def each(
    receivers: Iterable[R], work: Callable[[R], Awaitable[None]], failures: Failures[R] | None = None
) -> Failures[R]:
    """Do `work` for all at the same time, except those in `failures`; add those that fail and return `failures`."""
    failures = {} if failures is None else failures

    async def one(receiver: R) -> None:
        try:
            await work(receiver)
        except InfrastructureError as error:
            failures[receiver] = error

    await asyncio.gather(*[one(receiver) for receiver in receivers if receiver not in failures])
    return failures


def buckets(weights: Weights, size: int, receivers: Iterable[Receiver]) -> Iterator[Bucket]:
    """Yield the tensors in lists of at most `size` bytes, or of one tensor that is larger.

    Raises:
        UserError: They are not the tensors of the receivers' model.
    """
    fittings = [Fitting(model) for model in {receiver.facts.model for receiver in receivers}]
    bucket: Bucket = []
    held = 0
    for name, tensor in weights.tensors():
        tensor = tensor.detach()
        for fitting in fittings:
            fitting.check(name, tensor)
        needed = tensor.numel() * tensor.element_size()
        if bucket and held + needed > size:
            yield bucket
            bucket, held = [], 0
        bucket.append((name, tensor))
        held += needed
    if bucket:
        yield bucket
    for fitting in fittings:
        fitting.finish()


async def begin(receiver: Receiver) -> None:
    """Begin an update, closing one that was left open by whoever used the server before."""
    try:
        await receiver.client.begin_update()
    except InfrastructureError:
        await receiver.client.end_update()
        await receiver.client.begin_update()
