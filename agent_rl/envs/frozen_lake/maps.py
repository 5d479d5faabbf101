"""Maps of frozen lakes: generated, always with a way to the goal, and the shortest ways over them.

A map is a list of rows in Gymnasium's letters: S where the player starts, F frozen, H a hole, G the goal. Cells are
counted row by row from 0, as Gymnasium counts its states.
"""

from collections import deque
from collections.abc import Iterator
from random import Random

DIRECTIONS = ("left", "down", "right", "up")
"""What can be done, in the order of Gymnasium's actions."""
HOLES = 0.25
"""Probability that a cell is a hole."""
Lake = tuple[str, ...]


def generate(rng: Random, size: int) -> Lake:
    """Return a map of `size` x `size` cells whose goal is at least `size - 1` moves from the start."""
    while True:
        cells = ["H" if rng.random() < HOLES else "F" for _ in range(size * size)]
        start, goal = rng.sample(range(size * size), 2)
        cells[start], cells[goal] = "S", "G"
        lake = tuple("".join(cells[i : i + size]) for i in range(0, size * size, size))
        if distances(lake)[start] >= size - 1:
            return lake


def distances(lake: Lake) -> list[int]:
    """Return the moves from each cell to the goal, around the holes; -1 where there is no way, and for holes."""
    cells = "".join(lake)
    found = [-1] * len(cells)
    goal = cells.index("G")
    found[goal] = 0
    queue = deque([goal])
    while queue:
        at = queue.popleft()
        for direction in DIRECTIONS:  # a way back is a way too
            beside = moved(at, direction, len(lake))
            if found[beside] < 0 and cells[beside] != "H":
                found[beside] = found[at] + 1
                queue.append(beside)
    return found


def moved(at: int, direction: str, size: int) -> int:
    """Return the cell that a move leads to; at the border it leads nowhere."""
    row, column = divmod(at, size)
    if direction in ("left", "right"):
        column = min(size - 1, max(0, column + (1 if direction == "right" else -1)))
    else:
        row = min(size - 1, max(0, row + (1 if direction == "down" else -1)))
    return row * size + column


def shortest(lake: Lake, at: int, known: list[int]) -> Iterator[str]:
    """Yield the directions that come nearer to the goal, given the `distances`."""
    for direction in DIRECTIONS:
        if known[moved(at, direction, len(lake))] == known[at] - 1:
            yield direction


def drawn(lake: Lake, at: int) -> str:
    """Return the map as the player sees it: P is the player, F frozen, H a hole, G the goal; cells apart."""
    cells = ["F" if cell == "S" else cell for cell in "".join(lake)]
    cells[at] = "P"
    size = len(lake)
    return "\n".join(" ".join(cells[i : i + size]) for i in range(0, size * size, size))
