"""A training run from its configuration to its summary."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.evaluation.report import write_curve, write_report
from agent_rl.models.loading import load_tokenizer
from agent_rl.rollout.agents import token_agent
from agent_rl.rollout.curriculum import make_curriculum
from agent_rl.rollout.engines.build import Placement, make_engine
from agent_rl.rollout.feed import Order
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.renderer import Renderer
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.settings import shared
from agent_rl.tracking import make_tracker
from agent_rl.tracking.base import Tracker
from agent_rl.tracking.console import Console
from agent_rl.tracking.jsonl import truncate_after
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.checkpoints import feed_state, newest_checkpoint
from agent_rl.trainer.cluster.base import Cluster, lost_worker, open_cluster
from agent_rl.trainer.loop import Loop
from agent_rl.trainer.recorder import Recorder
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import begins_with


def train(config: TrainConfig, folder: RunFolder, console: Console, facts: dict[str, Any]) -> dict[str, Any]:
    """Train, evaluate before and after, write the report; return the summary.

    A folder that holds a part of the run already is continued from its newest checkpoint.

    Args:
        config: The run.
        folder: Where it is recorded.
        console: Shows what goes on.
        facts: The content of run.json, for the trackers.
    """
    # Around everything, for the episodes in flight end last.
    with shared(config.tools), using(config.sandbox), open_cluster(config) as cluster:
        trackers = [make_tracker(name, folder, "agent_rl") for name in ["jsonl", *config.tracker]]
        for tracker in trackers:
            tracker.start(facts, config.model_dump(mode="json"))
        while True:
            try:
                return _train(config, folder, console, trackers, cluster)
            except Exception as error:
                lost = lost_worker(error)
                if lost is None:
                    raise
                cluster.outlive(lost)


def _train(
    config: TrainConfig, folder: RunFolder, console: Console, trackers: Sequence[Tracker], cluster: Cluster
) -> dict[str, Any]:
    begun = newest_checkpoint(folder)
    first = begun[1] if begun else 0
    if first > config.trainer.steps:
        raise UserError(f"the run has {first} steps already, more than trainer.steps={config.trainer.steps}")
    folder.drop_after(first)
    truncate_after(folder.metrics_jsonl, first)  # last: what the metrics no longer tell is gone
    checkpoint = begun[0] if begun else None
    team = cluster.team(checkpoint)
    settings = begins_with(config, checkpoint)
    tokenizer = load_tokenizer(settings)
    env = config.env.build()
    engine = make_engine(config.engine, Placement(settings, folder.path, config.rollout.mode, team.model))
    make_agent = partial(token_agent, engine, Renderer(tokenizer, config.renderer), config.rollout.limits)
    rollouts = RolloutManager(engine, make_agent, config.env.build, config.rollout)
    recorder = Recorder(config, folder, console, trackers, tokenizer, env)
    tasks = env.task_set("train")
    curriculum = make_curriculum(tasks, config.rollout.curriculum, config.seed, config.eval.success_at)
    order = Order(
        curriculum.task if curriculum else partial(tasks.at, seed=config.seed),
        config.trainer.tasks,
        config.algorithm.samples,
        config.sampling,
        config.seed,
        config.algorithm.beside,
        curriculum,
    )
    loop = Loop(config, tasks, rollouts, team, recorder)
    try:
        rollouts.follow(order, config.rollout, first, feed_state(begun[0]) if begun else {})
        rollouts.update_weights(recorder.weights(first, team.policy))
        if not first:
            recorder.evaluate("before", rollouts)
        recorder.evaluate_between(first, rollouts)  # which a run that was killed may not have come to
        loop.run(first)
        recorder.wait()
        rollouts.unfollow()
        recorder.evaluate("after", rollouts)
    finally:
        try:
            recorder.close()
        finally:
            rollouts.close()
    summary = recorder.summary()
    write_curve(folder)
    write_report(folder)
    return summary
