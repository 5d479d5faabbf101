"""The training loop."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch.profiler import record_function

from agent_rl.core.errors import UserError
from agent_rl.core.task import TaskSet
from agent_rl.rollout.feed import Rollout
from agent_rl.rollout.manager import RolloutManager
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.algorithms.filtration import filtered
from agent_rl.trainer.annotate import annotate, noted_metrics
from agent_rl.trainer.batches import Sample, mini_batches, samples
from agent_rl.trainer.learned import Learned
from agent_rl.trainer.metrics import mean, peak_memory_mb, rollout_metrics
from agent_rl.trainer.mismatch import Alarm
from agent_rl.trainer.recorder import Recorder
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import Team


@dataclass
class Loop:
    """The parts of a run, and the loop over them."""

    config: TrainConfig
    tasks: TaskSet
    rollouts: RolloutManager
    team: Team
    recorder: Recorder
    clock: "Clock" = field(init=False)

    def run(self, first: int) -> None:
        """Train from step `first` (counted from 0) to the last."""
        alarm = Alarm(self.config.trainer.mismatch_alarm)
        for step in range(first, self.config.trainer.steps):
            with self.recorder.profile(step + 1):
                self._step(step, alarm)
            self.recorder.evaluate_between(step + 1, self.rollouts)

    def _step(self, step: int, alarm: Alarm) -> None:
        """Roll out, learn, hand on the weights, record."""
        self.clock = Clock(self.recorder)
        with self.clock.phase("rollout"):
            rollout = self.rollouts.next(self.recorder.console.progress)
        with self.clock.phase("update"):
            algorithm, limits = self.config.algorithm, self.config.rollout.limits
            groups, judged = self.team.judge(rollout.groups)
            kept = filtered(groups, algorithm.keep, step)
            noted = annotate(make_batch(kept), self.team.annotators)
            episodes = algorithm.settle(noted, limits.episode_tokens)
            batch = samples(episodes, algorithm.advantage.advantages(episodes))
            learned = Learned()
            metrics = judged | self._update(step, batch, learned) | noted_metrics(episodes)
            alarm.check(step + 1, metrics)
        with self.clock.phase("weights"):
            self.rollouts.update_weights(self.recorder.weights(step + 1, self.team.policy))
        with self.clock.phase("record"):
            self.recorder.prepare(step + 1, rollout, learned, self.team.workers, self.rollouts.feed_state())
        self.recorder.commit(step + 1, self._metrics(step, rollout, batch) | metrics | self.clock.metrics(batch))

    def _update(self, step: int, batch: list[Sample], learned: Learned) -> dict[str, float]:
        """Take the optimizer steps of one rollout; return the mean of each of their metrics.

        Raises:
            UserError: More updates than the budget allows were skipped.
        """
        trainer = self.config.trainer
        parts = mini_batches(batch, trainer.mini_batches)
        each = [self._learn(step, part, learned, first=part is parts[0]) for part in parts]
        skipped = sum(worker.skipped for worker in self.team.workers)
        if skipped > trainer.skipped_budget:
            raise UserError(
                f"{skipped} updates had a loss or gradient that is not finite, more than "
                f"trainer.skipped_budget={trainer.skipped_budget}; a lower optimizer.lr may help"
            )
        names = dict.fromkeys(name for metrics in each for name in metrics)
        return {name: mean(metrics[name] for metrics in each if name in metrics) for name in names}

    def _learn(self, step: int, part: list[Sample], learned: Learned, first: bool) -> dict[str, float]:
        """Let every worker learn from a mini batch, the policy once it is its turn."""
        algorithm, waits = self.config.algorithm, self.config.policy_waits
        steps, each = self.config.trainer.steps, self.config.trainer.mini_batches
        metrics: dict[str, float] = {}
        for worker in self.team.learners:
            metrics |= worker.update(part, steps * each)
        if step >= waits:
            compares = first and "old" not in algorithm.needs  # else engine and trainer have been compared already
            metrics |= self.team.policy.update(part, algorithm, (steps - waits) * each, measure=compares)
        learned.note(part, self.team.policy.computed() if step >= waits else None)
        return metrics

    def _metrics(self, step: int, rollout: Rollout, batch: list[Sample]) -> dict[str, float]:
        metrics = rollout_metrics(rollout, step, self.config.eval.success_at)
        done = (step + 1) * self.config.trainer.tasks
        progress = {"progress/tasks": float(done), "progress/epochs": done / len(self.tasks)}
        return metrics | progress | {"progress/samples": float(len(batch))}


class Clock:
    """Measures the phases of one step and tells the console which one is going on."""

    def __init__(self, recorder: Recorder) -> None:
        """Begin the step."""
        self._console = recorder.console
        self._begun = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside as `name`."""
        self._console.phase(name)
        begun = time.perf_counter()
        with record_function(name):  # for a profile
            yield
        self._seconds[name] = time.perf_counter() - begun

    def metrics(self, batch: list[Sample]) -> dict[str, float]:
        """Return the seconds of each phase and of the step, and the speed: tokens of the batch a second."""
        step = time.perf_counter() - self._begun
        tokens = sum(sample.size for sample in batch)
        sampled = sum(sample.trained for sample in batch)
        return {
            **{f"seconds/{name}": seconds for name, seconds in self._seconds.items()},
            "seconds/step": step,
            "speed/tokens_per_second": tokens / step,
            "speed/sampled_tokens_per_second": sampled / self._seconds["rollout"],
            "memory/peak_mb": peak_memory_mb(),
        }
