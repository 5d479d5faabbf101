"""Ctrl-C: what happened is said once, and how to go on."""

import pytest

from agent_rl.cli import main as command_line
from agent_rl.cli.main import EXIT_INTERRUPTED, EXIT_TERMINATED, main


@pytest.mark.parametrize(
    ("signalled", "status", "word"),
    [(KeyboardInterrupt, EXIT_INTERRUPTED, "interrupted"), (command_line._Terminated, EXIT_TERMINATED, "terminated")],
)
def test_an_interrupted_training_says_so_once_and_how_to_continue(
    capsys, monkeypatch, tmp_path, signalled, status, word
):
    def train(*_: object) -> None:
        raise signalled

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agent_rl.trainer.run.train", train)
    assert main(["train", "out=run"]) == status
    out, err = capsys.readouterr()
    assert out.splitlines() == ["", "continue with: agent-rl train resume=run"]
    assert err == f"{word}\n"
