"""The tutorial's environment is learned: the shipped model finds more numbers after some steps than before."""

from statistics import mean

import pytest

from agent_rl.cli.main import main
from agent_rl.tracking.jsonl import read_metrics


@pytest.mark.slow
def test_the_shipped_model_learns_the_tutorials_environment(tmp_path):
    assert main(["train", "env=guess", "trainer.steps=24", "eval.tasks=0", f"out={tmp_path / 'run'}"]) == 0
    success = [line["success/mean"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert mean(success[-5:]) > mean(success[:5]) + 0.05
