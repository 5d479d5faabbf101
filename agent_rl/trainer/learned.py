"""What the trainer makes of each sampled token of a step: collected as it learns, and kept beside the trajectories."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.learned import Arrays, Values, write_learned
from agent_rl.trainer.batches import Sample


class Learned:
    """Collects the trainer's log-probability and the advantage of the tokens of a step."""

    def __init__(self) -> None:
        """Know of none."""
        # By the identity of the segments: a reward model learns from copies of the trajectories, with other rewards.
        self._found: dict[int, tuple[Values, Values]] = {}

    def note(self, part: Sequence[Sample], computed: Tensor | None) -> None:
        """Keep what is known of the tokens of a mini batch.

        Args:
            part: The mini batch.
            computed: Their log-probabilities in the forward pass that they are learned from, `[A]`; None where there
                was none. What was recomputed before the step, the note `old`, goes before it.
        """
        lengths = [sample.trained for sample in part]
        parts = computed.split(lengths) if computed is not None else [None] * len(part)
        for sample, found in zip(part, parts, strict=True):
            logprobs = sample.notes.get("old", found)
            advantages = _values(sample.advantages)
            unknown = np.full_like(advantages, np.nan)
            self._found[id(sample.trajectory.segments)] = unknown if logprobs is None else _values(logprobs), advantages

    def write(self, path: Path, played: Sequence[Trajectory], beside: Sequence[Trajectory]) -> None:
        """Write what is known of the step's trajectories and of those beside them, which all still live.

        Raises:
            StorageError: It cannot be written.
        """
        write_learned(path, self._arrays(played), self._arrays(beside))

    def _arrays(self, trajectories: Sequence[Trajectory]) -> Arrays:
        rows = []
        for trajectory in trajectories:
            unknown = np.full(len(trajectory.action_logprobs), np.nan, np.float32)
            rows.append(self._found.get(id(trajectory.segments), (unknown, unknown)))
        return Arrays.of(rows)


def _values(tensor: Tensor) -> Values:
    values: Values = tensor.float().cpu().numpy()
    return values
