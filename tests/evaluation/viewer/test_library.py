"""The viewer's answers: what the contract of the page says, for every kind of trajectory there is."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, system, user
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Trajectory, Turn
from agent_rl.evaluation.viewer.library import Library, NotThereError, detail_path, file_path, run_path, to_json
from agent_rl.rollout.store import write_trajectories
from agent_rl.tracking.run_folder import RunFolder
from tests.evaluation.viewer.folders import HOSTILE, alone, episode, training, varied

FILE = "trajectories/step_000001"
COLUMNS = [
    "number",
    "task",
    "sample",
    "part",
    "reward",
    "success",
    "stop",
    "failure",
    "turns",
    "tokens",
    "action_tokens",
    "tools",
    "invalid",
    "seconds",
    "attributes",
    "first",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return training(tmp_path_factory.mktemp("runs") / "a run")


def ask(folder: RunFolder | Path, path: str = "", **query: str) -> Any:
    root = folder.path if isinstance(folder, RunFolder) else folder
    library = Library(root)
    address = run_path(library.runs()[0]) + path
    return json.loads(to_json(library.answer(address, query)), parse_constant=pytest.fail)


def test_the_runs(run: RunFolder) -> None:
    (told,) = json.loads(to_json(Library(run.path).answer("/api/runs")))["runs"]
    assert (told["id"], told["kind"], told["state"], told["step"], told["steps"]) == (
        "a run",
        "train",
        "finished",
        3,
        3,
    )


def test_a_run(run: RunFolder) -> None:
    told = ask(run)
    assert told["command"] == "agent-rl train env=search" and "name: search" in told["config"]
    charts = {chart["title"]: chart for chart in told["charts"]}
    assert charts["Success in training"] == {
        "title": "Success in training",
        "steps": [1, 2, 3],
        "bounds": [0.0, 1.0],
        "lines": [{"label": "all", "values": [0.25, 0.5, 0.75]}, {"label": "hops 1", "values": [1 / 3, 2 / 3, 1.0]}],
    }
    assert charts["Success on held-out tasks"]["steps"] == [0, 2]
    assert charts["Success on held-out tasks"]["lines"] == [{"label": "greedy", "values": [0.25, 0.5]}]
    assert "KL divergence" not in charts
    assert told["held_out"][0] == {
        "label": "all",
        "before": 0.25,
        "after": 0.75,
        "before_sampled": 0.2,
        "after_sampled": 0.7,
    }
    assert [row["label"] for row in told["held_out"]] == ["all", "hops 1", "hops 2"]
    assert told["time_shares"][0] == ["rollout", 0.6] and told["time_shares"][-1] == ["rest", pytest.approx(0.1)]
    assert told["results"] is None
    assert told["files"][0] == {
        "name": "evaluations/before",
        "title": "Before training, greedy",
        "kind": "evaluation",
        "step": None,
        "count": None,
    }


def test_a_file_that_was_opened_says_how_many_there_are(run: RunFolder) -> None:
    ask(run, "/files/trajectories/step_000003")
    counts = {file["name"]: file["count"] for file in ask(run)["files"]}
    assert counts["trajectories/step_000003"] == 13 and counts["evaluations/after"] is None


def test_an_evaluation_has_its_results(tmp_path: Path) -> None:
    told = ask(alone(tmp_path / "eval"))
    assert told["kind"] == "eval" and told["results"]["metrics"]["success"]["mean"] == 0.5
    assert [file["name"] for file in told["files"]] == ["episodes"]
    assert len(ask(tmp_path / "eval", "/files/episodes")["rows"]) == 13


def test_the_rows_of_a_file(run: RunFolder) -> None:
    rows = ask(run, f"/files/{FILE}")["rows"]
    assert [list(row) for row in rows] == [COLUMNS] * 13
    assert [row["number"] for row in rows] == list(range(13))
    won = rows[1]
    assert (won["task"], won["sample"], won["reward"], won["success"], won["stop"]) == (
        "task-0",
        1,
        1.0,
        True,
        "answered",
    )
    assert (won["turns"], won["tokens"], won["action_tokens"], won["tools"]) == (2, 11, 5, {"search": 1})
    assert won["first"] == "Where is Rome?" and won["attributes"] == {"hops": 2} and won["failure"] is None
    failed = rows[3]
    assert failed["failure"] == {"cause": "infrastructure", "source": "search", "message": "gone"}
    assert failed["success"] is None and failed["tokens"] == 0
    assert (rows[4]["tokens"], rows[4]["action_tokens"]) == (25, 9)
    assert (rows[7]["stop"], rows[7]["part"], rows[8]["part"]) == ("rewritten", 0, 1)
    assert rows[7]["success"] is rows[8]["success"] is True  # the parts of an episode together


def test_a_trajectory(run: RunFolder) -> None:
    told = ask(run, f"/files/{FILE}/1")
    assert told["row"]["number"] == 1 and told["group"] == [0, 1, 2, 3]
    assert [(m["role"], m["turn"], m["tokens"]) for m in told["messages"]] == [
        ("system", None, [0, 4]),
        ("user", None, [0, 4]),
        ("assistant", 0, [4, 7]),
        ("tool", 0, [7, 9]),
        ("assistant", 1, [9, 11]),
    ]
    assert [m["reward"] for m in told["messages"]] == [None, None, 0.0, None, 1.0]
    assert told["messages"][2]["calls"] == [
        {"name": "search", "arguments": '{"query": "Where is Rome?"}', "invalid": False, "error": None}
    ]
    assert (told["messages"][3]["name"], told["messages"][3]["call_id"]) == ("search", "call_0")
    assert told["components"] == {"correct": 1.0} and told["tools"][0]["function"]["name"] == "search"
    assert told["turns"][0]["generate_seconds"] == 0.5 and told["turns"][0]["tool_calls"] == 1
    segments = told["segments"]
    assert [(s["origin"], s["turn"]) for s in segments] == [
        ("prompt", None),
        ("action", 0),
        ("observation", 0),
        ("action", 1),
    ]
    assert segments[1]["logprobs"] == [-0.5, -0.25, -0.125] and segments[3]["versions"] == [0, 1]
    assert segments[0]["texts"] == ["<|im_start|>", "system", "\n", "Search"] and segments[0]["logprobs"] == []


def test_what_the_trainer_learned_of_each_sampled_token(run: RunFolder) -> None:
    learned = ask(run, f"/files/{FILE}/1")["learned"]
    assert learned == {"logprobs": [-1.0, None, -0.625, -1.5, -2.5], "advantages": [1.0] * 5}
    assert ask(run, "/files/trajectories/step_000002/0")["learned"]["advantages"] == [2.0] * 5
    assert ask(run, f"/files/{FILE}/3")["learned"] == {"logprobs": [], "advantages": []}
    assert ask(run, "/files/evaluations/after/1")["learned"] is None


def test_what_the_trainer_learned_may_be_missing_or_damaged(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", steps=2, finished=False)
    folder.learned_file(1).unlink()
    folder.learned_file(2).write_bytes(b"PK\x03\x04 no more")
    assert ask(folder, f"/files/{FILE}/0")["learned"] is None
    assert ask(folder, "/files/trajectories/step_000002/0")["learned"] is None


def test_every_kind_of_trajectory_can_be_looked_at(run: RunFolder) -> None:
    for number, trajectory in enumerate(varied()):
        told = ask(run, f"/files/{FILE}/{number}")
        assert len(told["messages"]) == len(trajectory.messages)
        assert [s["ids"] for s in told["segments"]] == [list(s.tokens) for s in trajectory.segments]
    image = ask(run, f"/files/{FILE}/6")["messages"][1]
    assert image["text"] == "What is this?" and image["images"][0].startswith("data:image/png;base64,")
    hostile = ask(run, f"/files/{FILE}/5")["messages"]
    assert hostile[1]["text"] == HOSTILE and hostile[4]["reasoning"] == HOSTILE
    assert hostile[2]["calls"][1] == {"name": "", "arguments": HOSTILE, "invalid": True, "error": HOSTILE}


def test_messages_of_a_task_that_an_assistant_says_belong_to_no_turn(tmp_path: Path) -> None:
    shown = [system("Like this."), user("1 + 1?"), assistant("2"), user("2 + 2?"), assistant("4")]
    folder = training(tmp_path / "run", 1, False, [episode(0, messages=shown, turns=[Turn(1.0)])])
    told = ask(folder, f"/files/{FILE}/0")["messages"]
    assert [message["turn"] for message in told] == [None, None, None, None, 0]
    assert told[2]["reward"] is None and told[4]["reward"] == 1.0


def test_searching_finds_a_text_in_every_part_of_a_message(run: RunFolder) -> None:
    def found(wanted: str) -> list[int]:
        return ask(run, f"/files/{FILE}/search", q=wanted)["numbers"]

    assert found("where is ROME?") == [number for number in range(13) if number not in (3, 5, 8)]
    assert found("What is this") == [6]
    assert found("window.evil = 1") == [5]
    assert found("go on.") == [8]
    assert found("nobody says this") == []


def test_what_is_not_there_is_said(run: RunFolder) -> None:
    library = Library(run.path)
    for path in (
        "/api/other",
        "/api/runs/other",
        "/api/runs/a%20run/other",
        "/api/runs/a%20run/files",
        "/api/runs/a%20run/files/trajectories/step_000009",
        f"/api/runs/a%20run/files/{FILE}/13",
        "/api/runs/a%20run/files/../../run.json",
        "/api/runs/..%2F..%2Fetc/files/passwd",
    ):
        with pytest.raises(NotThereError):
            library.answer(path)


def test_addresses_are_those_that_the_page_makes(tmp_path: Path) -> None:
    folder = training(tmp_path / "a run/50% (new)", steps=1)
    library = Library(tmp_path)
    (run,) = library.runs()
    assert run.path == folder.path and run.id == "a run~50% (new)"
    assert file_path(run, FILE) == "/api/runs/a%20run~50%25%20(new)/files/trajectories/step_000001"
    assert library.answer(detail_path(run, FILE, 2))["row"]["number"] == 2


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", steps=1)
    folder.trajectories_file(1).write_bytes(b"no zstandard")
    with pytest.raises(UserError, match=r"trajectories/step_000001 cannot be read: .*"):
        ask(folder, f"/files/{FILE}")
    folder.metrics_jsonl.write_text("no json\n")
    with pytest.raises(UserError, match="cannot be read"):
        ask(folder)


def test_rows_follow_a_file_that_grows(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", 1, False, [episode(0)])
    library = Library(folder.path)
    assert len(library.answer(f"/api/runs/run/files/{FILE}")["rows"]) == 1
    write_trajectories(folder.trajectories_file(1), varied())
    assert len(library.answer(f"/api/runs/run/files/{FILE}")["rows"]) == 13


def test_the_task_of_a_group_may_be_anywhere_in_the_file(tmp_path: Path) -> None:
    tasks = [Trajectory(name, stop=StopReason.ANSWERED) for name in ("a", "b", "a", "c", "b")]
    folder = training(tmp_path / "run", 1, False, tasks)
    assert [ask(folder, f"/files/{FILE}/{number}")["group"] for number in range(3)] == [[0, 2], [1, 4], [0, 2]]
