"""A real browser, Debian's Chromium without a window, that looks at pages of a real server."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import Viewer

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--no-sandbox",  # which root has none of
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Opened = Any  # playwright's Page
Open = Callable[..., Opened]


# Not for the session: while it lives, its event loop counts as running, and other tests could run none of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (Debian's package `chromium`)")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def look(browser: Any) -> Iterator[Open]:
    """Open an address in a browser of its own: no errors are allowed, and no requests to others."""
    with ExitStack() as opened:

        def open_address(address: str, *, width: int = 1280, height: int = 800, **options: Any) -> Opened:
            context = opened.enter_context(browser.new_context(viewport={"width": width, "height": height}, **options))
            page = context.new_page()
            page.set_default_timeout(15_000)
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda line: line.type == "error" and wrong.append(line.text))
            home = address.partition("#")[0]
            page.on("request", lambda request: _foreign(request.url, home) and wrong.append(request.url))
            page.wrong = wrong
            opened.callback(lambda: pytest.fail(f"the page complained: {wrong}") if wrong else None)
            page.goto(address)
            page.wait_for_selector("#main .stage")
            return page

        yield open_address


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a folder and return the address of its page."""
    with ExitStack() as served:
        yield lambda folder: served.enter_context(serving(folder))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    with Viewer(Library(folder)) as viewer:
        Thread(target=viewer.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield viewer.url
        viewer.shutdown()


def _foreign(url: str, home: str) -> bool:
    return not url.startswith((home, "data:", "about:", "blob:"))
