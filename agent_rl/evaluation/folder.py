"""The folder of an evaluation: what lies in it, and how it comes there."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.core.trajectory import Group
from agent_rl.evaluation.results import Results
from agent_rl.evaluation.tables import csv_text, markdown_text
from agent_rl.rollout.store import append_frame, recover_frames, write_trajectories


@dataclass(frozen=True)
class EvaluationFolder:
    """The layout of an evaluation's folder."""

    path: Path

    @property
    def results_json(self) -> Path:
        """The results. It is written last: where it is, the evaluation is complete."""
        return self.path / "results.json"

    @property
    def episodes(self) -> Path:
        """All trajectories, in the order of tasks and samples."""
        return self.path / "episodes.jsonl.zst"

    @property
    def partial(self) -> Path:
        """The groups that have ended while the evaluation goes on, each a frame."""
        return self.path / "partial.jsonl.zst"

    @property
    def complete(self) -> bool:
        """Whether everything was played."""
        return self.results_json.exists()

    @property
    def begun(self) -> bool:
        """Whether something was played."""
        return self.complete or self.partial.exists()

    def record(self, groups: Sequence[Group], results: Results) -> None:
        """Write the episodes and the results, and drop the part that is whole now.

        Raises:
            StorageError: They cannot be written.
        """
        write_trajectories(self.episodes, (t for group in groups for t in group.trajectories))
        write_text_atomic(self.path / "results.csv", csv_text({self.path.name: results}))
        write_text_atomic(self.path / "results.md", markdown_text(results))
        write_json_atomic(self.results_json, results.to_json())
        self.partial.unlink(missing_ok=True)

    def kept(self) -> list[Group]:
        """Return the groups of a partial evaluation in which every episode is usable; the others are played again."""
        groups = [Group(frame[0].task_id, frame) for frame in recover_frames(self.partial)]
        last = {group.task_id: group for group in groups}
        return [group for group in last.values() if len(group.usable) == len(group.episodes)]


class Keeper:
    """Appends groups to a partial evaluation as they end, in a thread, so that no episode waits for the disk."""

    def __init__(self, folder: EvaluationFolder) -> None:
        """Write into `folder`."""
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "agent_rl-keeper")
        self._last: Future[None] | None = None

    def __enter__(self) -> "Keeper":
        """Be ready."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until all is written; tell what could not be, unless something else is told already."""
        self._thread.shutdown()
        if error is None and self._last is not None:
            self._last.result()

    def keep(self, group: Group) -> None:
        """Append a group.

        Raises:
            StorageError: One before could not be written.
        """
        if self._last is not None and self._last.done():
            self._last.result()
        self._last = self._thread.submit(append_frame, self._folder.partial, group.trajectories)
