"""The passage index: built once, opened again, asked anything."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from agent_rl.core.files import StorageError
from agent_rl.tools.search import PassageIndex

PASSAGES = [
    "The capital of Norway is Oslo.",
    "The capital of Kenya is Nairobi.",
    "The currency of Kenya is Kenyan Shilling.",
    "The country of the city Gao is Mali.",
    "The capital of São Tomé is São Tomé.",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    return PassageIndex.build(PASSAGES, tmp_path_factory.mktemp("index") / "made" / "here")


def test_an_index_that_cannot_be_written_is_told_with_its_place(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}/file/index: "):
        PassageIndex.build(PASSAGES, tmp_path / "file" / "index")


def test_an_index_in_memory_answers_as_one_in_a_folder_does(index):
    loose = PassageIndex.in_memory(PASSAGES)
    for asked in (*PASSAGES, "the capital of", "unknown", ""):
        assert loose.search(asked, 3) == index.search(asked, 3)


@pytest.mark.parametrize("place", range(len(PASSAGES)))
def test_a_passage_is_the_best_answer_to_its_own_words(index, place):
    assert index.search(PASSAGES[place]) == [PASSAGES[place]]
    assert len(index) == len(PASSAGES)


def test_as_many_passages_come_back_as_asked_for_best_first(index):
    assert index.search("capital of Kenya", 1) == [PASSAGES[1]]
    found = index.search("capital of Kenya", 3)
    assert len(found) == 3
    assert found[0] == PASSAGES[1]


def test_an_index_opened_again_answers_alike(tmp_path):
    built = PassageIndex.build(PASSAGES, tmp_path / "index")
    opened = PassageIndex.opened(tmp_path / "index")
    assert len(opened) == len(PASSAGES)
    assert opened.search("the capital", 5) == built.search("the capital", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("folder", ["nothing", "empty"])
def test_a_folder_without_an_index_cannot_be_opened(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises((OSError, ValueError)):
        PassageIndex.opened(tmp_path / folder)


@pytest.mark.parametrize("query", ["", "   ", "?!", "()[]{}\"'\\:^~*+-", "_", "\n\t\x00"])
def test_a_query_without_words_finds_nothing(index, query):
    assert index.search(query, 3) == []


@pytest.mark.parametrize("query", ["zebra", "AND OR NOT TO", "x" * 100_000, "日本"])
def test_a_query_of_unknown_words_finds_nothing(index, query):
    assert index.search(query, 3) == []


@pytest.mark.parametrize(
    "query",
    [
        'country: "city" AND NOT (Gao)',
        "body:Gao^3 OR id:[1 TO 3]",
        "+Gao -Gao *",
        "GAO!!!",
        "Gao~2 \\",
        "Gao's <tool_call>",
        "Gao " * 5000,
    ],
)
def test_punctuation_capitals_and_length_do_no_harm(index, query):
    assert index.search(query, 1) == [PASSAGES[3]]


def test_letters_with_accents_are_words(index):
    assert index.search("são tomé") == [PASSAGES[4]]


def test_equally_good_passages_keep_their_order_at_every_time_and_in_every_build(tmp_path):
    passages = [f"Passage {number} speaks of rain." for number in range(200)]
    first, second = (PassageIndex.build(passages, tmp_path / name) for name in ("a", "b"))
    assert first.search("rain", 150) == second.search("rain", 150) == first.search("rain", 150) == passages[:150]


def build(folder: Path, barrier: Any) -> None:
    """Wait for the others, then build: the work of a process of its own."""
    barrier.wait(60)
    if PassageIndex.build(PASSAGES, folder).search("city Gao") != [PASSAGES[3]]:
        raise SystemExit("the index does not answer")


def test_two_processes_that_build_at_once_leave_one_good_index(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    builders = [context.Process(target=build, args=(tmp_path / "index", barrier)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(60)
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert PassageIndex.opened(tmp_path / "index").search("city Gao") == [PASSAGES[3]]
