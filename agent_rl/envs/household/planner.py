"""The expert: knows where everything lies and plans the shortest way to the goal."""

from collections.abc import Iterator

from agent_rl.envs.household.game import Game
from agent_rl.envs.household.world import CLOSED, WITH, kind_of


def plan(game: Game) -> Iterator[str]:
    """Yield the commands that reach the goal; each is asked for when the one before has been carried out."""
    target = next(name for name in game.home.furniture if kind_of(name) == game.goal.target)
    wanted = [thing for thing in game.lies if kind_of(thing) == game.goal.thing]
    for thing in wanted[: 2 if game.goal.kind == "two" else 1]:
        yield from _fetch(game, thing)
        if game.goal.kind in WITH:
            appliance = next(name for name in game.home.furniture if kind_of(name) == WITH[game.goal.kind])
            yield from _reach(game, appliance, opened=False)
            yield f"{game.goal.kind} {thing} with {appliance}"
        yield from _reach(game, target)
        yield f"use {target}" if game.goal.kind == "examine" else f"put {thing} in {target}"


def _fetch(game: Game, thing: str) -> Iterator[str]:
    place = game.lies[thing]
    yield from _reach(game, place)
    yield f"take {thing} from {place}"


def _reach(game: Game, place: str, opened: bool = True) -> Iterator[str]:
    if game.at != place:
        yield f"go to {place}"
    if opened and kind_of(place) in CLOSED and place not in game.opened:
        yield f"open {place}"
