"""The page in a real browser: what a person clicks, types and sees."""

from pathlib import Path

import pytest

from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open, Opened, serving

pytestmark = pytest.mark.slow  # a browser is started

STEP = "#/run/trajectories%2Fstep_000002"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("finished") / "run"
    made.finished_run(folder)
    with serving(folder) as address:
        yield address


def rows(page: Opened) -> list[str]:
    return [str(text) for text in page.locator(".rows .row .cell.number:first-child").all_inner_texts()]


def scores(page: Opened) -> list[str]:
    return [
        text.split()[-1]
        for text in page.locator(".rows .row .score").evaluate_all("all => all.map(one => one.firstChild.data)")
    ]


def summary(page: Opened, text: str) -> None:
    page.get_by_text(text).wait_for()


def colour(page: Opened, selector: str) -> str:
    return str(page.locator(selector).first.evaluate("one => getComputedStyle(one).backgroundColor"))


def test_a_folder_of_runs_lists_them_and_a_click_opens_one(tmp_path: Path, serve: object, look: Open) -> None:
    made.finished_run(tmp_path / "search" / "first", steps=2)
    made.evaluation(tmp_path / "second", made.episodes(2, 2))
    page = look(serve(tmp_path))
    assert sorted(page.locator(".runs tbody a").all_inner_texts()) == ["search/first", "second"]
    page.locator(".runs tr", has_text="second").locator("td").nth(2).click()
    page.get_by_role("heading", name="Results").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Runs").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="How it was run").wait_for()


def test_a_run_shows_what_was_measured_and_its_curves_say_their_values(url: str, look: Open) -> None:
    page = look(url)  # one run alone is opened at once
    page.get_by_role("heading", name="run", exact=True).wait_for()
    assert "20.0 % → 90.0 %" in page.locator(".held tbody tr").first.inner_text()
    chart = page.locator(".chart", has_text="Reward in training")
    chart.locator("svg").hover(position={"x": chart.locator("svg").bounding_box()["width"] - 2, "y": 50})
    assert "step 8" in chart.inner_text() and chart.locator(".legend .number").inner_text() == "1"
    chart.locator("svg").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert "step 5" in chart.inner_text() and chart.locator(".legend .number").inner_text() == "0.625"
    page.keyboard.press("Enter")
    summary(page, "16 trajectories")
    assert page.url.endswith("trajectories%2Fstep_000005")
    page.go_back()
    assert page.locator(".shares li").first.text_content() == "rollout 60.0 %"


def test_an_evaluation_shows_its_results_with_their_intervals(tmp_path: Path, serve: object, look: Open) -> None:
    page = look(serve(made.evaluation(tmp_path / "eval", made.episodes(2, 2))))
    line = page.locator(".results tr", has_text="success").first
    assert "50.0 %" in line.inner_text() and "45.0 % – 55.0 %" in line.inner_text()
    assert "1 failed by something else and in no figure (infrastructure/search 1)" in page.locator("main").inner_text()
    assert "25.0 %" in page.locator(".results tr", has_text="7 tasks").nth(1).inner_text()


def test_rows_are_filtered_sorted_and_searched_and_the_url_keeps_it(url: str, look: Open) -> None:
    page = look(f"{url}{STEP}")
    summary(page, "16 trajectories")
    page.get_by_label("hops", exact=True).select_option("2")
    summary(page, "4 of 16")
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Ended by").select_option("turn_limit")
    summary(page, "4 of 16")
    assert "stop=turn_limit" in page.url
    page.get_by_label("Ended by").select_option("")
    page.get_by_role("button", name="Reward").click()
    assert scores(page) == sorted(scores(page), reverse=True)
    assert page.locator("[role=columnheader].reward").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Reward").click()
    assert scores(page) == sorted(scores(page))
    page.keyboard.press("/")
    page.keyboard.type("LIES IN norway")
    summary(page, "4 of 16")
    address = page.url
    assert rows(look(address)) == rows(page)  # whoever is sent the address sees the same
    page.locator(".rows .row").first.click()
    page.locator(".message").first.wait_for()
    page.go_back()
    summary(page, "4 of 16")
    page.get_by_role("button", name="Clear").or_(page.locator("body")).first.wait_for()


