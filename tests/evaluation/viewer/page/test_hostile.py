"""Transcripts that attack whoever reads them: on the page they are text, and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.evaluation.viewer.export import export
from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import PAGE
from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open, Opened

pytestmark = pytest.mark.slow  # a browser is started

ATTACKS = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "<svg onload='window.hacked = 3'><style>* { display: none }</style></svg>",
    "</pre></template></textarea></title><!-- <script>window.hacked = 4</script>",
    '"><iframe srcdoc="<script>parent.hacked = 5</script>"></iframe>',
    "javascript:window.hacked=6 data:text/html,<script>hacked</script> {{7*7}} ${window.hacked = 7} `",
    "left \u202eright to left\u202c \u200bunseen \x00\x1b[31m \ud800 \udfff \u2028 end",
    "x" * 60_000,
)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
URLS = (
    "javascript:window.hacked=8",
    "https://evil.example/a.png",
    "data:image/svg+xml;base64,PHN2Zz4=",
    "data:text/html,x",
)
FORBIDDEN = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|"
    r"createContextualFragment"
)


def attack(text: str) -> Trajectory:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in (*URLS, f"data:image/png;base64,{PIXEL}")]
    call = tool_call("search", {text[:50]: text})
    call["function"]["name"] = text[:100]
    spoken: list[Message] = [
        user([{"type": "text", "text": text}, *images]),  # type: ignore[list-item]
        assistant(text, [call]) | {"reasoning_content": text, "invalid_tool_calls": [{"text": text, "error": text}]},
        tool_result(text, call),
    ]
    found = Trajectory(f"task {text[:80]}", messages=spoken, turns=[Turn(reward=1.0)], tools=[{"name": text}])
    found.attributes, found.components, found.counters = {text[:60]: text[:60]}, {text[:60]: 1.0}, {text[:60]: 1.0}
    found.failure = Failure(Cause.POLICY, text[:100], text[:300])
    tokens = made.segment(Origin.PROMPT, text[:2000].encode("utf-8", "replace").decode())
    said = made.segment(Origin.ACTION, "yes")
    found.segments = [replace(tokens), Segment(Origin.ACTION, said.tokens, said.logprobs, said.weight_versions)]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made.evaluation(tmp_path / "<b>eval", [attack(text) for text in ATTACKS])


def harmless(page: Opened) -> None:
    assert page.evaluate("window.hacked") is None
    assert (
        page.locator("#main script, #main iframe, #main style, #main object, #main [onerror], #main [onload]").count()
        == 0
    )
    assert page.locator("a[href]").evaluate_all("all => all.every(one => one.getAttribute('href').startsWith('#'))")
    assert page.locator("#main img").evaluate_all("all => all.every(one => one.src.startsWith('data:image/png'))")


def walk(page: Opened, home: str, numbers: Sequence[int]) -> None:
    """Look at everything that there is of some of the attacks."""
    page.locator(".files a").first.click()
    page.locator(".rows .row").first.wait_for()
    assert page.locator(".rows .row").count() == len(ATTACKS)
    harmless(page)
    for number in numbers:
        for view in (f"group/{number}", f"{number}?view=tokens", f"{number}"):
            page.goto(f"{home}/episodes/{view}")
            page.locator(f"#main .page.{'group' if 'group' in view else 'trajectory'}").wait_for()
            harmless(page)
        assert page.locator(".message.user .text").text_content().startswith(ATTACKS[number][:5])


def test_hostile_transcripts_are_text(folder: Path, serve: object, look: Open) -> None:
    page = look(serve(folder))
    walk(page, page.url, range(len(ATTACKS)))
    page.goto(f"{page.url.partition('/episodes')[0]}/episodes/6")
    shown = page.locator(".message.user")
    shown.locator(".unseeable").first.wait_for()
    named = shown.locator(".unseeable").all_text_contents()
    assert {"U+202E", "U+202C", "U+200B", "U+0000", "U+001B", "U+2028"} <= set(named)
    assert shown.locator("img").count() == 1  # the one that the message holds
    assert shown.get_by_text("image not shown").count() == len(URLS)


def test_in_an_exported_page_they_are_text_as_well(folder: Path, tmp_path: Path, look: Open) -> None:
    target = tmp_path / "page.html"
    export(Library(folder), target)
    page = look(target.as_uri())
    page.locator(".files a").first.wait_for()
    walk(page, page.url, (0, 3, 4, 6))


def test_very_long_texts_are_cut_until_one_asks_for_them(folder: Path, serve: object, look: Open) -> None:
    page = look(serve(folder))
    page.goto(f"{page.url}/episodes/7")
    text = page.locator(".message.user .text")
    assert len(text.text_content()) < 5000
    text.get_by_role("button", name="show all 60,000 characters").click()
    assert text.text_content() == ATTACKS[7]


def test_no_script_of_the_page_makes_markup_of_text() -> None:
    sources = {file.name: file.read_text() for file in PAGE.glob("*.js")}
    assert len(sources) > 10
    assert [name for name, source in sources.items() if re.search(FORBIDDEN, source)] == []
