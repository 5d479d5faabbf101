"""The console: plain lines into a file, a display on a terminal."""

import io
import re

import pytest
import rich.console

from agent_rl.tracking.console import Console, sparkline

METRICS = {
    "reward/mean": 0.5,
    "success/mean": 0.25,
    "success/hops=10": 0.125,
    "success/hops=2": 0.375,
    "policy/kl": 0.001,
    "seconds/rollout": 6.0,
    "seconds/update": 3.0,
    "seconds/step": 10.0,
}


def screen(width: int = 100) -> tuple[Console, io.StringIO]:
    """Return a console on something that says it is a terminal, and what it wrote."""
    written = io.StringIO()
    return Console(rich.console.Console(file=written, force_terminal=True, width=width)), written


def test_into_a_file_every_step_is_one_plain_line_and_progress_none(capsys: pytest.CaptureFixture[str]) -> None:
    with Console() as console:
        console.phase("rollout")
        console.progress(1, 2)
        console.step(9, 10, METRICS)
        console.step(10, 10, {"reward/mean": -0.5})
        console.line("done [bold]")
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("step  9/10  reward  0.500  success 0.250  hops=2 0.375  hops=10 0.125")
    assert second.startswith("step 10/10  reward -0.500  success     -  hops=2     -")
    assert len(first) == len(second) and last == "done [bold]"
    assert not re.search(r"[\x00-\x1f]", first + second + last)


def test_a_terminal_shows_progress_history_and_where_the_time_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    console, written = screen()
    with console:
        for step in range(1, 4):
            console.step(step, 8, METRICS)
        console.phase("rollout")
        console.progress(3, 7)
        console.line("kept [bold]")
    text = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", written.getvalue())
    assert "3/8, 0:50 left" in text and "kept [bold]" in text
    assert re.search(r"hops=2 +▄▄▄ +0\.375", text)
    assert "rollout 60%" in text and "update 30%" in text and "rest 10%" in text


@pytest.mark.parametrize("width", [20, 60])
def test_a_narrow_terminal_is_no_error(width: int) -> None:
    console, written = screen(width)
    with console:
        console.phase("evaluate")
        console.step(1, 2, METRICS)
    assert "success" in written.getvalue()


def test_a_display_without_a_finished_step_shows_the_phase() -> None:
    console, written = screen()
    with console:
        console.phase("evaluate")
        console.line("beginning")
    assert "evaluate" in written.getvalue()


def test_a_sparkline_averages_what_is_too_long_and_skips_what_is_not_finite() -> None:
    assert sparkline([0, 0, 1, 1], 2) == "▁█"
    assert sparkline([0.0, float("nan"), 1.0], 10) == "▁ █"
    assert sparkline([1.0, 2.0, 0.0], 10, (0.0, 1.0)) == "██▁"
    assert sparkline([], 10) == ""
