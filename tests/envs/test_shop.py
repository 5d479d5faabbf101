"""The environment `shop`: what a purchase is worth, and what the tools answer."""

import pytest

from agent_rl import ToolEnv, make
from agent_rl.core.message import assistant, tool_call
from agent_rl.envs.shop.catalogue import Product, catalogue
from agent_rl.envs.shop.env import Shop
from agent_rl.envs.shop.score import Wish, score

WISH = Wish("kitchen", "kettle", ("cordless", "quiet"), {"colour": "red"}, 5000)
FITTING = Product("P1", "kitchen", "kettle", "Fable", ("cordless", "quiet"), {"colour": ("red", "blue")}, 5000)


def few(**chosen: object) -> ToolEnv:
    return make("shop", train_tasks=60, test_tasks=50, **chosen)


def say(env: ToolEnv, *calls: tuple[str, dict[str, str]]) -> list[str]:
    made = [tool_call(name, arguments, i) for i, (name, arguments) in enumerate(calls)]
    return [message["content"] for message in env.step(assistant("", made))[0]]


@pytest.mark.parametrize(
    ("change", "colour", "expected"),
    [
        ({}, "red", 1.0),
        ({}, "blue", 3 / 4),
        ({"price": 5001}, "red", 3 / 4),
        ({"attributes": ("quiet",)}, "red", 3 / 4),
        ({"attributes": (), "price": 9000}, "blue", 0.0),
        ({"kind": "frying pan"}, "red", 1 / 2),
        ({"category": "garden", "kind": "plant pot"}, "red", 0.0),
    ],
)
def test_a_purchase_is_worth_the_share_of_the_wishes_times_how_well_its_type_fits(change, colour, expected):
    product = Product(**(vars(FITTING) | change))
    assert score(WISH, product, {"colour": colour}) == pytest.approx(expected)


def test_every_instruction_can_be_fulfilled_and_nearly_always_from_the_first_search():
    env = few()
    shown = 0
    for task in env.tasks("test"):
        env.reset(options={"task": task})
        messages = [env.step(action) for action in env.solution(task)]
        assert messages[-1][1:3] == (1.0, True)
        shown += task.answer in messages[0][0][0]["content"] or _fits(task, messages[0][0][0]["content"])
    assert shown / 50 > 0.9


def _fits(task, found: str) -> bool:
    wish, products = Wish(**task.data["wish"]), catalogue(0, 1000)
    ids = [line[1:7] for line in found.splitlines()]
    return any(score(wish, products[i], wish.options) == 1.0 for i in ids)


def test_a_wrong_step_is_answered_with_what_is_right():
    env = few()
    task = env.tasks("test")[0]
    env.reset(options={"task": task})
    assert say(env, ("buy", {})) == ["Error: no product is open"]
    assert say(env, ("choose", {"option": "size", "value": "x"})) == ["Error: no product is open"]
    assert say(env, ("open", {"product": "nothing"})) == ["Error: there is no product 'nothing'"]
    say(env, ("open", {"product": f"[{task.answer.lower()}]"}))
    options = catalogue(0, 1000)[task.answer].options
    name, values = next(iter(options.items()))
    assert say(env, ("choose", {"option": f"{name}x", "value": "x"})) == [
        f"Error: there is no option '{name}x', did you mean '{name}'?"
    ]
    assert say(env, ("choose", {"option": name, "value": "x"})) == [f"Error: {name} can be: {', '.join(values)}"]
    assert say(env, ("buy", {})) == [f"Error: choose first: {', '.join(options)}"]
    assert say(env, ("search", {"query": "?!"})) == ["Nothing found."]


def test_the_calls_of_one_turn_happen_in_order_and_what_follows_the_purchase_changes_nothing():
    env = few()
    assert isinstance(env, Shop)
    task = next(t for t in env.tasks("test") if t.data["wish"]["options"])
    options = catalogue(0, 1000)[task.answer].options
    chosen = [(n, task.data["wish"]["options"].get(n, v[0])) for n, v in options.items()]
    calls = [("open", {"product": task.answer}), *[("choose", {"option": n, "value": v}) for n, v in chosen]]
    other = next(i for i in catalogue(0, 1000) if i != task.answer)
    env.reset(options={"task": task})
    made = [*calls, ("buy", {}), ("buy", {}), ("open", {"product": other})]
    turn = assistant("", [tool_call(name, arguments, i) for i, (name, arguments) in enumerate(made)])
    observation, reward, terminated, *_ = env.step(turn)
    assert (reward, terminated) == (1.0, True)
    assert observation[-2]["content"] == "Error: you can buy once"


def test_leaving_without_a_purchase_gets_nothing():
    env = few()
    env.reset(seed=0)
    assert env.step(assistant("I would rather not."))[1:3] == (0.0, True)
