"""The second reading of a run's files, once for each version of the weights: the forward pass."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from agent_rl.core.errors import UserError
from agent_rl.models.loading import load_model
from agent_rl.rollout.audit.findings import Check, Finding, counted
from agent_rl.rollout.audit.forward import Sequence, checkpoint, comparable, compare, first_version
from agent_rl.rollout.audit.gaps import Token
from agent_rl.rollout.audit.numbers import sampled
from agent_rl.rollout.audit.reader import Seen
from agent_rl.rollout.audit.result import Audit, Exhibit
from agent_rl.rollout.audit.source import Recorded, read_step
from agent_rl.tracking.run_folder import RunFolder

_CONTEXT = 12  # tokens before one of the worst that are shown with it


class Weigher:
    """Compares the engine's log-probabilities with those of the weights that sampled."""

    def __init__(self, audit: Audit, folder: RunFolder, recorded: Recorded, seen: Seen) -> None:
        """Tell `audit` what is found among the trajectories `seen`."""
        self._audit, self._folder, self._recorded, self._seen = audit, folder, recorded, seen
        self._changed = self._agree = self._differ = 0

    def compare(self, files: list[tuple[int, Path]], progress: Callable[[int, int], None]) -> None:
        """Compare one version of the weights after the other, so that one model is in memory at a time."""
        missing: dict[str, list[int]] = defaultdict(list)
        versions = self._seen.versions
        for done, version in enumerate(sorted(versions)):
            progress(done, len(versions))
            reason = self._compare_version(version, files)
            if reason:
                missing[reason].append(version)
        for reason, left_out in missing.items():
            count = sum(versions[version].total() for version in left_out)
            text = f"left out: {counted(count, 'trajectories')} of {_ranges(left_out)}"
            self._audit.note(Check.LOGPROBS, f"{text}; {reason}")
        self._conclude()

    def _compare_version(self, version: int, files: list[tuple[int, Path]]) -> str | None:
        """Compare what one version sampled, or say why not."""
        settings = checkpoint(self._folder, self._recorded.model, version)
        if settings is None:
            return "no checkpoint of these weights is kept (trainer.keep_checkpoints)"
        try:
            model, _ = load_model(settings)
        except UserError as error:
            return str(error)
        sequences = self._sequences(version, files, model.get_input_embeddings().num_embeddings)
        for sequence, fresh in compare(model, sequences, self._recorded.sampling.temperature or 1.0):
            self._weigh(sequence, fresh)
        return None

    def _sequences(self, version: int, files: list[tuple[int, Path]], rows: int) -> Iterator[Sequence]:
        """Yield what one version sampled, as far as the model has an embedding for each of its tokens."""
        steps = self._seen.versions[version]
        for step, path in files:
            for saved in islice(read_step(step, path), self._seen.lines[step]) if steps[step] else ():
                trajectory = saved.trajectory
                if trajectory is None or not trajectory.usable or first_version(trajectory) != version:
                    continue
                sequence = comparable(saved.place, trajectory)
                if sequence is None:
                    self._changed += len(trajectory.action_logprobs)
                    continue
                unknown = next((at for at, token in enumerate(sequence.tokens) if not 0 <= token < rows), None)
                if unknown is not None:
                    what = f"token {sequence.tokens[unknown]} is none of the {rows} that the model knows"
                    self._audit.add(saved.place, Finding(Check.LOGPROBS, what, None, unknown), trajectory)
                    continue
                self._changed += len(trajectory.action_logprobs) - len(sequence.targets)
                yield sequence

    def _weigh(self, sequence: Sequence, fresh: list[float]) -> None:
        """Count the gaps of one trajectory. Where its tokens are refuted, they say which side is wrong, no more."""
        place, trajectory = sequence.place, sequence.trajectory
        exhibit = Exhibit(place, trajectory, fresh=dict(zip(sequence.targets, fresh, strict=True)))
        pairs = [
            (turn, position, version, engine, value)
            for (turn, position, engine, version), value in zip(sampled(trajectory), fresh, strict=False)
            if math.isfinite(engine)  # what is not has been said already
        ]
        exhibit.largest = max((_gap(engine, value) for *_, engine, value in pairs), default=0.0)
        key = (place.step, place.line)
        if Check.RENDER in self._seen.unsound.get(key, ()):
            self._agree += exhibit.largest <= self._audit.tolerance
            self._differ += exhibit.largest > self._audit.tolerance
        if key not in self._seen.unsound:
            self._audit.looked(Check.LOGPROBS, trajectories=1, tokens=len(fresh))
            for pair in pairs:
                self._judge(sequence, *pair)
        if key in self._audit.refuted:
            self._audit.refuted[key].fresh, self._audit.refuted[key].largest = exhibit.fresh, exhibit.largest
        elif key not in self._seen.unsound:
            self._audit.show_worst(exhibit)

    def _judge(self, sequence: Sequence, turn: int, position: int, version: int, engine: float, fresh: float) -> None:
        """Count one gap; above the tolerance it is a violation."""
        audit, gap = self._audit, _gap(engine, fresh)
        text, tokens = audit.rerender.text, sequence.tokens
        refuted = gap > audit.tolerance
        worst = math.isfinite(gap) and audit.gaps.add(gap)
        if not refuted and not worst:
            return
        context = text(tokens[max(0, position - _CONTEXT) : position])
        token = tokens[position]
        if worst:
            audit.gaps.keep(
                Token(sequence.place, turn, position, token, version, text([token]), context, engine, fresh)
            )
        if refuted:
            what = f"token {token}: the engine says {engine:.6g}, version {version} of the weights {fresh:.6g}"
            found = f"{engine:.6g}: {context}[{text([token])}]"
            finding = Finding(Check.LOGPROBS, f"{what}, a gap of {gap:.3g}", turn, position, f"{fresh:.6g}", found)
            audit.add(sequence.place, finding, sequence.trajectory)

    def _conclude(self) -> None:
        note = self._audit.note
        if self._seen.unsound:
            count = counted(len(self._seen.unsound), "trajectories")
            note(Check.LOGPROBS, f"left out: {count} whose tokens are refuted above")
        if self._agree:
            text = "with other tokens than their messages make, but the log-probabilities of the weights"
            why = "the engine saw these tokens, so the messages or the renderer are what changed"
            note(Check.LOGPROBS, f"{text}: {counted(self._agree, 'trajectories')}; {why}")
        if self._differ:
            text = "with other tokens than their messages make, and other log-probabilities"
            why = "the engine did not see these tokens"
            note(Check.LOGPROBS, f"{text}: {counted(self._differ, 'trajectories')}; {why}")
        if self._changed:
            text = "not comparable, because the weights changed before them in their episode"
            note(Check.LOGPROBS, f"{text}: {counted(self._changed, 'tokens')}")


def _gap(engine: float, fresh: float) -> float:
    """Return how far two log-probabilities are apart, infinitely far when the fresh one is no number."""
    return abs(engine - fresh) if math.isfinite(fresh) else math.inf


def _ranges(versions: list[int]) -> str:
    """Write `[1, 2, 3, 7]` as `versions 1-3, 7`."""
    runs: list[list[int]] = []
    for version in versions:
        if runs and version == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], version]
        else:
            runs.append([version])
    return f"version{'s'[: len(versions) > 1]} {', '.join('-'.join(map(str, run)) for run in runs)}"
