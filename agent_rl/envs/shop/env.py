"""The environment `shop`."""

import functools
from collections.abc import Iterator
from random import Random

from pydantic import Field

from agent_rl.core.errors import nearest
from agent_rl.core.message import Message, assistant, system, tool_call, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.generation import GeneratedSettings, demonstration, generate
from agent_rl.envs.reward import reward
from agent_rl.envs.shop.catalogue import Product, catalogue, dollars
from agent_rl.envs.shop.score import Wish, score
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.search import PassageIndex
from agent_rl.tools.tool import tool

PROMPT = "Buy what is asked for: search, open a product, choose its options, then buy. You can buy once."


class ShopSettings(GeneratedSettings):
    """Settings of the environment `shop`."""

    products: int = Field(default=1000, ge=50, le=100_000)
    """Products in the catalogue, which both splits share."""
    results: int = Field(default=10, ge=1, le=50)
    """Products that one search shows."""


class Shop(ToolEnv):
    """A catalogue to search, pages to open, options to choose, and one purchase that is scored.

    The tools are asynchronous without awaiting, so that the calls of a turn happen one after the other, in order.
    """

    Settings = ShopSettings
    settings: ShopSettings
    product: Product | None
    chosen: dict[str, str]
    purchase: tuple[Product, dict[str, str]] | None

    def setup(self, task: Task) -> None:
        """Begin with no page open."""
        self.product, self.chosen, self.purchase = None, {}, None

    @tool
    async def search(self, query: str) -> str:
        """Find products."""
        found = _index(self.settings.seed, self.settings.products).search(query, self.settings.results)
        return "\n".join(found) or "Nothing found."

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def open(self, product: str) -> str:
        """Open the page of a product by its id."""
        products = catalogue(self.settings.seed, self.settings.products)
        name = product.strip().strip("[]").upper()
        if name not in products:
            return f"Error: there is no product '{product[:40]}'"
        self.product, self.chosen = products[name], {}
        return self.product.page

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def choose(self, option: str, value: str) -> str:
        """Choose an option of the open product."""
        if self.product is None:
            return "Error: no product is open"
        values = self.product.options.get(option)
        if values is None:
            return f"Error: there is no option '{option[:40]}'{nearest(option[:40], self.product.options)}"
        if value not in values:
            return f"Error: {option} can be: {', '.join(values)}"
        self.chosen[option] = value
        return f"Chosen: {', '.join(f'{name} = {chosen}' for name, chosen in self.chosen.items())}"

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def buy(self) -> str:
        """Buy the open product as chosen. This ends the episode."""
        if self.product is None:
            return "Error: no product is open"
        if self.purchase is not None:
            return "Error: you can buy once"
        missing = [name for name in self.product.options if name not in self.chosen]
        if missing:
            return f"Error: choose first: {', '.join(missing)}"
        self.purchase = self.product, dict(self.chosen)
        self.finish()
        return f"You bought [{self.product.id}] for {dollars(self.product.price)}."

    @reward
    def fit(self, task: Task) -> float:
        """The share of the wishes that the purchase fulfils, by WebShop's formula; 0 without a purchase."""
        return score(Wish(**task.data["wish"]), *self.purchase) if self.purchase else 0.0

    def tasks(self, split: str) -> TaskSet:
        """Return the instructions of "train" or "test"; each can be fulfilled entirely."""
        return task_set(self.settings, split)

    def solution(self, task: Task) -> Iterator[Message]:
        """Search for the wish, open the product it was made from, choose, buy."""
        wish = task.data["wish"]
        yield assistant("", [tool_call("search", {"query": " ".join([wish["kind"], *wish["attributes"]])})])
        yield assistant("", [tool_call("open", {"product": task.answer})])
        options = catalogue(self.settings.seed, self.settings.products)[task.answer].options
        chosen = {name: wish["options"].get(name, values[0]) for name, values in options.items()}
        for name, value in chosen.items():
            yield assistant("", [tool_call("choose", {"option": name, "value": value})])
        yield assistant("", [tool_call("buy", {})])

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return the solution of a training task, played."""
        return demonstration(self, rng)


@functools.cache
def _index(seed: int, size: int) -> PassageIndex:
    """Return the index over the catalogue."""
    return PassageIndex.in_memory([product.line for product in catalogue(seed, size).values()])


@functools.cache
def task_set(settings: ShopSettings, split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return generate(functools.partial(_draw, settings), split, settings, "shop")


def _draw(settings: ShopSettings, rng: Random, name: str) -> Task:
    product = rng.choice(list(catalogue(settings.seed, settings.products).values()))
    attributes = rng.sample(product.attributes, rng.randint(1, len(product.attributes)))
    named = rng.sample(sorted(product.options), rng.randint(0, len(product.options)))
    options = {option: rng.choice(product.options[option]) for option in named}
    price = -(-(product.price + rng.randint(0, 2000)) // 500) * 500
    wish = Wish(product.category, product.kind, tuple(attributes), options, price)
    count = len(attributes) + len(options)
    return Task(
        id=name,
        messages=(system(PROMPT), user(_told(wish))),
        answer=product.id,
        attributes={"category": product.category, "difficulty": count},
        data={"wish": vars(wish)},
    )


def _told(wish: Wish) -> str:
    options = "".join(f", {name}: {value}" for name, value in wish.options.items())
    return f"I want: {wish.kind}, {', '.join(wish.attributes)}{options}, for at most {dollars(wish.price)}."
