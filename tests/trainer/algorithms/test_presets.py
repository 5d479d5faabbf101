"""Every preset of the group `algorithm` is one, under its own name."""

import pytest

from agent_rl.config import presets
from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.trainer.settings import TrainConfig


@pytest.mark.parametrize("name", presets("algorithm"))
def test_a_preset_is_valid_and_bears_its_name(name):
    assert validate(TrainConfig, compose("train", [f"algorithm={name}"])).algorithm.name == name


def test_a_setting_that_the_chosen_estimator_does_not_read_is_refused():
    with pytest.raises(UserError, match=r"algorithm.advantage.k"):
        validate(TrainConfig, compose("train", ["algorithm=rloo", "algorithm.advantage.k=2"]))
