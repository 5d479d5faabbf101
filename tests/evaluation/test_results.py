"""Results: figures of an episode, means over tasks, what is in no figure, and the files they are written to."""

import csv
import io
import json
import math
from pathlib import Path

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn
from agent_rl.evaluation.figures import figures
from agent_rl.evaluation.folder import EvaluationFolder, Keeper
from agent_rl.evaluation.results import Results, Subject, attempts, read_results, summarize
from agent_rl.evaluation.tables import csv_text, headline, markdown_text, overview, tables
from agent_rl.rollout.store import read_trajectories

SUBJECT = Subject("search", "tiny", "test", 4, 1.0, 0, 1.0)
BROKEN = Failure(Cause.INFRASTRUCTURE, "engine", "gone")


def episode(task: str, sample: int, reward: float, failure: Failure | None = None, **more) -> Trajectory:
    stop = StopReason.FAILED if failure else StopReason.ANSWERED
    return Trajectory(task, sample, turns=[Turn(reward=reward)], stop=stop, failure=failure, **more)


def group(task: str, *rewards: float | None, **attributes) -> Group:
    """Return a group with an episode for each reward; those without one have failed."""
    made = [
        episode(task, i, reward or 0.0, None if reward is not None else BROKEN, attributes=attributes, seconds=2.0)
        for i, reward in enumerate(rewards)
    ]
    return Group(task, made)


GROUPS = [
    group("a", 1, 1, 0, 0, hops=1, country="|x|"),
    group("b", 0, 0, 0, None, hops=2, country="<b>"),
    group("c", 1, 1, 1, 1, hops=10, country="*"),
    group("d", None, None, None, None, hops=10, country="*"),
]


def test_the_unit_is_the_task_and_a_task_without_a_usable_episode_is_in_no_figure():
    found = summarize(GROUPS, SUBJECT)
    assert (found.tasks, found.episodes, found.failures) == (4, 11, 5)
    assert found.failures_by_cause == {"infrastructure/engine": 5}
    assert (found.metrics["success"].mean, found.metrics["success"].tasks) == (0.5, 3)  # (1/2 + 0 + 1) / 3
    assert found.metrics["stop/answered"].mean == 1.0 and "stop/failed" not in found.metrics
    assert found.metrics["seconds"].mean == 2.0


def test_pass_at_k_and_pass_hat_k_are_of_the_tasks_that_have_as_many_episodes():
    metrics = summarize(GROUPS, SUBJECT).metrics
    assert attempts(4) == [1, 2, 4] and attempts(6) == [1, 2, 4, 6] and attempts(1) == [1]
    assert metrics["pass@2"].mean == pytest.approx((5 / 6 + 0 + 1) / 3)
    assert metrics["pass^2"].mean == pytest.approx((1 / 6 + 0 + 1) / 3)
    assert (metrics["pass@4"].mean, metrics["pass@4"].tasks) == (1.0, 2)
    assert metrics["avg@4"] == metrics["reward"]


def test_figures_are_broken_down_by_attributes_in_the_order_of_their_values():
    many = [group(str(i), 1.0, kind=i) for i in range(13)]
    found = summarize(GROUPS, SUBJECT).by
    assert list(found["hops"]) == ["1", "2", "10"]
    assert found["hops"]["10"]["success"].mean == 1.0 and found["hops"]["10"]["success"].tasks == 1
    assert summarize(many, SUBJECT).by == {}  # a name for each task tells nothing


def test_what_an_episode_did_not_do_counts_as_zero_and_what_is_unknown_is_left_out():
    counted = [Segment(Origin.PROMPT, (1, 2)), Segment(Origin.ACTION, (3,), (0.0,), (0,))]
    one = episode("a", 0, 1.0, components={"format": 1.0}, segments=counted)
    other = episode("a", 1, 0.0)
    metrics = summarize([Group("a", [one, other])], SUBJECT).metrics
    assert metrics["reward/format"].mean == 0.5
    assert metrics["tokens"].mean == 3.0


def test_calls_are_counted_by_tool_with_their_errors_and_the_policy_s_alone():
    calls = [tool_call("search", {}, 0), tool_call("search", {}, 1), tool_call("made_up", {}, 2)]
    shown = tool_call("search", {})
    played = Trajectory(
        "a",
        messages=[
            user("?"),
            assistant("", [shown]),  # of the prompt
            tool_result("x", shown),
            assistant("", calls),
            tool_result("found", calls[0]),
            tool_result("Error: nothing", calls[1]),
            tool_result("Error: there is no tool 'made_up'", calls[2]),
            assistant("done"),
        ],
        turns=[Turn(tool_calls=3), Turn()],
        tools=[{"type": "function", "function": {"name": "search"}}],
    )
    found = figures([played], 1.0)
    assert {name: value for name, value in found.items() if name.startswith("tools/")} == {
        "tools/search": 2.0,
        "tools/search/errors": 1.0,
        "tools/other": 1.0,
        "tools/other/errors": 1.0,
    }
    assert found["tool_calls"] == 3.0


