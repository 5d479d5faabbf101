"""The fresh forward pass: which weights sampled what, where they are, and what they say now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transformers import PreTrainedModel

from agent_rl.core.trajectory import Origin, Trajectory
from agent_rl.models.packed import fresh_logprobs, pack
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.audit.findings import Place
from agent_rl.tracking.run_folder import RunFolder

_TOKENS_AT_ONCE = 8192

TOLERANCES = {"float32": 1e-3, "bfloat16": 0.25}
"""Largest gap that rounding explains, by the type of the weights. In float32 the order of sums moves a log-probability
by 1e-6 to 1e-4. In bfloat16 two neighbouring logits between 16 and 32 are 0.125 apart, so that one rounding more or
less of the token's logit and one of its rivals' already makes 0.25."""


@dataclass(frozen=True)
class Sequence:
    """The part of a trajectory that can be compared, and where the trajectory is.

    Attributes:
        place: Where it is saved.
        trajectory: The whole of it.
        version: The weights that sampled the part.
        tokens: Tokens of the part, from the first one of the trajectory.
        targets: Places of the sampled ones.
    """

    place: Place
    trajectory: Trajectory
    version: int
    tokens: list[int]
    targets: list[int]


def first_version(trajectory: Trajectory) -> int | None:
    """Return the version of the weights that sampled the first token, or None when nothing was sampled."""
    return next((segment.weight_versions[0] for segment in trajectory.segments if segment.weight_versions), None)


def comparable(place: Place, trajectory: Trajectory) -> Sequence | None:
    """Return what of a trajectory a forward pass of one version can be compared with.

    That is all up to where the weights first changed under way: behind it the engine went on from keys and values that
    older weights had computed, which no forward pass of one version repeats.
    """
    version = first_version(trajectory)
    if version is None or trajectory.segments[0].origin is Origin.ACTION:
        return None
    targets: list[int] = []
    at = 0
    for segment in trajectory.segments:
        if segment.began not in (None, version):
            break
        same = next((i for i, v in enumerate(segment.weight_versions) if v != version), len(segment.weight_versions))
        targets += range(at, at + same)
        if same < len(segment.weight_versions):
            break
        at += len(segment.tokens)
    if not targets:
        return None
    return Sequence(place, trajectory, version, trajectory.tokens[: targets[-1] + 1], targets)


def checkpoint(folder: RunFolder, model: ModelSettings, version: int) -> ModelSettings | None:
    """Return how to load a version of the weights: the model the run began with, or a checkpoint that was kept."""
    if version == 0:
        return model.model_copy(update={"device": "auto"})
    path = folder.checkpoints / f"step_{version:06d}"
    if not (path / "config.json").is_file():
        return None
    return model.model_copy(update={"path": str(path), "device": "auto"})


def compare(
    model: PreTrainedModel, sequences: Iterable[Sequence], temperature: float
) -> Iterator[tuple[Sequence, list[float]]]:
    """Yield each sequence with the log-probabilities (nats) that `model` gives its targets."""
    for batch in _batches(sequences):
        pairs = []
        for sequence in batch:
            mask = [False] * len(sequence.tokens)
            for target in sequence.targets:
                mask[target] = True
            pairs.append((sequence.tokens, mask))
        fresh: list[float] = fresh_logprobs(model, pack(pairs).to(model.device), temperature).tolist()
        for sequence in batch:
            yield sequence, fresh[: len(sequence.targets)]
            fresh = fresh[len(sequence.targets) :]


def _batches(sequences: Iterable[Sequence]) -> Iterator[list[Sequence]]:
    """Cut into runs of at most `_TOKENS_AT_ONCE` tokens; a longer sequence is a run of its own."""
    batch: list[Sequence] = []
    for sequence in sequences:
        if batch and sum(len(one.tokens) for one in [*batch, sequence]) > _TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(sequence)
    if batch:
        yield batch
