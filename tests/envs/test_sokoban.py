"""Sokoban: levels that can be solved, a solver that is right, rules that hold."""

import itertools
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import make
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection
from agent_rl.envs.sokoban.env import SOLVED, STUCK
from agent_rl.envs.sokoban.levels import DIRECTIONS, Room, State, drawn, generate, moved, read
from agent_rl.envs.sokoban.solver import UndecidedError, pushes_alone, pushes_in, solve
from agent_rl.envs.tool_env import ToolEnv

FEW = {"train_tasks": 60, "test_tasks": 30}
CORRIDOR = ["######", "#@$-.#", "######", "######", "######", "######"]
ROOM = ["######", "#@---#", "#-$--#", "#--.-#", "#----#", "######"]


def move(direction: str) -> Message:
    return assistant("", [tool_call("move", {"direction": direction})])


def begun(rows: list[str], **settings: object) -> ToolEnv:
    """An environment in which this level has begun."""
    env = make("sokoban", **FEW, **settings)
    assert isinstance(env, ToolEnv)
    task = env.task_set("train")[0]
    moves = solve(*read(rows)) or []
    env.reset(options={"task": type(task)("made", task.messages, data={"level": rows, "moves": len(moves)})})
    return env


def fewest_moves(room: Room, state: State) -> int | None:
    """Return what trying everything finds, without any cleverness."""
    seen, layer = {state}, [state]
    for moves in itertools.count():
        if any(room.solved(at) for at in layer):
            return moves
        layer = [to for at in layer for to in {moved(room, at, d) for d in DIRECTIONS} if to not in seen]
        layer = list(dict.fromkeys(layer))
        seen.update(layer)
        if not layer:
            return None
    raise AssertionError


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(6, 1), (8, 1), (6, 2)]), st.integers(0, 25))
def test_the_solver_finds_the_fewest_moves_or_that_there_are_none(seed, shape, steps):
    rng = Random(seed)
    room, state = generate(rng, *shape)
    for _ in range(steps):  # may well be fatal
        state = moved(room, state, rng.choice(DIRECTIONS))
    way = solve(room, state)
    assert (None if way is None else len(way)) == fewest_moves(room, state)
    if way is not None:
        end = state
        for direction in way:
            end = moved(room, end, direction)
        assert end.boxes == room.goals


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(6, 8), st.integers(1, 3))
def test_a_generated_level_is_closed_whole_and_written_so_that_it_can_be_read(seed, size, boxes):
    room, state = generate(Random(seed), size, boxes)
    cells = drawn(room, state, gap="")
    assert len(room.goals) == len(state.boxes) == boxes
    assert not state.boxes & room.goals
    assert state.player not in room.walls | state.boxes
    rows = cells.splitlines()
    assert set(rows[0] + rows[-1] + "".join(row[0] + row[-1] for row in rows)) == {"#"}
    assert read(rows) == (room, state)
    assert drawn(room, state).replace(" ", "") == cells


@pytest.mark.parametrize(("size", "boxes"), [(6, 1), (8, 1), (7, 2), (6, 3)])
def test_every_level_is_solved_within_what_is_allowed(size, boxes):
    env = make("sokoban", size=size, boxes=boxes, train_tasks=1, test_tasks=12)
    for task in env.tasks("test"):
        env.reset(options={"task": task})
        *before, last = [env.step(action) for action in env.solution(task)]
        assert len(before) + 1 == task.data["moves"]
        assert [step[1:3] for step in before] == [(0.0, False)] * len(before)
        assert (last[0][0]["content"], *last[1:3]) == (SOLVED, 1.0, True)
        assert task.attributes["pushes"] >= 2 * boxes


def test_of_the_shortest_solutions_the_one_with_the_fewest_pushes_is_found():
    room, state = read(["######", "#@---#", "#-$--#", "#----#", "#---.#", "######"])
    way = solve(room, state)
    assert way is not None
    assert (len(way), pushes_in(room, state, way)) == (fewest_moves(room, state), 4)


def test_a_search_that_may_not_look_further_says_so():
    room, state = read(ROOM)
    with pytest.raises(UndecidedError):
        solve(room, state, most=3)


def test_no_level_is_in_both_splits_or_twice_in_one():
    env = make("sokoban", train_tasks=500, test_tasks=150)
    train, test = ([tuple(task.data["level"]) for task in env.tasks(split)] for split in ("train", "test"))
    assert (len(set(train)), len(set(test))) == (500, 150)
    assert not set(train) & set(test)


