"""Names: registered once, found again, and when misspelt the error says what exists."""

import pytest

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.registry import Registry


@pytest.fixture
def fruits() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    for name, number in (("pear", 2), ("apple", 1)):
        registry.register(name, number)
    return registry


def test_entries_are_found_by_name_and_listed_in_alphabetical_order(fruits):
    assert (fruits["apple"], fruits["pear"]) == (1, 2)
    assert list(fruits) == ["apple", "pear"]
    assert "apple" in fruits
    assert "plum" not in fruits


def test_a_misspelt_name_gets_the_nearest_and_all_that_exist(fruits):
    with pytest.raises(UserError) as caught:
        fruits["aple"]
    assert str(caught.value) == "unknown fruit 'aple', did you mean 'apple'? (there are: apple, pear)"


def test_an_empty_registry_says_that_there_are_none():
    with pytest.raises(UserError, match=r"unknown fruit 'x' \(there are: none\)"):
        Registry("fruit")["x"]


def test_a_name_cannot_be_taken_by_something_else_but_registering_again_is_harmless(fruits):
    assert fruits.register("apple", 1) == 1
    with pytest.raises(UserError, match="fruit 'apple' is registered already"):
        fruits.register("apple", 3)
    assert fruits["apple"] == 1


@pytest.mark.parametrize(
    ("wrong", "known", "right"),
    [
        ("trainer.step", ["trainer.steps", "trainer.tasks", "seed"], "trainer.steps"),
        ("algorithm.steps", ["seed", "trainer.steps"], "trainer.steps"),  # the right key in the wrong section
        ("lr", ["optimizer.lr", "seed"], "optimizer.lr"),
        ("sed", ["optimizer.lr", "seed"], "seed"),
    ],
)
def test_the_nearest_name_is_proposed(wrong, known, right):
    assert nearest(wrong, known) == f", did you mean '{right}'?"


def test_nothing_is_proposed_when_nothing_is_near():
    assert nearest("zebra", ["trainer.steps", "seed"]) == ""
    assert nearest("zebra", []) == ""
