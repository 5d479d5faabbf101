"""Runs that go on, and files that are large: the page keeps up, and keeps its place."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from agent_rl.rollout.store import write_trajectories
from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open

pytestmark = pytest.mark.slow  # a browser is started


def test_a_run_that_goes_on_is_followed_without_losing_the_place(tmp_path: Path, serve: object, look: Open) -> None:
    folder = made.begin_run(tmp_path / "run")
    made.add_step(folder, 1)
    with ExitStack() as working:
        working.enter_context(folder.alone())
        page = look(serve(folder.path), height=500)
        page.locator(".state.running").first.wait_for()
        page.locator("details.card summary").click()
        page.locator("main").evaluate("one => one.scrollTo(0, 150)")
        made.add_step(folder, 2)
        page.locator(".files.training a", has_text="2").wait_for()
        assert page.locator("main").evaluate("one => one.scrollTop") == 150
        assert page.locator("details.card").evaluate("one => one.open")
        assert "step 2" in page.locator(".chart figcaption").first.inner_text()
    made.add_evaluation(folder.evaluations / "after", 0.9, made.episodes(2, 2))
    folder.summary_json.write_text('{"after": 0.9, "steps": 2}')
    page.locator("#bar", has_text="finished").wait_for()
    page.get_by_text("After training, greedy").wait_for()


def test_rows_of_an_evaluation_that_goes_on_come_in_while_one_reads(tmp_path: Path, serve: object, look: Open) -> None:
    folder = made.begin_run(tmp_path / "run")
    file = folder.evaluations / "before" / "partial.jsonl.zst"
    file.parent.mkdir(parents=True)
    write_trajectories(file, made.episodes(10, 2))
    with folder.alone():
        page = look(f"{serve(folder.path)}#/run/evaluations%2Fbefore", height=500)
        page.get_by_text("20 trajectories").wait_for()
        for _ in range(3):
            page.keyboard.press("j")
        page.locator("main").evaluate("one => one.scrollTo(0, 120)")
        write_trajectories(file, made.episodes(20, 2))
        page.get_by_text("40 trajectories").wait_for()
        assert page.locator(".row.selected .cell").first.inner_text() == "2"
        assert page.locator("main").evaluate("one => one.scrollTop") == 120


def test_a_viewer_that_was_ended_is_noticed(tmp_path: Path, serve: object, look: Open) -> None:
    folder = made.begin_run(tmp_path / "run")
    with folder.alone():
        page = look(serve(folder.path))
        page.locator("#bar", has_text="running").wait_for()
        page.context.set_offline(True)
        page.locator("#bar", has_text="no answer").wait_for()
        page.wrong.clear()  # the browser itself notes that nobody answered


def test_ten_thousand_rows_scroll_and_only_those_in_sight_are_drawn(tmp_path: Path, serve: object, look: Open) -> None:
    few = made.episodes(50, 4)
    many = [replace(few[place % 200], task_id=f"test-{place // 4:05d}") for place in range(10_000)]
    page = look(f"{serve(made.evaluation(tmp_path / 'eval', many))}#/eval/episodes")
    page.get_by_text("10,000 trajectories").wait_for()
    for share in (0.1, 0.5, 0.9, 1.0):
        page.locator("main").evaluate("(one, share) => one.scrollTo(0, share * one.scrollHeight)", share)
        assert page.locator(".rows .row").count() < 120
    page.locator(".rows .row", has_text="test-02499").last.wait_for()
    page.keyboard.press("j")
    page.locator(".row.selected").wait_for()
    page.get_by_role("button", name="Tokens").click()
    page.get_by_label("Ended by").select_option("turn_limit")
    page.get_by_text("2,000 of 10,000").wait_for()