def test_moves_walk_push_and_are_stopped_by_walls_and_boxes():
    room, state = read(["######", "#@$$-#", "#-$--#", "#----#", "#...-#", "######"])
    assert moved(room, state, "right") is state  # two boxes in a row
    assert moved(room, state, "up") is state
    below = moved(room, state, "down")
    assert drawn(*read(["######", "#-$$-#", "#@$--#", "#----#", "#...-#", "######"])) == drawn(room, below)
    pushed = moved(room, below, "right")
    assert drawn(room, pushed, gap="").splitlines() == ["######", "#-$$-#", "#-@$-#", "#----#", "#...-#", "######"]


def test_the_player_sees_the_room_and_a_move_that_cannot_be_made_changes_nothing():
    env = begun(ROOM)
    (shown,), reward, over, *_ = env.step(move("up"))
    assert (shown["content"], reward, over) == (
        "# # # # # #\n# @ - - - #\n# - $ - - #\n# - - . - #\n# - - - - #\n# # # # # #",
        0.0,
        False,
    )


def test_a_fatal_push_ends_the_episode_unless_that_is_switched_off():
    along_the_wall = ["######", "#--$@#", "#----#", "#--.-#", "#----#", "######"]
    env = begun(along_the_wall)
    (said,), reward, over, *_ = env.step(move("left"))
    assert (said["content"], reward, over) == (STUCK, 0.0, True)
    env = begun(along_the_wall, end_when_stuck=False)
    (said,), reward, over, *_ = env.step(move("left"))
    assert ("@" in said["content"], reward, over) == (True, 0.0, False)


def test_a_box_that_could_be_saved_only_by_someone_behind_it_is_seen_to_be_stuck():
    env = begun(["########", "#---$@.#", *["########"] * 6])
    room, state = read(["########", "#--$@-.#", *["########"] * 6])
    assert state.boxes <= pushes_alone(room).keys()  # no dead cell: pushed from its left it would come to the goal
    (said,), _, over, *_ = env.step(move("left"))
    assert (said["content"], over) == (STUCK, True)


def test_the_episode_ends_after_the_moves_that_are_allowed():
    env = begun(CORRIDOR, slack=1)
    steps = [env.step(move("left")) for _ in range(3)]
    assert [(step[1], step[2]) for step in steps] == [(0.0, False), (0.0, False), (0.0, True)]


def test_calls_of_one_turn_are_played_in_order_and_end_with_the_game():
    env = begun(CORRIDOR)
    calls = [tool_call("move", {"direction": "right"}, i) for i in range(3)]
    said, reward, over, *_ = env.step(assistant("", calls))
    assert [message["content"].count("\n") for message in said] == [5, 0, 0]
    assert (said[1]["content"], said[2]["content"], reward, over) == (SOLVED, "The game is over.", 1.0, True)


def test_no_constant_direction_and_no_chance_solves_many_levels():
    env = make("sokoban")
    tasks = list(env.tasks("test"))[:80]
    for choose in [*(lambda _, d=d: d for d in DIRECTIONS), lambda rng: rng.choice(DIRECTIONS)]:
        rewards = 0.0
        for number, task in enumerate(tasks):
            env.reset(options={"task": task})
            rng, most = Random(number), task.data["moves"] + 8
            calls = [tool_call("move", {"direction": choose(rng)}, i) for i in range(most)]
            _, reward, over, *_ = env.step(assistant("", calls))
            assert over
            rewards += reward
        assert rewards / len(tasks) < 0.1


def test_the_demonstrated_player_is_imperfect_plays_by_the_rules_and_in_no_test_level():
    env = make("sokoban")
    shown = [env.demonstrate(Random(seed)).messages for seed in range(200)]
    ends = Counter(messages[-1]["content"] for messages in shown)
    assert 0.3 < ends[SOLVED] / len(shown) < 0.7
    assert ends[STUCK] > 10
    assert shown[:10] == [env.demonstrate(Random(seed)).messages for seed in range(10)]
    test = {task.messages[-1]["content"] for task in env.tasks("test")}
    assert not test & {messages[0]["content"] for messages in shown}


def test_every_check_passes_for_other_settings_too():
    findings = list(
        check_environment(
            EnvSection(name="sokoban", size=7, boxes=2, end_when_stuck=False, train_tasks=20, test_tasks=10)
        )
    )
    assert [finding for finding in findings if not finding.passed] == []


def test_a_size_that_is_not_offered_is_refused():
    with pytest.raises(UserError, match=r"env\.size"):
        make("sokoban", size=20)
