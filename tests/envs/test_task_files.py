"""Tasks from files: what a row may be, which file a split is in, and what is said of a line that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import make
from agent_rl.core.errors import UserError
from agent_rl.core.message import system, user
from agent_rl.core.task import Task
from agent_rl.envs.task_files import read_tasks


def written(path: Path, *rows: Any) -> str:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def refused(path: Path, *rows: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_tasks(written(path, *rows), "train")
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.jsonl"


def test_a_row_has_what_a_task_has_and_other_columns_are_data(file):
    row = {"id": "a", "messages": [system("s"), user("q")], "answer": "x", "attributes": {"k": 1}, "data": {"d": 2}}
    told = [*read_tasks(written(file, row | {"level": 3, "data": {"d": 2}}, {"question": "1+1?", "answer": 2}), "test")]
    assert told == [
        Task("a", (system("s"), user("q")), "x", {"k": 1}, {"level": 3, "d": 2}),
        Task("mine-2", (user("1+1?"),), "2"),
    ]


def test_a_prompt_is_a_text_or_messages(file):
    told = read_tasks(written(file, {"prompt": "hello"}, {"prompt": [system("s"), user("hello")]}), "train")
    assert [task.messages for task in told] == [(user("hello"),), (system("s"), user("hello"))]


def test_lines_are_counted_with_the_empty_ones_and_missing_values_are_as_if_not_there(file):
    told = read_tasks(
        written(file, "", {"question": "a", "answer": None, "id": None}, "  ", {"question": "b"}), "train"
    )
    assert [(task.id, task.answer) for task in told] == [("mine-2", ""), ("mine-4", "")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "not JSON: "),
        ([1], "a task is an object, this is a list"),
        ({"answer": "x"}, "exactly one of messages, prompt, question; this has none"),
        ({"prompt": "a", "question": "b"}, "this has prompt and question"),
        ({"question": []}, "question must be a text or a list of messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages must be a text or a list of messages"),
        ({"question": "a", "answer": [1]}, "answer must be a text or a number, this is a list"),
        ({"question": "a", "answer": True}, "answer must be a text or a number, this is a bool"),
        ({"question": "a", "attributes": 3}, "attributes must be an object, this is a int"),
        ({"question": "a", "id": "first"}, "the id 'first' is that of line 1 already"),
    ],
)
def test_a_line_that_is_no_task_is_named(file, row, told):
    message = refused(file, {"id": "first", "question": "?"}, row)
    assert message.startswith(f"{file}, line 2: ")
    assert told in message


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "messages", "prompt", "question", "answer", "attributes", "data", "role", "content"]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_a_task_or_refused_with_its_line(tmp_path_factory, row):
    path = written(tmp_path_factory.getbasetemp() / "any.jsonl", json.dumps(row))
    try:
        task = read_tasks(path, "train")[0]
    except UserError as error:
        assert str(error).startswith(f"{path}, line 1: ")
    else:
        assert task.messages and isinstance(task.id, str) and isinstance(task.answer, str)


def test_a_split_is_found_in_a_folder_by_name_or_is_the_whole_file(tmp_path, file):
    for split in ("train", "test"):
        written(tmp_path / f"{split}.jsonl", {"question": split})
    for place in (str(tmp_path), str(tmp_path / "{split}.jsonl")):
        assert [read_tasks(place, split)[0].messages for split in ("train", "test")] == [
            (user("train"),),
            (user("test"),),
        ]
    assert [*read_tasks(written(file, {"question": "?"}), "train")] == [*read_tasks(str(file), "test")]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("no.jsonl", "env.tasks: there is no file no.jsonl"),
        ("tasks.csv", "tasks.csv is neither a folder nor ends in .jsonl or .parquet"),
        (".", "the folder . must have one of nosplit.jsonl and nosplit.parquet"),
    ],
)
def test_a_place_without_tasks_is_named(place, told):
    with pytest.raises(UserError, match=told.replace(".", r"\.")):
        read_tasks(place, "nosplit")


def test_an_empty_file_and_one_that_is_no_text_are_refused(file):
    assert refused(file) == f"{file} has no tasks"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read_tasks(str(file), "train")


def test_parquet_is_read_as_its_rows(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"prompt": [user("1+1?")], "answer": 2, "data": {"level": 3}, "source": "a"},
        {"prompt": [user("2+2?")], "answer": 4, "data": {"level": 4}, "source": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "sums.parquet")
    assert [*read_tasks(str(tmp_path / "sums.parquet"), "train")] == [
        Task("sums-1", (user("1+1?"),), "2", {}, {"source": "a", "level": 3}),
        Task("sums-2", (user("2+2?"),), "4", {}, {"level": 4}),
    ]
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="cannot be read"):
        read_tasks(str(tmp_path / "bad.parquet"), "train")


def test_any_environment_takes_its_tasks_from_a_file(file):
    env = make(
        "search", tasks=written(file, {"id": "q", "question": "Which is the capital of France?", "answer": "Paris"})
    )
    assert [task.id for task in env.task_set("train")] == ["q"]
    assert env.reset(seed=0)[1]["task_id"] == "q"
    assert env.step({"role": "assistant", "content": "Answer: Paris"})[1] == 1.0
