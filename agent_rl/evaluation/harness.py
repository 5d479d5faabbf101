"""Measuring a model on a split: the same code before, during and after training, and for `agent-rl eval`."""

from collections.abc import Sequence
from itertools import islice

from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group
from agent_rl.envs.base import AgentEnv
from agent_rl.evaluation.figures import Prices
from agent_rl.evaluation.folder import EvaluationFolder, Keeper
from agent_rl.evaluation.results import Results, Subject, summarize
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.feed import Progress
from agent_rl.rollout.flights import Landed
from agent_rl.rollout.manager import RolloutManager


def measure(
    manager: RolloutManager,
    env: AgentEnv,
    subject: Subject,
    tasks: int,
    folder: EvaluationFolder,
    *,
    sampling: Sampling | None = None,
    prices: Prices | None = None,
    resumable: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Measure the manager's engine on the first `tasks` tasks of a split, and write what was found into `folder`.

    The random streams hang on the seed, the split, whether tokens are drawn at all, and the task: an evaluation in the
    middle of training moves nothing else, and one that is resumed draws as if it had never stopped.

    Args:
        manager: Plays the episodes.
        env: Gives the tasks.
        subject: What is measured, and how.
        tasks: How many of the split's tasks, from the first on.
        folder: Where it is recorded.
        sampling: How tokens are drawn; by default at the subject's temperature, from all of them.
        prices: What a hosted model's tokens cost.
        resumable: Keep every group as soon as it has ended, and do not play again what is kept already.
        progress: Called with the number of finished episodes and of all.

    Raises:
        FailureBudgetError: Too many episodes failed for good. What has ended stays kept.
        StorageError: The results cannot be written.
    """
    chosen = list(islice(env.task_set(subject.split), tasks))
    stream = stream_of(subject)
    sampling = sampling or Sampling(temperature=subject.temperature)

    def play(kept: Sequence[Group] = (), landed: Landed | None = None) -> list[Group]:
        known = {group.task_id: group for group in kept}
        there = {place: known[task.id] for place, task in enumerate(chosen) if task.id in known}
        return manager.run(chosen, subject.n, sampling, stream, progress, landed, there)

    if resumable:
        kept = folder.kept()
        with Keeper(folder) as keeper:
            groups = play(kept, keeper.keep)
    else:
        groups = play()
    results = summarize(groups, subject, prices)
    folder.record(groups, results)
    return results


def stream_of(subject: Subject) -> int:
    """Return what seeds the episodes of an evaluation, each by its task, place and sample below it."""
    return derive(subject.seed, "evaluation", subject.split, "sampled" if subject.temperature else "greedy")
