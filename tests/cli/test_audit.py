"""`agent-rl audit`: exit codes, figures for machines, a page that is harmless whatever a model wrote."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agent_rl import train
from agent_rl.cli.main import EXIT_ERROR, EXIT_REFUTED, main
from agent_rl.rollout.store import read_lines
from agent_rl.tracking.run_folder import RunFolder

pytestmark = pytest.mark.slow

HOSTILE = "</pre><script>alert(1)</script><img src=http://evil.example onerror=alert(2)> {{ 7 * 7 }} \ud800\x1b[2J"
WORDS = ["env=search", "trainer.steps=1", "trainer.tasks=2", "algorithm.samples=2", "eval.tasks=0"]


class Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links |= {value for name, value in attrs if name == "href" and value}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train(*WORDS, f"out={tmp_path_factory.mktemp('runs') / 'run'}").folder


@pytest.fixture
def folder(sound: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy to damage."""
    return RunFolder(Path(shutil.copytree(sound.path, tmp_path / "run")))


def rewrite(folder: RunFolder, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder.trajectories_file(1)
    lines = [json.loads(line) for line in read_lines(path)]
    change(lines)
    written = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_bytes(zstandard.ZstdCompressor().compress(written.encode()))


def hurt(lines: list[dict[str, Any]]) -> None:
    lines[0]["segments"][0]["tokens"][3] += 1
    lines[1]["segments"][1]["logprobs"][0] -= 0.5
    for line in lines:
        line["task_id"] = HOSTILE
        line["messages"][1]["content"] += HOSTILE


def test_a_sound_run_ends_with_its_three_figures_and_status_0(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(folder.path), "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    figures = json.loads(out[-1])
    assert list(figures)[-3:] == ["trajectories", "violations", "max_logprob_gap"]
    assert (figures["trajectories"], figures["violations"]) == (4, 0)
    assert 0 < figures["max_logprob_gap"] < 1e-4
    assert {check["verdict"] for check in figures["checks"].values()} == {"holds"}
    assert any(line.startswith("holds        render") for line in out)
    page = Tags(folder.audit_html.read_text())
    assert {"svg", "details"} <= page.tags


def test_what_is_refuted_is_status_3_and_named_in_text_page_and_figures(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(folder, hurt)
    assert main(["audit", str(folder.path), "--json", "--html", str(tmp_path / "new" / "page.html")]) == EXIT_REFUTED
    out = capsys.readouterr().out
    figures = json.loads(out.splitlines()[-1])
    assert figures["violations"] > 0
    first = figures["checks"]["render"]["first"][0]
    assert (first["step"], first["line"], first["position"], first["file"]) == (
        1,
        1,
        3,
        "trajectories/step_000001.jsonl.zst",
    )
    assert "trajectories/step_000001.jsonl.zst:1 task" in out and "token 3" in out
    page = Tags((tmp_path / "new" / "page.html").read_text())
    assert not folder.audit_html.exists()
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)  # every link leads somewhere
    assert "#e0-3" in page.links


def test_nothing_a_model_or_task_wrote_is_markup_or_steers_the_terminal(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(folder, hurt)
    assert main(["audit", str(folder.path)]) == EXIT_REFUTED
    assert "\x1b" not in capsys.readouterr().out
    text = folder.audit_html.read_text()
    page = Tags(text)
    assert not page.tags & {"script", "img", "iframe", "object", "link"}
    assert not page.attributes & {"onerror", "src", "onclick"}
    assert all(link.startswith("#") for link in page.links)
    assert "&lt;script&gt;alert(1)" in text and "{{ 7 * 7 }}" in text
    assert "\x1b" not in text


def test_ids_on_the_page_are_unique_and_each_token_says_what_it_is(folder: RunFolder) -> None:
    assert main(["audit", str(folder.path)]) == 0
    text = folder.audit_html.read_text()
    page = Tags(text)
    assert len(page.ids) == len(set(page.ids))
    assert re.search(r'class="t action h\d"[^>]*data-facts="token \d+ · id \d+ · action, turn 1 · engine -', text)
    assert re.search(r"version 0 · fresh -[\d.e-]+ · gap ", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "7"], "steps 1 to 1"),
        (["--steps", "3-2"], "range of steps"),
        (["--limit", "0"], "at least 1"),
        (["--tolerance", "nan"], "number of nats"),
        (["--html", "/proc/page.html"], "cannot write"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_status_1(
    sound: RunFolder, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(sound.path), *words]) == EXIT_ERROR
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_a_folder_without_trajectories_or_configuration_is_an_error(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(tmp_path)]) == EXIT_ERROR
    folder.config_yaml.write_text("model: 3")
    assert main(["audit", str(folder.path)]) == EXIT_ERROR
    shutil.rmtree(folder.trajectories)
    assert main(["audit", str(folder.path)]) == EXIT_ERROR
    said = capsys.readouterr().err
    assert "holds no run" in said and "not the configuration of a training" in said
