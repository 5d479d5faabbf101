"""A pool: the ranks that hold the same workers and make every call together, each in an actor of Ray."""

import logging
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told
from agent_rl.trainer.cluster.base import WorkerLostError
from agent_rl.trainer.cluster.placement import Shape
from agent_rl.trainer.cluster.rank import Make, Rank, Reply

logger = logging.getLogger(__name__)
# For the cause of a failure to show: the collectives of the others fail before Ray says who died.
_GRACE_SECONDS = 5.0
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


@dataclass(frozen=True)
class Place:
    """Where a rank is.

    Attributes:
        host: The address of its machine.
        pid: Of its process.
    """

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Pool:
    """Ranks in a placement group. Calls may come from several threads."""

    def __init__(self, ray: Any, name: str, shape: Shape, make: Make) -> None:
        """Start the ranks and let each make its workers.

        Raises:
            UserError: There is no room for them, or a worker cannot be made.
            WorkerLostError: One died meanwhile.
        """
        self.name, self.shape = name, shape
        self.places: list[Place] = []
        self._ray = ray
        self._order = threading.Lock()  # all ranks make the calls of several threads in one order
        self._actors: list[Any] = []
        self._group: Any = None
        try:
            self._start()
            self.counted: dict[str, Reply] = self._together("make", make, seconds=shape.seconds)
            for reply in self.counted.values():
                _pass_on(reply)
        except BaseException:
            self.close()
            raise

    def call(self, worker: str, method: str, *arguments: Any, **options: Any) -> Reply:
        """Call a method of a worker on all ranks; return what rank 0 says."""
        reply: Reply = self._together("call", worker, method, arguments, options, said=f"{worker}.{method}")
        _pass_on(reply)
        return reply

    def rank_call(self, method: str, *arguments: Any) -> Any:
        """Call a method of all ranks themselves; return what rank 0 says."""
        return self._together(method, *arguments)

    def begin(self, method: str, *arguments: Any) -> list[Any]:
        """Begin a call of a method of all ranks; `end` waits for it."""
        shared = [self._ray.put(argument) for argument in arguments] if len(self._actors) > 1 else arguments
        with self._order:
            return [getattr(actor, method).remote(*shared) for actor in self._actors]

    def end(self, begun: Sequence[Any], said: str, seconds: float | None = None) -> Any:
        """Wait for a call and return what rank 0 says.

        Raises:
            UserError: A rank's code failed; its traceback has been logged.
            WorkerLostError: A rank is gone.
        """
        waiting, limit = list(begun), None if seconds is None else time.monotonic() + seconds
        while waiting:
            left = None if limit is None else max(0.0, limit - time.monotonic())
            done, waiting = self._ray.wait(waiting, num_returns=1, timeout=left)
            if not done:
                raise UserError(f"{self.name}: {said} took more than {seconds:g} s; see cluster.start_seconds")
            try:
                self._ray.get(done)
            except self._ray.exceptions.RayError as error:
                self._fail(begun, begun.index(done[0]), error, said)
        return self._ray.get(begun[0])

    def close(self) -> None:
        """End the ranks and give back what they reserved; harmless the second time."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        if self._group is not None:
            self._ray.util.remove_placement_group(self._group)
            self._group = None

    def _together(self, method: str, *arguments: Any, said: str = "", seconds: float | None = None) -> Any:
        return self.end(self.begin(method, *arguments), said or method, seconds)

    def _start(self) -> None:
        ray, shape = self._ray, self.shape
        self._reserve()
        actor = ray.remote(Rank)
        for number in range(shape.ranks):
            strategy = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(self._group, number)
            options = {"num_cpus": shape.cpus, "num_gpus": shape.gpus, "scheduling_strategy": strategy}
            self._actors.append(actor.options(**options).remote(os.getcwd(), shape.cpus))
        each = [rank.place.remote() for rank in self._actors]
        self.end(each, "the start", shape.seconds)
        hosts = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
        self.places = [Place(hosts[node], pid) for node, pid in ray.get(each)]
        if shape.ranks > 1:
            host = self.places[0].host
            port = ray.get(self._actors[0].invite.remote(host, shape.ranks))
            meetings = [
                rank.meet.remote(host, port, number, shape.ranks, shape.backend)
                for number, rank in enumerate(self._actors)
            ]
            self.end(meetings, "the meeting of the ranks", shape.seconds)

    def _reserve(self) -> None:
        """Wait for room for all ranks.

        Raises:
            UserError: There is none.
        """
        ray, shape = self._ray, self.shape
        self._group = ray.util.placement_group([shape.bundle] * shape.ranks, strategy=shape.strategy.upper())
        if self._group.wait(shape.seconds):
            return
        total, free = ray.cluster_resources(), ray.available_resources()
        there = ", ".join(f"{total.get(k, 0):g} {k} of which {free.get(k, 0):g} are free" for k in shape.bundle)
        raise UserError(
            f"the Ray cluster has had no room for {shape.ranks} ranks of {shape} (strategy {shape.strategy}) for "
            f"{shape.seconds:g} s; it has {there}"
        )

    def _fail(self, begun: Sequence[Any], number: int, error: Exception, said: str) -> None:
        """Raise what a failed call means, once it is known whether a rank died."""
        ray = self._ray
        settled, _ = ray.wait(list(begun), num_returns=len(begun), timeout=_GRACE_SECONDS)
        failures = {number: error}
        for reference in settled:
            try:
                ray.get(reference)
            except ray.exceptions.RayError as other:
                failures[begun.index(reference)] = other
        for rank, failure in failures.items():
            if not isinstance(failure, ray.exceptions.RayTaskError):
                raise WorkerLostError(f"{self._named(rank)} died in {said}") from None
        cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
        if isinstance(cause, UserError):
            raise cause
        traceback = _COLOURS.sub("", str(getattr(error, "traceback_str", error)))
        logger.error("%s failed in %s:\n%s", self._named(number), said, traceback)
        raise UserError(f"{self._named(number)} failed in {said}: {told(cause)}") from None

    def _named(self, number: int) -> str:
        place = f" ({self.places[number]})" if self.places else ""
        return f"rank {number} of {self.name}{place}"


def _pass_on(reply: Reply) -> None:
    """Warn here of what rank 0 has warned of; the others warn of the same."""
    for name, level, message in reply.warned:
        logging.getLogger(name).log(level, "%s", message)
