"""`agent-rl eval --dry-run`: what would be played, in words, before anything is loaded."""

from collections.abc import Iterator

from agent_rl.evaluation.settings import EvalConfig
from agent_rl.rollout.engines.openai.settings import OpenAISettings
from agent_rl.rollout.engines.scripted import ScriptedSettings


def explain(config: EvalConfig) -> Iterator[str]:
    """Yield how much is played, a sentence a line.

    Raises:
        UserError: The environment cannot be made, or the model's context is too short for the limits.
    """
    limits = config.rollout.limits
    if not isinstance(config.engine, OpenAISettings | ScriptedSettings):
        from agent_rl.rollout.engines.build import check_limits  # loads torch, which a hosted model does without

        assert config.model is not None  # which only engines without one of ours lack
        check_limits(config.engine, config.model, limits)
    there = len(config.env.build().task_set(config.split))
    tasks = min(there, config.tasks)
    yield f"Tasks: {there} in {config.split}."
    yield (
        f"Evaluation: {tasks} tasks x {config.n} samples = {tasks * config.n} episodes at temperature "
        f"{config.temperature:g}."
    )
    yield (
        f"An episode has at most {limits.turns} turns of {limits.turn_tokens} sampled tokens and "
        f"{limits.episode_tokens} tokens in all."
    )
