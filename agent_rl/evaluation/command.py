"""Measuring one model as `agent-rl eval` does."""

from collections.abc import Iterator
from pathlib import Path

from agent_rl.evaluation.harness import Evaluation, evaluate
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.models.loading import load_model
from agent_rl.rollout.engines.embedded import EmbeddedEngine
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.console import Console


def evaluate_model(config: EvalConfig, console: Console) -> Iterator[tuple[str, Evaluation]]:
    """Yield each mode with what was measured; the trajectories go into `config.out` when it is given."""
    model, tokenizer = load_model(config.model)
    env = config.env.build()
    engine = EmbeddedEngine(model, config.engine)
    rollouts = RolloutManager(engine, Renderer(tokenizer, config.renderer), config.env.build, config.rollout)
    try:
        for mode in config.modes:
            console.phase("evaluate")
            result = evaluate(rollouts, env, config, mode, config.seed, console.progress)
            if config.out:
                write_trajectories(Path(config.out) / f"{mode}.jsonl.zst", result.trajectories)
            yield mode, result
    finally:
        rollouts.close()
