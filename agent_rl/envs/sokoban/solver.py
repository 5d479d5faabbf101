"""A solver for small levels: the fewest moves to solve one, or the proof that it cannot be solved.

It is A*: the moves still needed are at least the pushes that each box needs to some goal if it were alone in the room
and the player could fly.
"""

import functools
import heapq
import itertools

from agent_rl.envs.sokoban.levels import DIRECTIONS, Room, State, moved

MOST_STATES = 100_000
"""States that a search may look at; they are counted, not timed, so that it ends alike on every machine."""
_Found = dict[State, tuple[int, int, State | None, str]]


class UndecidedError(Exception):
    """The search looked at as many states as it may and knows neither a solution nor that there is none."""


def solve(room: Room, state: State, most: int = MOST_STATES) -> list[str] | None:
    """Return a solution with the fewest moves and, of those, the fewest pushes; None if there is no way.

    Raises:
        UndecidedError: `most` states were not enough.
    """
    alone = pushes_alone(room)
    counter = itertools.count()
    found: _Found = {state: (0, 0, None, "")}
    queue = [(_least(alone, state), 0, next(counter), 0, state)] if _hopeful(alone, state) else []
    done: set[State] = set()
    while queue:
        _, pushes, _, moves, at = heapq.heappop(queue)
        if at in done:
            continue
        if room.solved(at):
            return _way(found, at)
        done.add(at)
        if len(done) >= most:
            raise UndecidedError(f"{most} states were not enough")
        for direction in DIRECTIONS:
            to = moved(room, at, direction)
            if to is at or not _hopeful(alone, to):
                continue
            cost = moves + 1, pushes + (to.boxes != at.boxes)
            if to not in found or cost < found[to][:2]:
                found[to] = (*cost, at, direction)
                heapq.heappush(queue, (cost[0] + _least(alone, to), cost[1], next(counter), cost[0], to))
    return None


def pushes_in(room: Room, state: State, directions: list[str]) -> int:
    """Return how many of the moves push a box."""
    states = itertools.accumulate(directions, functools.partial(moved, room), initial=state)
    return sum(before.boxes != after.boxes for before, after in itertools.pairwise(states))


@functools.lru_cache(maxsize=4096)
def pushes_alone(room: Room) -> dict[int, int]:
    """Return, for each cell, the pushes that bring a box from there to the nearest goal if nothing stands in its way.

    Cells that are missing are dead: a box there never comes to a goal.
    """
    known = dict.fromkeys(sorted(room.goals), 0)
    queue = list(known)
    for cell in queue:  # grows while it is gone through
        for offset in map(room.offset, DIRECTIONS):
            before, player = cell - offset, cell - 2 * offset
            if before not in known and before not in room.walls and player not in room.walls:
                known[before] = known[cell] + 1
                queue.append(before)
    return known


def _hopeful(alone: dict[int, int], state: State) -> bool:
    return all(box in alone for box in state.boxes)


def _least(alone: dict[int, int], state: State) -> int:
    return sum(alone[box] for box in state.boxes)


def _way(found: _Found, end: State) -> list[str]:
    way: list[str] = []
    at = end
    while True:
        _, _, before, direction = found[at]
        if before is None:
            return way[::-1]
        way.append(direction)
        at = before
