"""What a run leaves behind: metrics, trajectories, checkpoints, evaluations, the summary."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from transformers import PreTrainedTokenizerBase

from agent_rl.core.files import write_json_atomic
from agent_rl.envs.base import AgentEnv
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.harness import measure
from agent_rl.evaluation.results import Results, Subject, read_results
from agent_rl.rollout.engines.base import Weights
from agent_rl.rollout.feed import Rollout
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.base import Tracker
from agent_rl.tracking.console import Console
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.checkpoint_writer import CheckpointWriter
from agent_rl.trainer.checkpoints import Worker
from agent_rl.trainer.learned import Learned
from agent_rl.trainer.metrics import peak_memory_mb
from agent_rl.trainer.profiles import profiled
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import Policy


class Recorder:
    """Writes into the run folder, tells the trackers and the console, and evaluates."""

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        console: Console,
        trackers: Sequence[Tracker],
        tokenizer: PreTrainedTokenizerBase,
        env: AgentEnv,
    ) -> None:
        """Record the run `config` in `folder`; `env` gives the tasks of evaluations."""
        self.console = console
        self._config, self._folder, self._trackers = config, folder, trackers
        self._tokenizer, self._env = tokenizer, env
        trainer = config.trainer
        self._checkpoints = CheckpointWriter(folder, tokenizer, trainer.keep_checkpoints, trainer.async_checkpoints)

    def weights(self, version: int, policy: Policy) -> Weights:
        """Return the policy's weights as `version`, for the engine."""
        return policy.weights(version, self._tokenizer)

    def profile(self, step: int) -> AbstractContextManager[None]:
        """Return what a step (from 1) happens in: a profiler, where `trainer.profile` names it."""
        if step not in self._config.trainer.profile:
            return nullcontext()
        return profiled(self._folder.profile_file(step), self.console)

    def prepare(
        self, step: int, rollout: Rollout, learned: Learned, workers: Sequence[Worker], feed: dict[str, Any]
    ) -> None:
        """Write the trajectories of a step and, when one is due, its checkpoint beside its place.

        Raises:
            StorageError: One of them, or a checkpoint of an earlier step, cannot be written.
        """
        self._checkpoints.check()
        groups = [*rollout.groups, *rollout.dropped]
        played = [t for group in groups for t in group.trajectories]
        beside = [t for group in groups for t in [*group.baseline, *group.demonstration]]
        write_trajectories(self._folder.trajectories_file(step), played)
        if beside:
            write_trajectories(self._folder.beside_file(step), beside)
        learned.write(self._folder.learned_file(step), played, beside)
        trainer = self._config.trainer
        if step % trainer.checkpoint_every == 0 or step == trainer.steps:
            self._checkpoints.prepare(step, workers, feed)

    def commit(self, step: int, metrics: dict[str, float]) -> None:
        """Write the metrics, then give the checkpoint its name: what a checkpoint has done is always in the metrics."""
        for tracker in self._trackers:
            tracker.log(step, metrics)
        self._checkpoints.commit()
        self.console.step(step, self._config.trainer.steps, metrics)

    def wait(self) -> None:
        """Wait until all checkpoints have their names.

        Raises:
            StorageError: One cannot be written.
        """
        self._checkpoints.wait()

    def close(self) -> None:
        """Let the last checkpoint become whole, however the run has ended; harmless the second time."""
        self._checkpoints.close()

    def evaluate_between(self, step: int, rollouts: RolloutManager) -> None:
        """Evaluate greedily when `eval.every` says so, once; before and after training are `evaluate`'s."""
        every = self._config.eval.every
        if every and step % every == 0 and 0 < step < self._config.trainer.steps:
            self._evaluate(f"step_{step:06d}", step, "greedy", rollouts)

    def evaluate(self, moment: str, rollouts: RolloutManager) -> None:
        """Evaluate in every mode, `before` or `after` training; what is there already from a killed run is kept."""
        step = self._config.trainer.steps if moment == "after" else 0
        for mode in self._config.eval.modes if self._config.eval.tasks else []:
            self._evaluate(moment if mode == "greedy" else f"{moment}_{mode}", step, mode, rollouts)

    def summary(self) -> dict[str, Any]:
        """Write `summary.json` and return it."""
        metrics = read_metrics(self._folder.metrics_jsonl)
        summary: dict[str, Any] = {}
        for name in ("before", "after", "before_sampled", "after_sampled"):
            if self._evaluation(name).complete:
                results = read_results(self._evaluation(name).path)
                summary[name] = _success(results)
                hops = results.by.get("hops", {})
                summary[f"{name}_by_hops"] = {hop: found["success"].mean for hop, found in hops.items() if found}
        summary |= {
            "seconds": sum(line["seconds/step"] for line in metrics),
            "steps": len(metrics),
            "peak_memory_mb": peak_memory_mb(),
        }
        write_json_atomic(self._folder.summary_json, summary)
        for tracker in self._trackers:
            tracker.finish(summary)
        return summary

    def _evaluation(self, name: str) -> EvaluationFolder:
        return EvaluationFolder(self._folder.evaluations / name)

    def _evaluate(self, name: str, step: int, mode: str, rollouts: RolloutManager) -> None:
        """Evaluate the policy as it is after `step`, unless that has been done."""
        place, config = self._evaluation(name), self._config
        if place.complete:
            return
        self.console.phase("evaluate")
        subject = Subject(
            env=config.env.name,
            model=f"{self._folder.path.resolve().name} step {step}" if step else config.model.path,
            split=config.eval.split,
            n=config.eval.samples,
            temperature=1.0 if mode == "sampled" else 0.0,
            seed=config.seed,
            success_at=config.eval.success_at,
        )
        found = measure(rollouts, self._env, subject, config.eval.tasks, place, progress=self.console.progress)
        parts = found.by.items()
        detail = ", ".join(
            f"{attribute}={value} {part['success'].mean:.3f}"
            for attribute, values in parts
            for value, part in values.items()
            if part
        )
        moment = name.removesuffix("_sampled").replace("_", " ")
        reached = f"held-out success, {moment} ({mode}): {_success(found):.3f} on {found.episodes} episodes"
        self.console.line(f"{reached} ({detail})" if detail else reached)


def _success(results: Results) -> float:
    """Return the mean success; 0 where no episode is usable."""
    return results.mean("success") if results.metrics else 0.0
