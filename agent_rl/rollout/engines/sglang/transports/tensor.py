"""Weights through shared memory (or CUDA's, between processes), to servers on the trainer's machine."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import multiprocessing

from agent_rl.core.errors import UserError
from agent_rl.core.threads import in_thread
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.engines.sglang.transports.base import Bucket, Failures, R, Receiver, begin, buckets, each


class TensorTransport:
    """Sends flattened buckets as SGLang's own serializer makes them, which must therefore be installed here too."""

    keeps = False

    def __init__(self, bucket_bytes: int) -> None:
        """Send buckets of `bucket_bytes`.

        Raises:
            UserError: SGLang is not installed in this process's environment.
        """
        try:
            from sglang.srt.utils import MultiprocessingSerializer
            from sglang.srt.weight_sync.tensor_bucket import FlattenedTensorBucket
        except ImportError as error:
            raise UserError(
                "engine.weight_transport=tensor needs SGLang in the trainer's own environment (pip install "
                f"'agent-rl[sglang]'), or take disk or distributed: {error}"
            ) from error
        self._serializer: Any = MultiprocessingSerializer
        self._bucket: Any = FlattenedTensorBucket
        self._bytes = bucket_bytes

    async def prepare(self, weights: Weights) -> None:
        """Nothing can be done before."""

    async def send(self, receivers: Sequence[R], weights: Weights) -> Failures[R]:
        """Gather each bucket once and let all servers map it."""
        failures: Failures[R] = await each(receivers, begin)
        source = buckets(weights, self._bytes, receivers)
        while bucket := await in_thread(lambda: next(source, None)):
            flat = await in_thread(partial(self._flatten, bucket))

            async def load(receiver: R, flat: dict[str, Any] = flat) -> None:
                # Serialized for each rank of each server: a mapping of shared memory is good for one reader.
                ranks = range(receiver.facts.tensor_parallel)
                await receiver.client.update_from_tensors([self._serialize(flat) for _ in ranks])

            await each(receivers, load, failures)
            del flat, bucket  # not before all have answered: readers copy out of our memory
        return await each(receivers, lambda receiver: receiver.client.end_update(), failures)

    def forget(self, receiver: Receiver) -> None:
        """Nothing is kept of it."""

    async def close(self, receivers: Sequence[Receiver]) -> None:
        """Nothing is kept."""

    def _flatten(self, bucket: Bucket) -> dict[str, Any]:
        flat = self._bucket(named_tensors=[(name, tensor.contiguous()) for name, tensor in bucket])
        return {"flattened_tensor": flat.get_flattened_tensor(), "metadata": flat.get_metadata()}

    def _serialize(self, flat: dict[str, Any]) -> str:
        """Return the text that a server decodes.

        A process that is not our child can open shared memory only by its file's name; with torch's default, a
        descriptor passed over a socket with a key, the server dies.
        """
        before = multiprocessing.get_sharing_strategy()
        multiprocessing.set_sharing_strategy("file_system")
        try:
            text: str = self._serializer.serialize(flat, output_str=True)
        finally:
            multiprocessing.set_sharing_strategy(before)
        if flat["flattened_tensor"].is_cuda:
            torch.cuda.current_stream().synchronize()
        return text
