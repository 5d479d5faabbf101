"""The exported page: what goes into it, and that it works from disk, without a server."""

from pathlib import Path

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.files import StorageError
from agent_rl.evaluation.viewer.bundle import bundle
from agent_rl.evaluation.viewer.choice import Choice, in_turn
from agent_rl.evaluation.viewer.export import export
from agent_rl.evaluation.viewer.library import Library
from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open

pytestmark = pytest.mark.slow  # a browser is started


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.finished_run(tmp_path_factory.mktemp("exported") / "run", steps=3).path


def test_an_export_opened_from_disk_shows_what_was_chosen(run: Path, tmp_path: Path, look: Open) -> None:
    target = tmp_path / "page.html"
    told = export(Library(run), target)
    assert (told.kept, told.total, told.files_left_out) == (96, 96, 2)
    page = look(target.as_uri())
    page.get_by_text("2 files of trajectories are not in it").wait_for()
    assert page.locator(".files a").count() == 5
    page.get_by_text("After training, greedy").first.click()
    page.get_by_text("20 trajectories").wait_for()
    page.get_by_role("searchbox").fill("LIES IN norway")
    page.get_by_text("6 of 20").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_text("1 of 6").wait_for()
    page.keyboard.press("t")
    page.locator(".tokentext .t.action").first.wait_for()
    page.keyboard.press("g")
    page.reload()
    page.locator("#bar", has_text="exported").wait_for()


def test_an_export_of_some_of_a_group_shows_these(run: Path, tmp_path: Path, look: Open) -> None:
    target = tmp_path / "page.html"
    told = export(Library(run), target, "file=trajectories/step_000002 success=true limit=5")
    assert (told.kept, told.total, told.files_left_out) == (5, 16, 6)
    page = look(target.as_uri())
    page.get_by_role("link", name="Step 2, 5 of 16").click()
    assert set(page.locator(".rows .score").evaluate_all("all => all.map(one => one.firstChild.data)")) == {"1"}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("file=trajectories/*", 48),
        ("file=trajectories/* limit=4", 12),
        ("file=evaluations/after hops=2", 6),
        ("file=evaluations/* stop=turn_limit tool=search", 16),
        ("task=train-0000[01] file=evaluations/after", 4),
        ("failure=none run=r*", 96),
    ],
)
def test_words_choose_trajectories(run: Path, tmp_path: Path, words: str, kept: int) -> None:
    assert export(Library(run), tmp_path / "page.html", words).kept == kept


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("hop=2", "no task has an attribute 'hop', did you mean 'hops'"),
        ("sucess=true", "did you mean 'success'"),
        ("success=yes", "success is true or false, not yes"),
        ("limit=0", "at least 1"),
        ("megabytes=51", "at most 50"),
        ("everything", "cannot read the choice"),
        ("failure=infrastructure", "no trajectory fits"),
        ("file=nothing", "no trajectory fits"),
    ],
)
def test_words_that_say_nothing_are_refused_with_a_line(run: Path, tmp_path: Path, words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        export(Library(run), tmp_path / "page.html", words)
    assert not (tmp_path / "page.html").exists()


def test_a_page_stays_within_its_budget_and_every_file_has_its_share(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    whole = export(Library(run), target).size
    budget = (whole + len(bundle()) * 2) / 2e6
    told = export(Library(run), target, f"megabytes={budget:.3f}")
    assert told.size == target.stat().st_size <= budget * 1e6
    assert 0 < told.kept < told.total
    assert told.files_left_out == 2  # the earlier steps, as before


def test_successes_and_failures_take_turns() -> None:
    rows = [{"number": number, "success": number < 4} for number in range(6)]
    assert [row["number"] for row in in_turn(rows)] == [0, 4, 1, 5, 2, 3]


def test_a_page_that_cannot_be_written_is_an_error_for_the_user(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        export(Library(run), tmp_path / "file" / "page.html")


def test_a_choice_reads_quoted_words() -> None:
    assert Choice.parse("task='a b' limit=3") == Choice({"task": "a b"}, {}, 3)
