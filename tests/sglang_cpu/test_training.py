"""A whole run of GRPO on a real server: it learns as on the embedded engine, and the audit holds."""

import json
from pathlib import Path

import pytest

from agent_rl.cli.main import main

SIZE = ["trainer.steps=4", "eval.tasks=40", "eval.modes=[greedy]", "trainer.keep_checkpoints=4"]


def summary(out: Path) -> dict[str, float]:
    return json.loads((out / "summary.json").read_text())


@pytest.mark.parametrize(
    "mode", [["rollout.mode=sync"], ["rollout.mode=async", "rollout.staleness=1"]], ids=["sync", "async"]
)
def test_a_run_on_a_real_server_learns_and_its_audit_holds(
    url: str, tmp_path: Path, mode: list[str], capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    words = ["train", "env=search", "engine=sglang", "cluster=inline", f"engine.urls=['{url}']", *mode, *SIZE]
    assert main([*words, f"out={out}"]) == 0
    assert summary(out)["before"] < 0.5 < 0.75 < summary(out)["after"]
    capsys.readouterr()
    assert main(["audit", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["trajectories"], found["violations"]) == (4 * 16 * 8, 0)
    assert found["max_logprob_gap"] < 1e-3
