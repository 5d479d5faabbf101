"""The environment `household`: its rules, its chores and its planner."""

from random import Random

import pytest

from agent_rl import make
from agent_rl.core.message import assistant, tool_call
from agent_rl.envs.household.game import Game
from agent_rl.envs.household.planner import plan
from agent_rl.envs.household.world import KINDS, Goal, Home, draw, kind_of

HOME = Home(
    {"counter 1": "kitchen", "sink 1": "kitchen", "microwave 1": "kitchen", "fridge 1": "kitchen", "lamp 1": "hall"},
    {"apple 1": "counter 1", "apple 2": "fridge 1", "cup 1": "counter 1", "book 1": "counter 1"},
)


def game(kind: str = "place", thing: str = "apple", target: str = "sink") -> Game:
    return Game(HOME, Goal(kind, thing, target))


def said(played: Game, *commands: str) -> list[str]:
    return [played.act(command) for command in commands]


@pytest.mark.parametrize("kind", KINDS)
def test_the_planner_does_every_chore_with_commands_that_are_listed(kind):
    for seed in range(100):
        played = Game(*draw(kind, 12, Random(seed)))
        for command in plan(played):
            assert not played.done
            assert command in played.commands()
            assert not played.act(command).startswith("Error")
        assert played.done


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_listed_works_and_keeps_every_thing_in_one_place(kind):
    for seed in range(10):
        rng = Random(seed)
        played = Game(*draw(kind, 8, rng))
        for _ in range(60):
            command = rng.choice(list(played.commands()))
            assert not played.act(command).startswith("Error"), command
            lying = {thing for thing, where in played.lies.items() if where in played.home.furniture}
            assert set(played.home.things) - lying == ({played.held} if played.held else set())


def test_a_chore_is_not_done_by_half():
    heat = game("heat", "apple", "counter")
    said(heat, "go to counter 1", "take apple 1 from counter 1", "put apple 1 in counter 1")
    assert not heat.done
    said(heat, "take apple 1 from counter 1", "go to microwave 1", "heat apple 1 with microwave 1")
    said(heat, "go to fridge 1", "cool apple 1 with fridge 1", "go to counter 1", "put apple 1 in counter 1")
    assert not heat.done  # it is cold again
    two = game("two", "apple", "sink")
    said(two, "go to counter 1", "take apple 1 from counter 1", "go to sink 1", "put apple 1 in sink 1")
    assert not two.done
    said(two, "go to fridge 1", "open fridge 1", "take apple 2 from fridge 1", "go to sink 1", "put apple 2 in sink 1")
    assert two.done


def test_the_light_must_fall_on_the_thing():
    examine = game("examine", "book", "lamp")
    said(examine, "go to lamp 1", "use lamp 1", "go to counter 1", "take cup 1 from counter 1", "go to lamp 1")
    said(examine, "use lamp 1")
    assert not examine.done
    said(examine, "go to counter 1", "put cup 1 in counter 1", "take book 1 from counter 1", "go to lamp 1")
    assert examine.act("use lamp 1") == "You turn on the lamp and see the book 1 in its light."
    assert examine.done


def test_what_is_closed_hides_what_is_within_until_it_is_opened():
    played = game()
    assert said(played, "go to fridge 1", "take apple 2 from fridge 1", "open fridge 1") == [
        "The fridge 1 is closed.",
        "Error: 'take apple 2 from fridge 1' cannot be done now",
        "You open the fridge 1. At the fridge 1 you see: apple 2.",
    ]


def test_commands_are_read_without_case_and_spaces_and_one_hand_carries_one_thing():
    played = game()
    said(played, " GO  to Counter 1. ", "Take apple 1 from counter 1")
    assert played.act("inventory") == "You carry: apple 1."
    assert played.act("take cup 1 from counter 1").startswith("Error")
    assert played.act("x" * 10_000) == f"Error: '{'x' * 60}' cannot be done now"


@pytest.mark.parametrize("kind", KINDS)
def test_no_chore_is_done_before_it_begins(kind):
    for seed in range(200):
        home, goal = draw(kind, 12, Random(seed))
        assert not Game(home, goal)._placed()
        assert goal.target in {kind_of(name) for name in home.furniture}
        assert set(home.things.values()) <= set(home.furniture)


def test_the_calls_of_one_turn_happen_in_order():
    env = make("household", train_tasks=60, test_tasks=50)
    task = env.tasks("test")[0]
    home, goal = Home(task.data["furniture"], task.data["things"]), Goal(**task.data["goal"])
    commands = _played(Game(home, goal))
    env.reset(options={"task": task})
    calls = [tool_call("act", {"command": command}, i) for i, command in enumerate(commands)]
    assert env.step(assistant("", calls))[1:3] == (1.0, True)


def _played(played: Game) -> list[str]:
    commands = []
    for command in plan(played):
        commands.append(command)
        played.act(command)
    return commands


def test_the_list_of_commands_is_a_tool_that_can_be_left_out():
    env = make("household", train_tasks=60, test_tasks=50)
    env.reset(seed=0)
    (listed,), *_ = env.step(assistant("", [tool_call("commands", {})]))
    assert listed["content"].splitlines()[:2] == ["look", "inventory"]
    left_out = make("household", train_tasks=60, test_tasks=50, list_commands=False)
    assert [t["function"]["name"] for t in left_out.reset(seed=0)[1]["tools"]] == ["act"]
