"""More searches that try everything: maps, intervals, networks, figures and calendars."""

import math
from itertools import combinations

from tests.envs.code_searches import ints, search, subsets

search("geometry/sum_of_taxi_rides")(
    lambda points: (
        sum(rides := [abs(a - c) + abs(b - d) for (a, b), (c, d) in combinations(points, 2)]) + max(rides, default=0)
    )
)


def _parts(n: int, links: list[list[int]]) -> int:
    group = list(range(n))
    for a, b in [*links] * n:
        group[a] = group[b] = min(group[a], group[b])
    return len(set(group))


@search("grids/walls_to_break")
def _walls(maze: list[str]) -> int:
    places = [(i, j) for i in range(len(maze)) for j in range(len(maze[0]))]
    cost = dict.fromkeys(places, 10**6) | {(0, 0): 0}
    for _ in places:
        for i, j in places[1:]:
            near = [cost.get(place, 10**6) for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1))]
            cost[i, j] = min(near) + (maze[i][j] == "#")
    return cost[places[-1]]


@search("grids/rain_in_hills")
def _rain(heights: list[list[int]]) -> int:
    rows, columns = len(heights), len(heights[0])
    inner = [(i, j) for i in range(1, rows - 1) for j in range(1, columns - 1)]
    level = [[10**4 if (i, j) in inner else height for j, height in enumerate(row)] for i, row in enumerate(heights)]
    for _ in range(rows * columns):
        for i, j in inner:
            near = min(level[i + 1][j], level[i - 1][j], level[i][j + 1], level[i][j - 1])
            level[i][j] = max(heights[i][j], min(level[i][j], near))
    return sum(map(sum, level)) - sum(map(sum, heights))


@search("intervals/best_jobs")
def _jobs(jobs: list[list[int]]) -> int:
    free = [s for s in subsets(jobs) if all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(s, 2))]
    return max(sum(job[2] for job in chosen) for chosen in free)


@search("intervals/painted_area")
def _paint(rectangles: list[list[int]]) -> int:
    return len({(x, y) for a, b, c, d in rectangles for x in range(a, c) for y in range(b, d)})


@search("intervals/skyline")
def _skyline(houses: list[list[int]]) -> list[list[int]]:
    tall = [max([h for a, b, h in houses if a <= x < b], default=0) for x in range(max(b for _, b, _ in houses) + 1)]
    return [[x, h] for x, h in enumerate(tall) if (h != tall[x - 1] if x else h)]


@search("routes/fare_with_vouchers")
def _fare(n: int, roads: list[list[int]], start: int, goal: int, vouchers: int) -> int:
    both = [*roads, *[[b, a, fare] for a, b, fare in roads]]

    def least(way: list[int], fares: list[int]) -> float:
        if way[-1] == goal:
            return sum(sorted(fares)[: -vouchers or None])
        onward = [least([*way, b], [*fares, fare]) for a, b, fare in both if a == way[-1] and b not in way]
        return min(onward, default=math.inf)

    found = least([start], [])
    return -1 if found == math.inf else int(found)


@search("graphs/vital_links")
def _vital(n: int, links: list[list[int]]) -> list[list[int]]:
    return sorted(sorted(x) for x in links if _parts(n, [y for y in links if y != x]) > _parts(n, links))


@search("routes/cheapest_grid")
def _cables(text: str) -> str | None:
    (n, count), *offers = ints(text)
    if count > 14:
        return None
    chosen = [s for s in combinations(offers, n - 1) if _parts(n, [offer[:2] for offer in s]) == 1]
    return str(min((sum(offer[2] for offer in s) for s in chosen), default="impossible"))


@search("graphs/rumour_seeds")
def _seeds(n: int, tells: list[list[int]]) -> int:
    def known(seeds: tuple[int, ...]) -> int:
        told = set(seeds)
        for a, b in tells * n:
            told |= {b} if a in told else set()
        return len(told)

    return min(len(seeds) for seeds in subsets(list(range(n))) if known(seeds) == n)


@search("routes/most_water")
def _cut(n: int, pipes: list[list[int]], source: int, sink: int) -> int:
    sides = [set(s) for s in subsets(list(range(n))) if source in s and sink not in s]
    return min(sum(most for a, b, most in pipes if (a in side) != (b in side)) for side in sides)


@search("geometry/rubber_band")
def _band(points: list[list[int]]) -> list[list[int]]:
    def turn(a: list[int], b: list[int], c: list[int]) -> int:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    at, band = min(points), list[list[int]]()
    while at not in band:
        band.append(at)
        ends = [p for p in points if p != at and all(turn(at, p, q) >= 0 for q in points)]
        at = max(ends, key=lambda p: math.dist(p, band[-1]), default=at)
    return band


@search("geometry/nearest_stars")
def _stars(n: int, a: int, b: int, m: int) -> int:
    stars = [(pow(a, i, m), pow(b, i, m)) for i in range(1, n + 1)]
    return min((x - v) ** 2 + (y - w) ** 2 for (x, y), (v, w) in combinations(stars, 2))


@search("geometry/trees_in_orchard")
def _trees(text: str) -> str:
    corners = ints(text)
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))

    def place(x: int, y: int) -> str:
        inside = False
        for (a, b), (c, d) in sides:
            if (c - a) * (y - b) == (d - b) * (x - a) and min(a, c) <= x <= max(a, c) and min(b, d) <= y <= max(b, d):
                return "fence"
            if (b > y) != (d > y) and x < a + (c - a) * (y - b) / (d - b):
                inside = not inside
        return "inside" if inside else ""

    xs, ys = zip(*corners, strict=True)
    places = [place(x, y) for x in range(min(xs), max(xs) + 1) for y in range(min(ys), max(ys) + 1)]
    return f"{places.count('inside')} {places.count('fence')}"


@search("times/unlucky_days")
def _unlucky(first: str, last: str, day: int, weekday: int) -> int:
    from datetime import date

    days = range(date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal() + 1)
    return sum(date.fromordinal(d).day == day and date.fromordinal(d).weekday() == weekday for d in days)


@search("times/kth_bell")
def _bell(periods: list[int], k: int) -> int:
    return [t for t in range(1, min(periods) * k + 1) if any(t % p == 0 for p in periods)][k - 1]


@search("times/earliest_arrival")
def _arrival(text: str) -> str:
    first, *rest = text.splitlines()
    start, goal, now = first.split()
    trains = [line.split() for line in rest]

    def later(clock: str) -> str:
        minute = int(clock[:2]) * 60 + int(clock[3:]) + 5
        return f"{minute // 60:02}:{minute % 60:02}"

    def arrivals(at: str, ready: str) -> list[str]:
        taken = [(b, arrives) for a, b, leaves, arrives in trains if a == at and leaves >= ready]
        onward = [time for b, arrives in taken for time in arrivals(b, later(arrives))]
        return [arrives for b, arrives in taken if b == goal] + onward

    return now if start == goal else min(arrivals(start, now), default="never")