def test_the_keys_lead_through_rows_trajectories_tokens_and_groups(url: str, look: Open) -> None:
    page = look(f"{url}{STEP}")
    for key in ("j", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
    assert page.locator(".row.selected .cell").first.inner_text() == "1"
    page.keyboard.press("Enter")
    page.get_by_text("2 of 16").wait_for()
    page.keyboard.press("n")
    page.get_by_text("3 of 16").wait_for()
    page.keyboard.press("p")
    page.get_by_text("2 of 16").wait_for()
    page.keyboard.press("t")
    page.locator(".tokentext").wait_for()
    page.keyboard.press("t")
    page.locator(".conversation").wait_for()
    page.keyboard.press("g")
    page.locator(".column").first.wait_for()
    page.keyboard.press("?")
    assert "next column" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator(".row.selected").wait_for()  # where one was
    page.keyboard.press("]")
    page.wait_for_url("**step_000003")
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Curves").wait_for()


def test_next_and_previous_go_the_way_of_the_filter(url: str, look: Open) -> None:
    page = look(f"{url}{STEP}?a.hops=2&sort=number&down=1")
    order = rows(page)
    assert order == sorted(order, key=int, reverse=True) and len(order) == 4
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_text("1 of 4").wait_for()
    page.keyboard.press("n")
    page.get_by_text("2 of 4").wait_for()
    assert f"/{order[1]}?" in page.url
    page.keyboard.press("Escape")
    page.locator(".row.selected").wait_for()
    assert page.locator(".row.selected .cell").first.inner_text() == order[1]


def test_a_conversation_folds_its_tools_and_tells_rewards_and_times(url: str, look: Open) -> None:
    page = look(f"{url}{STEP}/1")
    tools = page.locator("details.tool")
    assert tools.first.get_attribute("data-tool") == "search"
    assert "lies in" in tools.first.inner_text()
    assert tools.first.evaluate("one => one.open")
    page.keyboard.press("f")
    assert not tools.first.evaluate("one => one.open")
    tools.first.locator("summary").click()
    assert tools.first.evaluate("one => one.open")
    page.locator(".piece").last.click()
    spoken = page.locator(".piece").last.get_attribute("aria-label")
    assert "200 ms to generate, 10 ms in the environment" in spoken
    assert "correct" in page.locator("aside").inner_text()
    page.locator(".totokens").nth(1).click()
    page.locator(".tokentext .t.selected.action").wait_for()


def test_a_group_stands_side_by_side_with_what_all_were_told_once(url: str, look: Open) -> None:
    page = look(f"{url}{STEP}/group/5")
    assert page.locator(".column").count() == 4
    assert page.locator(".column.chosen a").inner_text() == "sample 1"
    assert page.locator(".shared .message").count() == 2
    assert page.locator(".column .message.system").count() == 0
    page.locator(".column a").nth(2).click()
    page.get_by_text("7 of 16").wait_for()


def test_dark_and_light_follow_the_system_until_one_chooses(url: str, look: Open) -> None:
    page = look(url, color_scheme="dark")
    dark = colour(page, "body")
    page.emulate_media(color_scheme="light")
    assert colour(page, "body") != dark
    page.get_by_role("button", name="Dark or light").click()
    assert colour(page, "body") == dark
    page.reload()
    page.wait_for_selector("#main .stage")
    assert colour(page, "body") == dark


def test_nothing_is_wider_than_a_phone(url: str, look: Open) -> None:
    page = look(url, width=390, height=844)
    for place in ("#/run", STEP, f"{STEP}/1", f"{STEP}/1?view=tokens&by=gap", f"{STEP}/group/1"):
        page.goto(f"{url}{place}")
        page.locator("#bar [aria-current=page]").wait_for()
        page.keyboard.press("w")
        widths = "[document.documentElement.scrollWidth, document.getElementById('main').scrollWidth]"
        assert page.evaluate(widths) == [390, 390], place


def test_everything_that_can_be_used_has_a_name(url: str, look: Open) -> None:
    page = look(url)
    nameless = """all => all.map(one => one.ariaLabel || one.title || one.innerText.trim() || one.outerHTML)
        .filter(name => name.startsWith("<"))"""
    for place in ("#/run", STEP, f"{STEP}/1", f"{STEP}/1?view=tokens"):
        page.goto(f"{url}{place}")
        page.locator("#bar [aria-current=page]").wait_for()
        assert (
            page.locator("button, a, select, input, summary, [role=grid], svg[tabindex]").evaluate_all(nameless) == []
        )
        assert page.locator("main h1, [role=grid]").count() >= 1


def test_an_address_of_nothing_says_so(url: str, look: Open) -> None:
    page = look(url)
    page.goto(f"{url}#/run/trajectories%2Fstep_000099")
    assert "step_000099" in page.get_by_role("alert").inner_text()
    page.wrong.clear()  # the browser itself notes that the server said 404
