"""The games: tasks that can be solved, players that are imperfect, rules that hold against a sly policy."""

import itertools
from collections.abc import Iterator
from random import Random

import pytest

from agent_rl import make
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.envs.checker import check_environment
from agent_rl.envs.frozen_lake.maps import DIRECTIONS, distances, generate, moved
from agent_rl.envs.guess.play import GUESSES, NUMBERS, narrowed
from agent_rl.envs.section import EnvSection
from agent_rl.envs.tool_env import ToolEnv

NAMES = ("guess", "countdown", "frozen_lake")


def play(env: ToolEnv, actions: Iterator[Message]) -> tuple[float, int, list[Message]]:
    """Return the reward, the turns and the last observation of an episode that has been reset."""
    for turns, action in enumerate(actions, 1):
        observation, reward, over, *_ = env.step(action)
        if over:
            return reward, turns, observation
    return 0.0, turns, observation


def called(name: str, **arguments: object) -> Message:
    return assistant("", [tool_call(name, arguments)])


@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_a_game_passes(name):
    findings = list(check_environment(EnvSection(name=name)))
    assert {"gymnasium", "splits", "solution", "wrong answer", "malformed calls"} <= {f.name for f in findings}
    assert all(finding.passed for finding in findings)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_solves_tasks_of_both_splits_within_what_the_game_allows(name):
    env = make(name)
    for task in [*itertools.islice(env.tasks("train"), 40), *itertools.islice(env.tasks("test"), 40)]:
        env.reset(options={"task": task})
        assert play(env, iter(env.solution(task)))[0] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_the_demonstrated_player_is_imperfect_and_plays_by_the_rules(name):
    env = make(name)
    shown = [env.demonstrate(Random(seed)).messages for seed in range(300)]
    wins = [any(word in messages[-1]["content"] for word in ("correct", "goal")) for messages in shown]
    assert 0.3 < sum(wins) / len(wins) < 0.95
    assert not any(said["content"].startswith("Error") for messages in shown for said in messages)
    assert shown[:20] == [env.demonstrate(Random(seed)).messages for seed in range(20)]


@pytest.mark.parametrize("name", ["countdown", "frozen_lake"])
def test_what_is_demonstrated_is_not_held_out(name):
    env = make(name)
    held_out = {task.messages[0]["content"] for task in env.tasks("test")}
    assert not any(env.demonstrate(Random(seed)).messages[0]["content"] in held_out for seed in range(1000))


def test_halving_finds_every_number_and_trying_each_in_turn_does_not():
    env = make("guess")
    tasks = list(env.tasks("test"))[:NUMBERS]
    rewards = []
    for task in tasks:
        env.reset(options={"task": task})
        low = int(task.id.partition("-")[0])
        one_by_one = (called("guess", number=low + i) for i in range(NUMBERS))
        rewards.append(play(env, one_by_one)[0])
        assert len(list(env.solution(task))) <= GUESSES
    assert sum(rewards) == GUESSES


def test_many_guesses_in_one_turn_are_no_more_than_five_guesses():
    env = make("guess")
    task = env.tasks("train")[10]
    env.reset(options={"task": task})
    low = int(task.id.partition("-")[0])
    calls = [tool_call("guess", {"number": low + i}, i) for i in range(NUMBERS)]
    _, reward, over, *_ = env.step(assistant("", calls))
    assert (reward, over) == (0.0, True)


def test_a_guess_leaves_what_is_possible():
    assert narrowed(1, 50, 25, 30) == (26, 50)
    assert narrowed(1, 50, 25, 20) == (1, 24)
    low, high = narrowed(1, 50, 25, 25)
    assert low > high


@pytest.mark.parametrize("size", [3, 4, 6, 8])
def test_a_lake_has_a_way_that_is_no_shorter_than_asked_and_avoids_holes(size):
    for seed in range(30):
        lake = generate(Random(seed), size)
        cells, known = "".join(lake), distances(lake)
        assert (len(lake), len(cells), cells.count("S"), cells.count("G")) == (size, size * size, 1, 1)
        assert known[cells.index("S")] >= size - 1
        assert all(known[i] == -1 for i, cell in enumerate(cells) if cell == "H")


def test_a_lake_is_walked_as_gymnasium_walks_it():
    env = make("frozen_lake", slack=50)
    rng = Random(3)
    for number in range(10):
        task = env.tasks("train")[number]
        (_, *_), _ = env.reset(options={"task": task})
        cells = "".join(task.data["lake"])
        at = cells.index("S")
        for _ in range(20):
            direction = rng.choice(DIRECTIONS)
            at = moved(at, direction, 4)
            observation, reward, over, *_ = env.step(called("move", direction=direction))
            assert over == (cells[at] in "GH")
            assert reward == (cells[at] == "G")
            if over:
                break
            assert observation[0]["content"].split().index("P") == at


def test_a_walk_ends_after_the_moves_it_is_allowed():
    env = make("frozen_lake", slack=0)
    task = next(task for task in env.tasks("test") if task.data["lake"][0].startswith("S"))
    env.reset(options={"task": task})
    reward, turns, _ = play(env, (called("move", direction="left") for _ in range(99)))
    assert (reward, turns) == (0.0, task.attributes["distance"])


def test_slippery_ice_leads_astray_the_same_way_for_the_same_seed_and_has_no_solution():
    env = make("frozen_lake", slippery=True, slack=40)
    task = env.tasks("test")[0]

    def walk(seed: int) -> list[str]:
        env.reset(seed=seed, options={"task": task})
        seen = []
        for _ in range(12):
            observation, _, over, *_ = env.step(called("move", direction="right"))
            seen.append(observation[0]["content"])
            if over:
                break
        return seen

    assert walk(1) == walk(1)
    assert len({tuple(walk(seed)) for seed in range(10)}) > 3
    findings = list(check_environment(EnvSection(name="frozen_lake", slippery=True)))
    assert not any(finding.passed is False for finding in findings)
    assert any("no move is certain" in finding.seen for finding in findings)


@pytest.mark.parametrize("name", ["countdown", "frozen_lake"])
def test_a_split_that_is_not_there_is_refused(name):
    with pytest.raises(UserError, match="split"):
        make(name).tasks("tset")
