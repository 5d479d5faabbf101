"""Networks: who reaches whom, and at which cost."""

from random import Random

from agent_rl.envs.code.problems.drawing import edges, integers, lines, tree
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [(n := rng.randint(2, 7)), edges(rng, n, rng.randint(1, 9))],
    [[4, [[0, 1], [0, 2], [0, 3]]], [3, []], [1, []], [4, [[3, 2], [1, 2]]]],
)
def busiest(n: int, links: list[list[int]]) -> list[int]:
    """Return, in increasing order, the nodes 0 to n - 1 that have the most links.

    A link joins two different nodes, and no two links join the same ones. 1 <= n <= 1000; there may be no link.
    """
    degree = [sum(node in link for link in links) for node in range(n)]
    return [node for node in range(n) if degree[node] == max(degree)]


def _follows(rng: Random) -> str:
    names = ["ann", "bob", "cid", "dot", "eve"]
    pairs = {tuple(rng.sample(names, 2)) for _ in range(rng.randint(3, 14))}
    return lines(*[f"{a} > {b}" for a, b in sorted(pairs, key=lambda pair: pair[::-1])])


@problem(
    "easy",
    _follows,
    ["ann > bob\nbob > ann\ncid > ann\n", "ann > bob\n", "x > y\ny > x\nz > y\ny > z\n"],
    style="stdio",
)
def mutual_friends(text: str) -> str:
    """Print the pairs of people who follow each other, one in a line, such as `ann bob`; `nobody` if there are none.

    Each line of the input says that one person follows another, `ann > bob`. In a pair the names are in alphabetical
    order, and so are the pairs. There are 1 to 1000 different lines; names are lower-case letters.
    """
    follows = {tuple(line.split(" > ")) for line in text.splitlines()}
    return "\n".join(sorted(f"{a} {b}" for a, b in follows if a < b and (b, a) in follows)) or "nobody"


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
    lambda rng: [(n := rng.randint(2, 9)), edges(rng, n, rng.randint(1, 7))],
    [[5, [[0, 1], [3, 4]]], [2, [[0, 1]]], [1, []], [4, []], [6, [[0, 1], [1, 2], [3, 4]]]],
)
def cables_missing(n: int, cables: list[list[int]]) -> list[int]:
    """Return how many cables must be added to connect all computers 0 to n - 1, and the size of the largest network.

    A cable joins two computers; a network is all computers that reach each other, at the least a single one.
    1 <= n <= 1000.
    """
    group = list(range(n))
    for a, b in cables:
        if group[a] != group[b]:
            old = group[a]
            group = [group[b] if name == old else name for name in group]
    return [len(set(group)) - 1, max(map(group.count, group))]


@problem(
    "medium",
    lambda rng: [(n := rng.randint(2, 7)), edges(rng, n, rng.randint(2, 9))],
    [[4, [[0, 1], [1, 2], [2, 3]]], [3, [[0, 1], [1, 2], [2, 0]]], [1, []], [5, [[0, 1], [2, 3], [3, 4]]]],
)
def two_camps(n: int, quarrels: list[list[int]]) -> list[int]:
    """Divide the people 0 to n - 1 into two camps so that nobody is in one camp with someone they quarrel with.

    Return the camp, 0 or 1, of each; of several ways the list that is the least when compared element by element. If
    there is no way, return an empty list. 1 <= n <= 1000.
    """
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in quarrels:
        near[a].append(b)
        near[b].append(a)
    camp = [-1] * n
    for first in range(n):
        if camp[first] >= 0:
            continue
        camp[first], queue = 0, [first]
        for a in queue:
            for b in near[a]:
                if camp[b] == camp[a]:
                    return []
                if camp[b] < 0:
                    camp[b] = 1 - camp[a]
                    queue.append(b)
    return camp