def test_a_failure_of_the_policy_is_a_result():
    metrics = summarize([Group("a", [episode("a", 0, 0.0, Failure(Cause.POLICY, "x", "y"))])], SUBJECT).metrics
    assert metrics["failed/policy"].mean == metrics["stop/failed"].mean == 1.0


def test_parts_of_an_episode_are_one_episode():
    parts = [episode("a", 0, 0.5), Trajectory("a", 0, 1, turns=[Turn(reward=0.5)], stop=StopReason.ANSWERED)]
    found = summarize([Group("a", parts)], SUBJECT)
    assert (found.episodes, found.metrics["success"].mean, found.metrics["turns"].mean) == (1, 1.0, 2.0)


def test_results_are_written_and_read_in_three_formats(tmp_path: Path):
    folder, found = EvaluationFolder(tmp_path / "one"), summarize(GROUPS, SUBJECT)
    folder.record(GROUPS, found)
    assert read_results(folder.path) == found == Results.from_json(json.loads(folder.results_json.read_text()))
    assert [t.to_json() for t in read_trajectories(folder.episodes)] == [
        t.to_json() for group in GROUPS for t in group.trajectories
    ]
    rows = list(csv.DictReader(io.StringIO((folder.path / "results.csv").read_text())))
    whole = {row["metric"]: row for row in rows if not row["attribute"]}
    assert float(whole["success"]["mean"]) == 0.5 and whole["success"]["evaluation"] == "one"
    assert {row["value"] for row in rows if row["attribute"] == "country"} == {"|x|", "<b>", "*"}


def test_markdown_tables_have_as_many_cells_in_every_row_and_show_names_as_they_are():
    text = markdown_text(summarize(GROUPS, SUBJECT))
    blocks = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("###")[1:]]
    assert len(blocks) == 4
    for block in blocks:
        assert len({line.replace("\\|", "").count("|") for line in block}) == 1
        assert set(block[1]) <= set("| -:")
    assert "\\|x\\|" in text and "&lt;b&gt;" in text and "5 x infrastructure/engine" in text


def test_without_a_usable_episode_there_are_no_figures_and_still_files(tmp_path: Path):
    found = summarize([GROUPS[3]], SUBJECT)
    assert (found.metrics, found.tasks, found.failures) == ({}, 1, 4)
    assert math.isnan(found.mean("success"))
    assert tables(found) == [] and "4 failed" in headline(found)
    assert "–" in overview({"x": found}).markdown()
    assert csv_text({"x": found}).count("\n") == 1
    json.dumps(found.to_json(), allow_nan=False)


def test_groups_are_kept_as_they_end_and_those_with_failures_are_played_again(tmp_path: Path):
    folder = EvaluationFolder(tmp_path)
    with Keeper(folder) as keeper:
        for each in GROUPS:
            keeper.keep(each)
    assert folder.begun and not folder.complete
    assert [kept.task_id for kept in folder.kept()] == ["a", "c"]
    size = folder.partial.stat().st_size
    with folder.partial.open("ab") as file:
        file.write(folder.partial.read_bytes()[:40])  # a frame that was being written
    assert [kept.trajectories for kept in folder.kept()] == [GROUPS[0].trajectories, GROUPS[2].trajectories]
    assert folder.partial.stat().st_size == size
    with Keeper(folder) as keeper:
        keeper.keep(group("b", 1, 1, 1, 1))
    assert [kept.task_id for kept in folder.kept()] == ["a", "b", "c"]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_whatever_the_last_frame_lost_the_others_are_there(tmp_path: Path, cut: int):
    folder = EvaluationFolder(tmp_path)
    with Keeper(folder) as keeper:
        keeper.keep(GROUPS[0])
        keeper.keep(GROUPS[2])
    whole = folder.partial.read_bytes()
    folder.partial.write_bytes(whole[:-cut])
    assert [kept.task_id for kept in folder.kept()] == ["a"]
    folder.partial.write_bytes(whole[:-cut] + bytes(cut))  # as after a power failure
    assert [kept.task_id for kept in folder.kept()] == ["a"]


def test_a_folder_without_results_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="holds no results of an evaluation"):
        read_results(tmp_path)
