"""What the trainer made of the sampled tokens of a step: a file of arrays beside the step's trajectories.

`learned/step_000001.npz` holds three arrays. `lengths` (int64, `[T]`) are the sampled tokens of each trajectory, in the
order of `trajectories/step_000001.jsonl.zst`. For each of these tokens, one behind the other, `logprobs` (float32,
`[A]`) is its log-probability in nats, in the forward pass before the first optimizer step that saw it or as it was
recomputed before the step, and `advantages` (float32, `[A]`) its advantage; NaN where none was computed.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_rl.core.files import open_atomic

Values = NDArray[np.float32]


def write_learned(path: Path, lengths: list[int], logprobs: Values, advantages: Values) -> None:
    """Write the file of a step, whole or not at all.

    Args:
        path: The file.
        lengths: Sampled tokens of each trajectory of the step.
        logprobs: Of all these tokens, `[A]`; NaN where none was computed.
        advantages: Likewise.
    """
    with open_atomic(path) as file:
        np.savez_compressed(file, lengths=np.array(lengths, np.int64), logprobs=logprobs, advantages=advantages)


def read_learned(path: Path, number: int) -> dict[str, list[float | None]] | None:
    """Return `logprobs` and `advantages` of the sampled tokens of one trajectory; None where there is no such file.

    Raises:
        ValueError: The file is damaged, or not of these trajectories.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            lengths = arrays["lengths"]
            begin, end = int(lengths[:number].sum()), int(lengths[: number + 1].sum())
            return {name: _listed(arrays[name][begin:end]) for name in ("logprobs", "advantages")}
    except FileNotFoundError:
        return None


def _listed(values: NDArray[Any]) -> list[float | None]:
    known = np.isfinite(values)
    return [float(value) if there else None for value, there in zip(values, known, strict=True)]
