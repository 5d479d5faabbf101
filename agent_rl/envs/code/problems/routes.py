"""Ways through networks, and what they cost."""

from random import Random

from agent_rl.envs.code.problems.drawing import edges, integers, lines, tree
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [integers(rng, 0, 7, 8, 8), rng.randint(0, 7)],
    [[[1, 2, 0, 2], 3], [[0], 0], [[1, 2, 3, 1], 0], [[1, 0], 1]],
)
def rooms_until_repeat(doors: list[int], start: int) -> int:
    """From each room one door leads on: from room i to room doors[i]. Return how many different rooms are visited.

    One begins in room `start` and walks until a room comes a second time. There are 1 to 1000 rooms.
    """
    seen: set[int] = set()
    while start not in seen:
        seen.add(start)
        start = doors[start]
    return len(seen)


@problem(
    "medium",
    lambda rng: [tree(rng, rng.randint(2, 9), 9)],
    [
        [[[0, 1, 5], [1, 2, 3], [1, 3, 4]]],
        [[[0, 1, 7]]],
        [[[0, 1, 1], [1, 2, 1], [2, 3, 1]]],
        [[[2, 0, 9], [2, 1, 8], [2, 3, 1]]],
    ],
)
def longest_ride(tracks: list[list[int]]) -> int:
    """Return the length of the longest way between two stations, over no track twice.

    A track is [a, b, length], and the tracks make a tree: between any two stations there is exactly one way. The
    stations are 0 to the number of tracks, of which there are 1 to 5000. Lengths are positive.
    """
    near: dict[int, list[tuple[int, int]]] = {}
    for a, b, length in tracks:
        near.setdefault(a, []).append((b, length))
        near.setdefault(b, []).append((a, length))

    def farthest(start: int) -> tuple[int, int]:
        best, stack = (0, start), [(start, -1, 0)]
        while stack:
            at, before, far = stack.pop()
            best = max(best, (far, at))
            stack += [(b, at, far + length) for b, length in near[at] if b != before]
        return best

    return farthest(farthest(0)[1])[0]


@problem(
    "hard",
    lambda rng: [(n := rng.randint(5, 9)), edges(rng, n, n + 3, 15), 0, n - 1, rng.randint(0, 1)],
    [
        [4, [[0, 1, 4], [1, 2, 4], [2, 3, 4], [0, 3, 20]], 0, 3, 1],
        [2, [], 0, 1, 5],
        [2, [[0, 1, 7]], 0, 1, 1],
        [3, [[0, 1, 5]], 2, 2, 0],
        [3, [[0, 1, 9], [1, 2, 9]], 0, 2, 0],
    ],
    large=lambda rng: [200, [[i, j, rng.randint(1, 99)] for i in range(197) for j in (i + 1, i + 3)], 0, 197, 7],
)
def fare_with_vouchers(n: int, roads: list[list[int]], start: int, goal: int, vouchers: int) -> int:
    """Return the least fare from `start` to `goal`, where each voucher makes one road free; -1 if there is no way.

    A road [a, b, fare] can be used both ways and has a positive fare. Vouchers need not be used up. Nodes are 0 to
    n - 1; 1 <= n <= 500, and there are at most 10 vouchers.
    """
    import heapq

    near: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for a, b, fare in roads:
        near[a].append((b, fare))
        near[b].append((a, fare))
    done: set[tuple[int, int]] = set()
    queue = [(0, start, vouchers)]
    while queue:
        paid, at, left = heapq.heappop(queue)
        if at == goal:
            return paid
        if (at, left) in done:
            continue
        done.add((at, left))
        for b, fare in near[at]:
            heapq.heappush(queue, (paid + fare, b, left))
            if left:
                heapq.heappush(queue, (paid, b, left - 1))
    return -1


def _offers(rng: Random) -> str:
    n = rng.randint(2, 6)
    found = edges(rng, n, rng.randint(n, 3 * n), 20)
    return lines([n, len(found)], *found)


@problem(
    "hard",
    _offers,
    ["3 3\n0 1 5\n1 2 1\n2 0 3\n", "2 0\n", "1 0\n", "4 3\n0 1 2\n1 2 2\n2 3 2\n"],
    large=lambda rng: lines([200, 900], *[[rng.randrange(100), rng.randrange(100, 200), i] for i in range(1, 901)]),
    style="stdio",
)
def cheapest_grid(text: str) -> str:
    """Print the least total price of cables that connect all houses, or `impossible`.

    The first line has the number of houses n, 1 to 1000, and that of the offers. Each offer is a line `a b price`: a
    cable between the different houses a and b, 0 to n - 1, for a positive price. A single house needs none.
    """
    rows = [[int(part) for part in line.split()] for line in text.splitlines()]
    n = rows[0][0]
    boss = list(range(n))

    def head(house: int) -> int:
        while boss[house] != house:
            boss[house] = boss[boss[house]]
            house = boss[house]
        return house

    total, parts = 0, n
    for a, b, price in sorted(rows[1:], key=lambda row: row[2]):
        if head(a) != head(b):
            boss[head(a)] = head(b)
            total, parts = total + price, parts - 1
    return str(total) if parts == 1 else "impossible"


@problem(
    "hard",
    lambda rng: [(n := rng.randint(3, 6)), edges(rng, n, 10, 9), 0, n - 1],
    [
        [4, [[0, 1, 3], [1, 3, 2], [0, 2, 2], [2, 3, 4]], 0, 3],
        [2, [], 0, 1],
        [2, [[0, 1, 6]], 1, 0],
        [4, [[0, 1, 5], [1, 2, 1], [2, 3, 5]], 0, 3],
    ],
    large=lambda rng: [30, edges(rng, 30, 120, 10**9), 0, 29],
)
def most_water(n: int, pipes: list[list[int]], source: int, sink: int) -> int:
    """Return how much water per second can flow from the source to the sink.

    A pipe [a, b, most] lets up to `most` litres per second through, in one of both directions. In all other nodes as
    much flows out as in. Nodes are 0 to n - 1, 2 <= n <= 100; source and sink differ. 1 <= most <= 10**9.
    """
    room: list[dict[int, int]] = [{} for _ in range(n)]
    for a, b, most in pipes:
        room[a][b] = room[a].get(b, 0) + most
        room[b][a] = room[b].get(a, 0) + most
    flow = 0
    while True:
        before = {source: source}
        queue = [source]
        for a in queue:
            for b, left in room[a].items():
                if left and b not in before:
                    before[b] = a
                    queue.append(b)
        if sink not in before:
            return flow
        path, at = [], sink
        while at != source:
            path.append((before[at], at))
            at = before[at]
        more = min(room[a][b] for a, b in path)
        for a, b in path:
            room[a][b] -= more
            room[b][a] += more
        flow += more
