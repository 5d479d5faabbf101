"""Sokoban's rooms: what a move does, how a level is written and read, and levels made by playing backwards.

Cells are counted row by row from 0. A level is written in the usual signs: # wall, - floor, . goal, $ box, * box on a
goal, @ player, + player on a goal.
"""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

DIRECTIONS = ("up", "down", "left", "right")
WALLS = 0.15
"""Probability that a cell inside the border is a wall."""
BACKWARDS = 30
"""Moves that are played backwards, for each box and each row."""
_SIGNS = {(False, False): "-", (True, False): ".", (False, True): "$", (True, True): "*"}


@dataclass(frozen=True)
class Room:
    """What does not move: a square with a border of walls, the walls inside, and a goal for each box."""

    size: int
    walls: frozenset[int]
    goals: frozenset[int]

    def offset(self, direction: str) -> int:
        """Return what a step in `direction` adds to the number of a cell."""
        return {"up": -self.size, "down": self.size, "left": -1, "right": 1}[direction]

    def solved(self, state: "State") -> bool:
        """Return whether every box is on a goal."""
        return state.boxes == self.goals


class State(NamedTuple):
    """What moves: the cells of the player and of the boxes."""

    player: int
    boxes: frozenset[int]


def moved(room: Room, state: State, direction: str) -> State:
    """Return the state after a step, which pushes a box that stands in the way; the same one if nothing can move."""
    offset = room.offset(direction)
    to = state.player + offset
    if to in room.walls:
        return state
    if to not in state.boxes:
        return State(to, state.boxes)
    beyond = to + offset
    if beyond in room.walls or beyond in state.boxes:
        return state
    return State(to, state.boxes - {to} | {beyond})


def generate(rng: Random, size: int, boxes: int) -> tuple[Room, State]:
    """Return a room of `size` x `size` cells, border and all, and a state from which it can be solved.

    The state comes from the solved one by moves that are played backwards: the player walks, or pulls the box behind
    it. Every such move can be undone, so that a way to the goals is certain. No box begins on a goal.
    """
    while True:
        room = _room(rng, size, boxes)
        if room is None:
            continue
        state = State(rng.choice(sorted(_floor(room.size, room.walls) - room.goals)), room.goals)
        for _ in range(BACKWARDS * boxes * size):
            state = _moved_back(room, state, rng.choice(DIRECTIONS), rng.random() < 0.5)
        if not state.boxes & room.goals:
            return room, state


def _room(rng: Random, size: int, boxes: int) -> Room | None:
    """Return a room with walls and goals drawn at random, or None if its floor is in parts or too small."""
    cells = range(size * size)
    border = {cell for cell in cells if cell // size in (0, size - 1) or cell % size in (0, size - 1)}
    inside = sorted(set(cells) - border)
    walls = frozenset(border | {cell for cell in inside if rng.random() < WALLS})
    floor = _floor(size, walls)
    if len(floor) < 3 * boxes + 1 or not _joined(floor, size):
        return None
    return Room(size, walls, frozenset(rng.sample(sorted(floor), boxes)))


def _floor(size: int, walls: frozenset[int]) -> set[int]:
    return set(range(size * size)) - walls


def _joined(floor: set[int], size: int) -> bool:
    """Return whether one can walk from each cell of `floor` to every other."""
    reached, edge = set(), [min(floor)]
    while edge:
        cell = edge.pop()
        if cell in floor and cell not in reached:
            reached.add(cell)
            edge += [cell - size, cell + size, cell - 1, cell + 1]
    return reached == floor


def _moved_back(room: Room, state: State, direction: str, pulling: bool) -> State:
    """Return a state from which a step in `direction` leads to `state`; `state` itself if there is none such."""
    offset = room.offset(direction)
    before, ahead = state.player - offset, state.player + offset
    if before in room.walls or before in state.boxes:
        return state
    if ahead not in state.boxes:
        return State(before, state.boxes)
    return State(before, state.boxes - {ahead} | {state.player}) if pulling else state


def drawn(room: Room, state: State, gap: str = " ") -> str:
    """Return the level as the player sees it: a line for each row, its cells apart by `gap`."""
    cells = [
        "#" if cell in room.walls else _SIGNS[cell in room.goals, cell in state.boxes]
        for cell in range(room.size * room.size)
    ]
    cells[state.player] = "+" if state.player in room.goals else "@"
    return "\n".join(gap.join(cells[i : i + room.size]) for i in range(0, len(cells), room.size))


def read(rows: list[str]) -> tuple[Room, State]:
    """Return the level that `drawn` wrote, without gaps, as these rows."""
    cells = "".join(rows)

    def where(signs: str) -> frozenset[int]:
        return frozenset(i for i, cell in enumerate(cells) if cell in signs)

    (player,) = where("@+")
    return Room(len(rows), where("#"), where(".*+")), State(player, where("$*"))
