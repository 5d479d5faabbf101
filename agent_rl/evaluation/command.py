"""Measuring one model as `agent-rl eval` does."""

from functools import partial
from pathlib import Path

from agent_rl.core.files import read_json, write_json_atomic
from agent_rl.envs.base import AgentEnv
from agent_rl.evaluation.figures import Prices
from agent_rl.evaluation.folder import EvaluationFolder, Keeper
from agent_rl.evaluation.harness import measure
from agent_rl.evaluation.results import Results, Subject
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.agents import ChatAgent, MakeAgent, ScriptedAgent, TokenAgent
from agent_rl.rollout.engines.base import Host
from agent_rl.rollout.engines.openai.engine import OpenAIEngine
from agent_rl.rollout.engines.openai.settings import OpenAISettings
from agent_rl.rollout.engines.scripted import ScriptedEngine, ScriptedSettings
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.settings import PlaySettings
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.settings import shared
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder


def evaluate_model(config: EvalConfig, folder: EvaluationFolder, console: Console) -> Results:
    """Measure what `config` names, and record it in `folder`; what is kept there already is not played again."""
    env = config.env.build()
    with shared(config.tools), using(config.sandbox):
        console.phase("load")
        engine, make_agent = _speakers(config, folder.path)
        rollouts = RolloutManager(engine, make_agent, config.env.build, _playing(config))
        try:
            return _measured(config, rollouts, env, folder, console)
        finally:
            rollouts.close()


def _measured(
    config: EvalConfig, rollouts: RolloutManager, env: AgentEnv, folder: EvaluationFolder, console: Console
) -> Results:
    """Measure, and keep each group as soon as it has ended; what is kept already is not played again."""
    kept = folder.kept()
    if kept:
        console.line(f"{len(kept)} tasks have been played already")
    console.phase("evaluate")
    with Keeper(folder) as keeper:
        return measure(
            rollouts,
            env,
            _subject(config),
            config.tasks,
            folder,
            sampling=config.sampling,
            prices=_prices(config),
            kept=kept,
            landed=keeper.keep,
            progress=console.progress,
        )


def _subject(config: EvalConfig) -> Subject:
    """Return what is measured, and how."""
    return Subject(
        env=config.env.name,
        model=config.measured,
        split=config.split,
        n=config.n,
        temperature=config.temperature,
        seed=config.seed,
        success_at=config.success_at,
    )


def _speakers(config: EvalConfig, folder: Path) -> tuple[Host, MakeAgent]:
    """Return the engine, whose servers log into `folder`, and what makes its agents."""
    limits = config.rollout.limits
    if isinstance(config.engine, OpenAISettings):
        hosted = OpenAIEngine(config.engine)
        return hosted, lambda plan, paused: ChatAgent(hosted, limits, plan)
    if isinstance(config.engine, ScriptedSettings):
        return ScriptedEngine(lambda request: []), lambda plan, paused: ScriptedAgent()  # who asks it nothing
    from agent_rl.models.loading import load_tokenizer  # these load torch, which a hosted model does without
    from agent_rl.rollout.engines.build import Placement, check_limits, make_engine
    from agent_rl.rollout.renderer import Renderer

    assert config.model is not None  # which only engines without one of ours lack
    check_limits(config.engine, config.model, limits)
    model = _fixed(config.model, RunFolder(folder))
    renderer = Renderer(load_tokenizer(model), config.renderer)
    engine = make_engine(config.engine, Placement(model, folder))
    return engine, partial(TokenAgent, engine, renderer, limits)


def _fixed(model: ModelSettings, folder: RunFolder) -> ModelSettings:
    """Return the model as it was when the evaluation began: a run may have newer checkpoints since."""
    from agent_rl.models.loading import resolve

    facts = read_json(folder.run_json)
    if "checkpoint" not in facts:
        facts["checkpoint"] = resolve(model.path)
        write_json_atomic(folder.run_json, facts)
    return model.model_copy(update={"path": facts["checkpoint"]})


def _playing(config: EvalConfig) -> PlaySettings:
    """Return the rollout's settings; no more episodes than requests in flight, so that none ages in a queue."""
    if not isinstance(config.engine, OpenAISettings):
        return config.rollout
    most = min(config.rollout.concurrency, config.engine.concurrency)
    return config.rollout.model_copy(update={"concurrency": most})


def _prices(config: EvalConfig) -> Prices | None:
    """Return what the model's tokens cost, where that was told."""
    engine = config.engine
    if not isinstance(engine, OpenAISettings) or engine.price_input is None or engine.price_output is None:
        return None
    return Prices(engine.price_input, engine.price_output)
