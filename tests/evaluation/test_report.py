"""The report: complete, harmless whatever a model wrote, and there for a run that was cut short."""

import re
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from agent_rl.core.files import write_json_atomic, write_text_atomic
from agent_rl.core.message import assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Trajectory, Turn
from agent_rl.evaluation.curves import smooth, ticks
from agent_rl.evaluation.report import choose, write_curve, write_report
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.jsonl import JsonlTracker
from agent_rl.tracking.run_folder import RunFolder, describe

HOSTILE = "</pre><script>alert(1)</script><img src=http://evil.example onerror=alert(2)> {{ 7 * 7 }} \ud800"
SUMMARY = {
    "before": 0.125,
    "after": 0.875,
    "before_sampled": 0.1,
    "after_sampled": 0.8,
    "before_by_hops": {"1": 0.25},
    "after_by_hops": {"1": 1.0, "2": 0.5},
    "seconds": 90.0,
    "steps": 3,
}


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def begun(path: Path) -> RunFolder:
    folder = RunFolder.create(path)
    write_json_atomic(folder.run_json, describe(["agent-rl", "train", "trainer.steps=3"]))
    return folder


def finished(path: Path) -> RunFolder:
    folder = begun(path)
    write_text_atomic(folder.config_yaml, "eval:\n  success_at: 0.5\nname: <b>\n")
    for step in range(1, 4):
        metrics = {"reward/mean": step / 4, "success/mean": step / 4, "success/hops=1": step / 3}
        times = {"seconds/rollout": 6.0, "seconds/update": 3.0, "seconds/step": 10.0}
        JsonlTracker(folder.metrics_jsonl).log(step, metrics | times | {"policy/kl": float("nan")})
    write_json_atomic(folder.summary_json, SUMMARY)
    for when in ("before", "after"):
        write_trajectories(
            folder.evaluations / f"{when}_sampled" / "episodes.jsonl.zst", [episode(i, i % 2) for i in range(8)]
        )
    return folder


def episode(number: int, reward: float, text: str = HOSTILE) -> Trajectory:
    call = tool_call(text, {"query": text})
    said = assistant(text, [call])
    said["invalid_tool_calls"] = [{"text": text, "error": text}]
    messages = [user(text), said, tool_result(text, call), assistant("Answer: done")]
    return Trajectory(
        f"task {number} {text}",
        attributes={text: text},
        turns=[Turn(), Turn(reward=reward)],
        messages=messages,
        stop=StopReason.FAILED,
        failure=Failure(Cause.POLICY, text, text),
    )


def test_the_report_of_a_finished_run_has_figures_curves_and_transcripts(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    write_report(folder)
    page = folder.report_html.read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "12.5 % → 87.5 %" in text and "10.0 % → 80.0 %" in text
    assert "hops 1 25.0 % → 100.0 %" in text and "hops 2 – → 50.0 %" in text
    assert "agent-rl train trainer.steps=3" in text and "Before training" in text and "After training" in text
    assert 'aria-label="Success in training"' in page and "KL divergence" not in page
    assert "rollout 60.0 %" in text and "rest 10.0 %" in text


def test_what_a_model_wrote_stays_text(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    JsonlTracker(folder.metrics_jsonl).log(4, {"success/<script>=1": 0.5, "success/mean": 0.5})
    write_report(folder)
    page = folder.report_html.read_text()
    found = Tags(page)
    assert not found.tags & {"script", "img", "iframe", "object", "link"}
    assert not found.attributes & {"onerror", "src", "href"}
    assert "&lt;script&gt;alert(1)" in page and "{{ 7 * 7 }}" in page


def test_a_run_without_a_step_has_a_report(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    write_report(folder)
    write_curve(folder)
    assert "no step yet" in folder.report_html.read_text()
    assert not folder.curve_png.exists()


def test_a_run_that_was_killed_has_a_report_and_a_curve(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    JsonlTracker(folder.metrics_jsonl).log(1, {"reward/mean": 0.0, "seconds/step": 0.0})
    with folder.metrics_jsonl.open("a") as file:
        file.write('{"step": 2, "rew')
    write_report(folder)
    write_curve(folder)
    assert "step 1, interrupted or still running" in folder.report_html.read_text()
    assert folder.curve_png.exists()


def test_a_summary_without_evaluation_is_no_error(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    write_json_atomic(folder.summary_json, {"steps": 3, "after": 0.5, "after_by_hops": None})
    write_report(folder)
    write_curve(folder)
    assert "50.0 %" in folder.report_html.read_text()


def test_the_curve_is_a_picture(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    write_curve(folder)
    with Image.open(folder.curve_png) as picture:
        assert picture.size == (1200, 600)


def test_transcripts_mix_successes_and_failures() -> None:
    def rewards(*given: float) -> list[float]:
        return [t.reward for t in choose([episode(i, reward, "") for i, reward in enumerate(given)], success_at=1.0)]

    assert rewards(0, 0, 0, 0, 1) == [0, 1, 0]
    assert rewards(1, 1, 1, 0.5) == [1, 0.5, 1]
    assert rewards(0, 0, 0) == [0, 0, 0]
    assert rewards(1) == [1]


def test_ticks_are_round_and_within_the_axis() -> None:
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
    assert ticks(1, 3, whole=True) == [1, 2, 3]
    assert ticks(5, 5) == [5]


def test_smoothing_keeps_a_straight_line_straight_and_bridges_gaps() -> None:
    assert smooth([float(i) for i in range(64)])[10:20] == [float(i) for i in range(10, 20)]
    assert smooth([None, *[1.0] * 32])[0] == 1.0
