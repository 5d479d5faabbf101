"""What the trainer made of the sampled tokens of a step: a file of arrays beside the step's trajectories.

`learned/step_000001.npz` holds three arrays. `lengths` (int64, `[T]`) are the sampled tokens of each trajectory, in the
order of `trajectories/step_000001.jsonl.zst`. For each of these tokens, one behind the other, `logprobs` (float32,
`[A]`) is its log-probability in nats, in the forward pass before the first optimizer step that saw it or as it was
recomputed before the step, and `advantages` (float32, `[A]`) its advantage; NaN where none was computed.
`beside_lengths` and so on say the same of `beside/step_000001.jsonl.zst`, if there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_rl.core.files import open_atomic

Values = NDArray[np.float32]
_NAMES = ("logprobs", "advantages")


@dataclass(frozen=True)
class Arrays:
    """What is known of the sampled tokens of some trajectories.

    Attributes:
        lengths: Sampled tokens of each trajectory, `[T]`.
        logprobs: Of all these tokens, `[A]`; NaN where none was computed.
        advantages: Likewise.
    """

    lengths: NDArray[np.int64]
    logprobs: Values
    advantages: Values

    @classmethod
    def of(cls, rows: Sequence[tuple[Values, Values]]) -> "Arrays":
        """Return the log-probabilities and advantages of each trajectory as arrays of all."""
        empty = np.zeros(0, np.float32)
        lengths = np.array([len(logprobs) for logprobs, _ in rows], np.int64)
        logprobs, advantages = ([empty, *column] for column in (zip(*rows, strict=True) if rows else ([], [])))
        return cls(lengths, np.concatenate(logprobs), np.concatenate(advantages))


def write_learned(path: Path, played: Arrays, beside: Arrays | None = None) -> None:
    """Write the file of a step, whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    arrays = dict(vars(played))
    if beside is not None and len(beside.lengths):
        arrays |= {f"beside_{name}": array for name, array in vars(beside).items()}
    with open_atomic(path) as file:
        np.savez_compressed(file, **arrays)


def read_learned(path: Path, number: int, beside: bool = False) -> dict[str, list[float | None]] | None:
    """Return what is known of the sampled tokens of one trajectory, in order, by `logprobs` and `advantages`.

    Args:
        path: The file of a step; where there is none, nothing is known: None.
        number: The place of the trajectory in its file.
        beside: Whether that is the file of what was played beside the step's episodes.

    Raises:
        KeyError: The file says nothing of such trajectories.
        ValueError: It is damaged.
        zipfile.BadZipFile: Likewise.
    """
    prefix = "beside_" if beside else ""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            lengths = arrays[f"{prefix}lengths"]
            begin, end = int(lengths[:number].sum()), int(lengths[: number + 1].sum())
            return {name: _listed(arrays[f"{prefix}{name}"][begin:end]) for name in _NAMES}
    except FileNotFoundError:
        return None


def _listed(values: NDArray[Any]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
