"""The page of an audit stays small, and the gaps are counted in the right decades."""

import math
from pathlib import Path

import pytest

from agent_rl.core.message import assistant, user
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.rollout.audit import Audit, Check, lines, write_page
from agent_rl.rollout.audit.findings import Finding, Place
from agent_rl.rollout.audit.gaps import Gaps, Token, decade
from agent_rl.rollout.audit.rerender import Rerender
from agent_rl.rollout.renderer import Renderer


def test_a_long_trajectory_is_shown_around_what_is_wrong(renderer: Renderer, tmp_path: Path) -> None:
    length = 20_000
    prompt, action = Segment(Origin.PROMPT, (65,) * length), Segment(Origin.ACTION, (66,), (-1.0,), (0,))
    trajectory = Trajectory("t", 0, 0, {}, [prompt, action], [Turn()], [user("A"), assistant("B")])
    trajectory.stop = StopReason.ANSWERED
    audit = Audit("run", Rerender(renderer), 1e-3, [1], 1)
    place = Place(1, "trajectories/step_000001.jsonl.zst", 1, "t", 0)
    audit.add(place, Finding(Check.RENDER, "wrong", None, 9_000, "a", "b"), trajectory)
    write_page(audit, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'id="e0-9000"' in page and 'id="e0-8950"' in page and 'id="e0-5000"' not in page
    assert "⋯" in page and len(page) < 200_000
    assert any("1 violation " in line for line in lines(audit))


def test_trajectories_of_every_refuted_check_are_shown_and_few_of_each(renderer: Renderer) -> None:
    audit = Audit("run", Rerender(renderer), 1e-3)
    for number in range(1000):
        for check in (Check.RENDER, Check.STOP):
            place = Place(1, "f", 2 * number + (check is Check.STOP), "t", number)
            audit.add(place, Finding(check, "wrong"), Trajectory("t"))
    shown = [exhibit.findings[0].check for exhibit in audit.refuted.values()]
    assert {check: shown.count(check) for check in shown} == {Check.RENDER: 3, Check.STOP: 3}
    assert audit.violations == 2000
    assert len(audit.results[Check.RENDER].first) == 50


@pytest.mark.parametrize(("gap", "power"), [(1e-12, -8), (5e-8, -8), (2e-3, -3), (0.5, -1), (3.0, 0), (1e6, 1)])
def test_a_gap_falls_into_its_decade(gap: float, power: int) -> None:
    assert decade(gap) == power


def test_the_histogram_counts_every_token_and_the_worst_are_kept_in_order() -> None:
    gaps = Gaps()
    for number in range(100):
        gap = (number * 37 % 100) / 1000
        if gaps.add(gap):
            gaps.keep(Token(Place(1, "f", 1), 0, number, 1, 0, "", "", 0.0, -gap))
    assert sum(count for _, count in gaps.histogram()) == 100
    assert dict(gaps.histogram()) == {
        "0": 1,
        "< 1e-7": 0,
        "1e-7": 0,
        "1e-6": 0,
        "1e-5": 0,
        "1e-4": 0,
        "1e-3": 9,
        "1e-2": 90,
    }
    assert [round(token.gap, 3) for token in gaps.worst] == [round(0.099 - i / 1000, 3) for i in range(10)]
    assert math.isclose(gaps.mean, 0.0495) and gaps.largest == 0.099
