"""Questions that are kept are those that would be drawn, whatever happened to the file."""

import pytest

from agent_rl.core.task import Task
from agent_rl.envs.search import kept
from agent_rl.envs.search.env import passage_index, world
from agent_rl.envs.search.kept import kept_questions


@pytest.fixture(scope="module")
def drawn() -> list[Task]:
    return list(kept.questions(world(), passage_index(), "test"))


def never(*_):
    raise AssertionError("they were drawn again")


def test_they_are_drawn_once_and_are_the_same_from_the_file(drawn, tmp_path, monkeypatch):
    assert list(kept_questions(world(), passage_index, "test", tmp_path)) == drawn
    monkeypatch.setattr(kept, "questions", never)
    assert list(kept_questions(world(), never, "test", tmp_path)) == drawn


@pytest.mark.parametrize("damage", [b"", b"[[{", b'[[{"of": 1}]]', b"\xff"])
def test_a_damaged_file_is_written_anew(drawn, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(kept, "questions", lambda *_: iter(drawn))
    list(kept_questions(world(), passage_index, "test", tmp_path))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert list(kept_questions(world(), passage_index, "test", tmp_path)) == drawn
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_they_are_drawn_each_time(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "questions", lambda *_: iter(drawn))
    (tmp_path / "folder").write_text("a file is in the way")
    for _ in range(2):
        assert list(kept_questions(world(), passage_index, "test", tmp_path / "folder")) == drawn
