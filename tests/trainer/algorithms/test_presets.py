"""Presets of the group `algorithm`: each bears its name, and their parts read what they are given."""

import pytest
import yaml

from agent_rl.config.compose import PRESETS, compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.trainer.settings import TrainConfig


@pytest.mark.parametrize("file", sorted((PRESETS / "algorithm").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_preset_bears_its_name(file):
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert written.get("algorithm", written)["name"] == file.stem


def test_dapo_also_replaces_groups_without_signal():
    config = validate(TrainConfig, compose("train", ["algorithm=dapo", "algorithm.overlong.penalty=0.5"]))
    assert config.rollout.dynamic_sampling and config.algorithm.overlong.share == 0.2
    assert config.algorithm.overlong.penalty == 0.5 and config.algorithm.name == "dapo"


def test_a_setting_that_the_chosen_estimator_does_not_read_is_refused():
    with pytest.raises(UserError, match=r"algorithm.advantage.k"):
        validate(TrainConfig, compose("train", ["algorithm=rloo", "algorithm.advantage.k=2"]))
