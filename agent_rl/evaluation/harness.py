"""Measuring a model on a split: the same code before, during and after training, and for `agent-rl eval`."""

from collections.abc import Sequence
from itertools import islice

from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group
from agent_rl.envs.base import AgentEnv
from agent_rl.evaluation.figures import Prices
from agent_rl.evaluation.folder import EvaluationFolder
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
    kept: Sequence[Group] = (),
    landed: Landed | None = None,
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
        kept: Groups that were played before, which are not played again.
        landed: Called, in another thread, with each group when its episodes have ended.
        progress: Called with the number of finished episodes and of all.

    Raises:
        FailureBudgetError: Too many episodes failed for good.
        StorageError: The results cannot be written.
    """
    chosen = list(islice(env.task_set(subject.split), tasks))
    stream = stream_of(subject)
    sampling = sampling or Sampling(temperature=subject.temperature)
    known = {group.task_id: group for group in kept}
    there = {place: known[task.id] for place, task in enumerate(chosen) if task.id in known}
    groups = manager.run(chosen, subject.n, sampling, stream, progress, landed, there)
    results = summarize(groups, subject, prices)
    folder.record(groups, results)
    return results


def stream_of(subject: Subject) -> int:
    """Return what seeds the episodes of an evaluation, each by its task, place and sample below it."""
    return derive(subject.seed, "evaluation", subject.split, "sampled" if subject.temperature else "greedy")
