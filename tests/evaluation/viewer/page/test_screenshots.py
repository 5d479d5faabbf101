"""The pictures in the docs: `AGENT_RL_SCREENSHOTS=RUN pytest` of this file takes them of a real training run."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from PIL import Image

from agent_rl.evaluation.viewer.library import Library
from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open, Opened

pytestmark = pytest.mark.slow  # a browser is started

DOCS = Path(__file__).parents[4] / "docs" / "images"
GIVEN = os.environ.get("AGENT_RL_SCREENSHOTS")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(GIVEN) if GIVEN else made.finished_run(tmp_path / "search-grpo").path


def steps(run: Path) -> list[str]:
    """The addresses of the training's steps."""
    (viewed,) = Library(run).runs()
    return [f"#/{quote(viewed.id)}/{quote(name, safe='')}" for name in viewed.files if name.startswith("trajectories/")]


def telling(run: Path, step: str) -> int:
    """The number of the longest trajectory whose group has successes and failures."""
    (viewed,) = Library(run).runs()
    name = unquote(step.rpartition("/")[2])
    found = Library(run).rows(viewed, viewed.files[name])
    mixed = {row["task"] for row in found if row["success"]} & {row["task"] for row in found if not row["success"]}
    return max((row["turns"], row["number"]) for row in found if row["task"] in mixed)[1]


def take(page: Opened, name: str, tmp_path: Path) -> None:
    page.wait_for_timeout(300)  # for what moves to come to rest
    target = (DOCS if GIVEN else tmp_path) / f"viewer_{name}.png"
    page.screenshot(path=target)
    with Image.open(target) as picture:
        assert len(picture.getcolors(1 << 20) or range(1000)) > 100


def test_the_docs_show_the_page_as_it_is(run: Path, tmp_path: Path, serve: object, look: Open) -> None:
    url = serve(run)
    places = steps(run)
    step = places[len(places) // 3]
    take(look(url, height=880), "run", tmp_path)
    page = look(f"{url}{step}?sort=turns&down=1", height=640)
    page.keyboard.press("j")
    take(page, "table", tmp_path)
    one = f"{step}/{telling(run, step)}"
    page = look(f"{url}{one}", height=640)
    take(page, "trajectory", tmp_path)
    page.keyboard.press("g")
    page.locator(".column").first.wait_for()
    take(page, "group", tmp_path)
    tokens = look(f"{url}{one}?view=tokens", height=800, color_scheme="dark")
    for key in ("3", "w"):
        tokens.keyboard.press(key)
    take(tokens, "tokens", tmp_path)
    phone = look(f"{url}{step}", width=390, height=844, color_scheme="dark", has_touch=True)
    take(phone, "phone", tmp_path)
