"""What a training refuses before it begins."""

import pytest

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.trainer.settings import TrainConfig


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "sampling.top_p=0.95",
            "top_p cannot be used in training: tokens would be drawn from fewer than the loss knows",
        ),
        ("sampling.top_k=20", "top_k cannot be used in training"),
        ("sampling.temperature=0", "temperature=0 cannot be used in training"),
    ],
)
def test_tokens_are_drawn_from_the_distribution_that_the_loss_knows(given, said):
    with pytest.raises(UserError, match=said):
        validate(TrainConfig, compose("train", [given]))
    assert validate(TrainConfig, compose("train", ["sampling.temperature=0.7"])).sampling.temperature == 0.7
