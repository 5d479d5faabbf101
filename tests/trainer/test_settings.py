"""What a training refuses before it begins."""

import pytest

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.trainer.settings import TrainConfig


def test_a_training_that_draws_nothing_is_refused():
    with pytest.raises(UserError, match="temperature=0 cannot be used in training"):
        validate(TrainConfig, compose("train", ["sampling.temperature=0"]))
    assert validate(TrainConfig, compose("train", ["sampling.temperature=0.7"])).sampling.temperature == 0.7
