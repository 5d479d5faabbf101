"""Measuring one model as `agent-rl eval` does."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from agent_rl.evaluation.harness import Evaluation, evaluate
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.rollout.agents import ChatAgent, MakeAgent, TokenAgent
from agent_rl.rollout.engines.base import Host
from agent_rl.rollout.engines.openai.engine import OpenAIEngine
from agent_rl.rollout.engines.openai.settings import OpenAISettings
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.settings import PlaySettings
from agent_rl.rollout.store import write_trajectories
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.settings import shared
from agent_rl.tracking.console import Console


def evaluate_model(config: EvalConfig, console: Console) -> Iterator[tuple[str, Evaluation]]:
    """Yield each mode with what was measured; the trajectories go into `config.out` when it is given."""
    env = config.env.build()
    with shared(config.tools), using(config.sandbox), tempfile.TemporaryDirectory(prefix="agent_rl_") as scratch:
        engine, make_agent = _speakers(config, Path(config.out or scratch))
        rollouts = RolloutManager(engine, make_agent, config.env.build, _playing(config))
        try:
            for mode in config.modes:
                console.phase("evaluate")
                result = evaluate(rollouts, env, config, mode, config.seed, console.progress)
                if config.out:
                    write_trajectories(Path(config.out) / f"{mode}.jsonl.zst", result.trajectories)
                yield mode, result
        finally:
            rollouts.close()


def _speakers(config: EvalConfig, folder: Path) -> tuple[Host, MakeAgent]:
    """Return the engine, whose servers log into `folder`, and what makes its agents."""
    limits = config.rollout.limits
    if isinstance(config.engine, OpenAISettings):
        hosted = OpenAIEngine(config.engine)
        return hosted, lambda plan, paused: ChatAgent(hosted, limits, plan)
    from agent_rl.models.loading import load_tokenizer  # these load torch, which a hosted model does without
    from agent_rl.rollout.engines.build import Placement, check_limits, make_engine
    from agent_rl.rollout.renderer import Renderer

    assert config.model is not None  # only a hosted model has none
    check_limits(config.engine, config.model, limits)
    renderer = Renderer(load_tokenizer(config.model), config.renderer)
    engine = make_engine(config.engine, Placement(config.model, folder))
    return engine, partial(TokenAgent, engine, renderer, limits)


def _playing(config: EvalConfig) -> PlaySettings:
    """Return the rollout's settings; no more episodes than requests in flight, so that none ages in a queue."""
    if not isinstance(config.engine, OpenAISettings):
        return config.rollout
    most = min(config.rollout.concurrency, config.engine.concurrency)
    return config.rollout.model_copy(update={"concurrency": most})
