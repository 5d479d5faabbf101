"""Homes: what stands where, and the chores that can be asked for; drawn by chance."""

from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

Kind = Literal["place", "examine", "clean", "heat", "cool", "two"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STEPS: dict[Kind, int] = {"place": 1, "examine": 1, "clean": 2, "heat": 2, "cool": 2, "two": 3}
"""How difficult a chore is, from 1 to 3."""
WITH: dict[str, str] = {"clean": "sink", "heat": "microwave", "cool": "fridge"}
"""What a thing is cleaned, heated and cooled with."""
CLOSED = ("fridge", "microwave", "cabinet", "drawer", "wardrobe")
"""Kinds of furniture that must be opened before one sees what is within."""

_ROOMS: dict[str, dict[str, tuple[int, int]]] = {
    "kitchen": {"fridge": (1, 1), "microwave": (1, 1), "sink": (1, 1), "counter": (1, 2), "cabinet": (1, 4)},
    "living room": {"sofa": (1, 1), "table": (1, 2), "shelf": (1, 3), "drawer": (0, 2)},
    "bedroom": {"bed": (1, 1), "desk": (1, 1), "wardrobe": (1, 1), "drawer": (1, 3)},
}
_FOOD = ("counter", "table", "fridge", "cabinet", "shelf")
_DISHES = ("counter", "table", "cabinet", "shelf", "sink")
_SMALL = ("table", "desk", "shelf", "drawer", "bed", "sofa", "wardrobe")
_THINGS = {
    **dict.fromkeys(("apple", "potato", "egg", "tomato", "bread"), _FOOD),
    **dict.fromkeys(("cup", "plate", "bowl", "fork", "pan"), _DISHES),
    **dict.fromkeys(("book", "pen", "key", "watch", "phone", "letter"), _SMALL),
}
_FOODS, _WASHED = ("apple", "potato", "egg", "tomato", "bread"), ("apple", "tomato", "cup", "plate", "bowl", "fork")
_SUITED: dict[Kind, tuple[str, ...]] = {
    "place": tuple(_THINGS),
    "examine": ("book", "pen", "key", "watch", "phone", "letter"),
    "clean": _WASHED,
    "heat": (*_FOODS, "cup", "plate"),
    "cool": (*_FOODS, "cup", "pan"),
    "two": tuple(_THINGS),
}


@dataclass(frozen=True)
class Goal:
    """A chore: what is to be done with a kind of thing, and into which kind of furniture it belongs."""

    kind: Kind
    thing: str
    target: str

    @property
    def text(self) -> str:
        """The chore in words."""
        state = {"clean": "clean ", "heat": "hot ", "cool": "cold "}.get(self.kind, "")
        if self.kind == "examine":
            return f"look at a {self.thing} in the light of the {self.target}."
        if self.kind == "two":
            return f"put two of these into or onto a {self.target}: {self.thing}."
        return f"put a {state}{self.thing} into or onto a {self.target}."


@dataclass(frozen=True)
class Home:
    """A home as an episode finds it.

    Attributes:
        furniture: The room of each piece, by its name such as "cabinet 2".
        things: The piece of furniture where each thing lies, by its name such as "apple 1".
    """

    furniture: dict[str, str]
    things: dict[str, str]

    @property
    def text(self) -> str:
        """The rooms and their furniture in words."""
        rooms = list(dict.fromkeys(self.furniture.values()))
        inside = {room: [name for name, where in self.furniture.items() if where == room] for room in rooms}
        return "\n".join(f"{room.capitalize()}: {', '.join(names)}." for room, names in inside.items())


def kind_of(name: str) -> str:
    """Return the kind of a thing or a piece of furniture: "cabinet" of "cabinet 2"."""
    return name.rpartition(" ")[0]


def draw(kind: Kind, things: int, rng: Random) -> tuple[Home, Goal]:
    """Return a home with `things` things, or one more, and a chore of a kind that can be done and is not yet done."""
    furniture = _furniture(rng)
    kinds = {kind_of(name) for name in furniture}
    wanted = rng.choice(_SUITED[kind])
    allowed = sorted(set(_THINGS[wanted]) & kinds - {WITH.get(kind, "")})
    goal = Goal(kind, wanted, "lamp" if kind == "examine" else rng.choice(allowed))
    needed = [wanted] * (2 if kind == "two" else 1)
    others = rng.choices([thing for thing in _THINGS if thing != wanted], k=max(things - len(needed), 0))
    names = _numbered(needed + others)
    lies = {name: _place(kind_of(name), goal, furniture, rng) for name in names}
    return Home(furniture, dict(sorted(lies.items()))), goal


def _furniture(rng: Random) -> dict[str, str]:
    counts: dict[str, int] = {}
    placed: dict[str, str] = {}
    for room, pieces in _ROOMS.items():
        for piece, (least, most) in pieces.items():
            for _ in range(rng.randint(least, most)):
                counts[piece] = counts.get(piece, 0) + 1
                placed[f"{piece} {counts[piece]}"] = room
    lamp = rng.choice([name for name in placed if kind_of(name) in ("desk", "table", "shelf")])
    return {**placed, "lamp 1": f"on {lamp}"}


def _numbered(kinds: list[str]) -> list[str]:
    return [f"{kind} {kinds[:place].count(kind) + 1}" for place, kind in enumerate(kinds)]


def _place(thing: str, goal: Goal, furniture: dict[str, str], rng: Random) -> str:
    """Return where a thing lies: at a place for its kind, and what is wanted not where it is wanted."""
    barred = goal.target if thing == goal.thing else ""
    return rng.choice([name for name in furniture if kind_of(name) in _THINGS[thing] and kind_of(name) != barred])
