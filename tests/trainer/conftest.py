"""Small models and trajectories made by hand."""

import random

import pytest
from transformers import PreTrainedModel

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.models import attention
from agent_rl.models.scratch import new_model

VOCABULARY = 300


@pytest.fixture
def small_model() -> PreTrainedModel:
    model = new_model(VOCABULARY, 2, 0, seed=11).eval()
    model.set_attn_implementation(attention.NAME)
    return model


def trajectory(rng: random.Random, reward: float, turns: int = 2) -> Trajectory:
    """Return an episode of random tokens with log-probabilities near those of a fresh model."""
    made = Trajectory(f"t{rng.random()}", stop=StopReason.ANSWERED)

    def tokens(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(VOCABULARY) for _ in range(rng.randrange(low, high)))

    made.segments.append(Segment(Origin.PROMPT, tokens(3, 12)))
    for turn in range(turns):
        said = tokens(2, 9)
        logprobs = tuple(rng.uniform(-6.5, -5.0) for _ in said)
        made.segments.append(Segment(Origin.ACTION, said, logprobs, (0,) * len(said)))
        made.turns.append(Turn(reward=reward if turn + 1 == turns else 0.0))
        if turn + 1 < turns:
            made.segments.append(Segment(Origin.OBSERVATION, tokens(2, 9)))
    return made