@problem(
    "medium",
    lambda rng: [(n := rng.randint(3, 8)), edges(rng, n, rng.randint(2, 8))],
    [[4, [[3, 1], [1, 0]]], [2, [[0, 1], [1, 0]]], [3, []], [3, [[2, 0], [0, 1], [1, 2]]], [3, [[2, 1]]]],
)
def build_order(n: int, needs: list[list[int]]) -> list[int]:
    """Return an order in which the parts 0 to n - 1 can be built, where [a, b] says that `a` must be built before `b`.

    Of several orders return the one that is the least when compared element by element; an empty list if there is none.
    1 <= n <= 1000.
    """
    import heapq

    missing = [0] * n
    for _, b in needs:
        missing[b] += 1
    ready = [part for part in range(n) if not missing[part]]
    order = []
    while ready:
        order.append(heapq.heappop(ready))
        for a, b in needs:
            if a == order[-1]:
                missing[b] -= 1
                if not missing[b]:
                    heapq.heappush(ready, b)
    return order if len(order) == n else []


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


@problem(
    "hard",
    lambda rng: [(n := rng.randint(3, 8)), edges(rng, n, rng.randint(4, 11))],
    [
        [4, [[0, 1], [1, 2], [2, 0], [2, 3]]],
        [3, [[0, 1], [1, 2]]],
        [3, [[0, 1], [1, 2], [2, 0]]],
        [2, []],
        [5, [[4, 3], [0, 1]]],
    ],
    large=lambda rng: [1500, [[i, i + 1] for i in range(1200)] + [[i, i + 3] for i in range(0, 600, 2)]],
)
def vital_links(n: int, links: list[list[int]]) -> list[list[int]]:
    """Return the links without which the network would fall into more parts than it has now.

    Return each as [smaller node, greater node], sorted. Nodes are 0 to n - 1, 1 <= n <= 2000; no two links join the
    same nodes. Taking the links away one after the other takes too long, and ways can be too long for recursion.
    """
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in links:
        near[a].append(b)
        near[b].append(a)
    order: dict[int, int] = {}
    parent: dict[int, int] = {}
    for root in range(n):
        stack = [(root, -1)]
        while stack:
            at, before = stack.pop()
            if at in order:
                continue
            order[at], parent[at] = len(order), before
            stack += [(b, at) for b in near[at] if b not in order]
    lowest = dict(order)
    vital = []
    for at in reversed(order):
        lowest[at] = min(
            [lowest[at]] + [lowest[b] if parent[b] == at else order[b] for b in near[at] if b != parent[at]]
        )
        if parent[at] >= 0 and lowest[at] == order[at]:
            vital.append(sorted([at, parent[at]]))
    return sorted(vital)


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
    lambda rng: [(n := rng.randint(4, 9)), [rng.sample(range(n), 2) for _ in range(rng.randint(3, 9))]],
    [
        [5, [[0, 1], [1, 2], [2, 0], [3, 4]]],
        [2, [[0, 1], [1, 0]]],
        [3, []],
        [4, [[0, 1], [1, 0], [1, 2], [2, 3], [3, 2]]],
    ],
    large=lambda rng: [1000, [[i, i + 1] for i in range(700) if i % 50] + [[i + 3, i] for i in range(0, 697, 4)]],
)
def rumour_seeds(n: int, tells: list[list[int]]) -> int:
    """Return the least number of people who must be told a rumour so that in the end everybody knows it.

    [a, b] says that `a` tells `b` all that `a` knows, but not the other way round. People are 0 to n - 1 and
    1 <= n <= 1000; a pair may be there twice. There are at most 5000 pairs.
    """
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in tells:
        near[a].append(b)

    def reached(start: int, seen: set[int]) -> list[int]:
        """Return all that is reached and not seen before, in the order in which the search leaves it."""
        left, stack = [], [(start, False)]
        while stack:
            at, done = stack.pop()
            if done:
                left.append(at)
            elif at not in seen:
                seen.add(at)
                stack.append((at, True))
                stack += [(b, False) for b in near[at]]
        return left

    seen: set[int] = set()
    order = [at for start in range(n) for at in reached(start, seen)]
    told: set[int] = set()
    # Whoever is left last reaches everything that could reach it, so it is a seed or known already.
    return sum(bool(reached(start, told)) for start in reversed(order))


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
