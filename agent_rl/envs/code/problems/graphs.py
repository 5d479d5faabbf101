"""Networks: who is linked with whom."""

from random import Random

from agent_rl.envs.code.problems.drawing import edges, lines
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
