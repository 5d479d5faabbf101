"""What the README shows runs as it stands."""

import re
from pathlib import Path

import pytest

from agent_rl.cli.main import main

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def tutorial() -> str:
    """The environment of the tutorial."""
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "class Guess" in code]
    return block


def test_the_tutorials_environment_has_at_most_15_lines(tutorial):
    assert sum(bool(line.strip()) for line in tutorial.splitlines()) <= 15


def test_the_tutorials_environment_is_proved_by_check(tutorial, tmp_path, capsys):
    (tmp_path / "guess.py").write_text(tutorial)
    assert main(["check", f"env={tmp_path}/guess.py:Guess"]) == 0
    assert "all checks passed" in capsys.readouterr().out
