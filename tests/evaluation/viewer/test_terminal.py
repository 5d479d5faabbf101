"""The viewer in a terminal, and the words of its command."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.terminal import plain, show
from agent_rl.tracking.run_folder import RunFolder
from tests.evaluation.viewer.folders import HOSTILE, alone, training, varied


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return training(tmp_path_factory.mktemp("runs") / "a run")


def told(folder: Path, place: str = "", tokens: bool = False) -> str:
    out = io.StringIO()
    show(Library(folder), Console(file=out, width=120, highlight=False), place, tokens)
    return out.getvalue()


def test_a_run_is_told_with_its_figures_curves_and_some_episodes(run: RunFolder) -> None:
    text = told(run.path)
    assert text.startswith("a run train search tiny grpo, step 3 of 3, finished\n")
    assert "25.0 %" in text and "75.0 %" in text and "Success in training: all" in text and "rollout" in text
    assert "evaluations/after_sampled" in text and "trajectories/step_000003" in text
    assert "search {" in text and "Answer: Italy" in text


def test_an_evaluation_is_told_with_its_intervals(tmp_path: Path) -> None:
    text = told(alone(tmp_path / "eval"))
    assert "eval search tiny" in text and "0.400 to 0.600" in text


def test_several_runs_are_a_list(tmp_path: Path) -> None:
    training(tmp_path / "one")
    alone(tmp_path / "suite" / "two")
    lines = told(tmp_path).splitlines()
    assert len(lines) == 3 and lines[0].split()[:3] == ["run", "kind", "env"]
    assert {line.split()[0] for line in lines[1:]} == {"one", "suite/two"}
    assert "Answer: Italy" in told(tmp_path, "one/evaluations/after/1")
    with pytest.raises(UserError, match="called like"):
        told(tmp_path, "evaluations/after/1")


def test_every_trajectory_can_be_told_and_its_tokens(run: RunFolder) -> None:
    for number in range(len(varied())):
        assert "task-" in told(run.path, f"trajectories/step_000001/{number}")
        assert "engine" in told(run.path, f"trajectories/step_000001/{number}", tokens=True)
    text = told(run.path, "trajectories/step_000001/1", tokens=True)
    row = next(line for line in text.splitlines() if line.strip().startswith("4 "))
    assert row.split()[-5:] == ["-0.5000", "-1.0000", "-0.5000", "1.0000", "0"]


@pytest.mark.parametrize("place", ["trajectories/step_000009/1", "evaluations/after", "nonsense", "beside/x/1"])
def test_a_trajectory_that_is_not_there_is_said(run: RunFolder, place: str) -> None:
    with pytest.raises(UserError):
        told(run.path, place)


def test_a_terminal_obeys_nothing_that_a_model_wrote(run: RunFolder) -> None:
    text = told(run.path, "trajectories/step_000001/5")
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[31m" in text and "\\ud800" in text
    assert plain("[bold]a\tb\r\x07[/bold]").plain == "[bold]a    b\\r\\x07[/bold]"
    assert plain(HOSTILE).plain.encode()


def test_the_command_prints_and_refuses_words_that_do_not_go_together(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(run.path), "--text"]) == 0
    assert "step 3 of 3" in capsys.readouterr().out
    assert main(["view", str(run.path), "--text", "evaluations/after/1", "--tokens"]) == 0
    assert "<|im_start|>" in capsys.readouterr().out
    for words in (["--tokens"], ["--text", "--tokens"], ["--choose", "limit=1"], ["--text", "--export", "x.html"]):
        assert main(["view", str(run.path), *words]) == 1
        assert capsys.readouterr().err.startswith("error: ")
    assert main(["view", str(tmp_path)]) == 1
    assert "holds neither a run nor an evaluation" in capsys.readouterr().err


def test_the_command_exports_what_is_chosen(run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["view", str(run.path), "--export", str(page), "--choose", "file=evaluations/after limit=2"]) == 0
    assert "2 of 13 trajectories" in capsys.readouterr().out
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
