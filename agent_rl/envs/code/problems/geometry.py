"""Points, lines and figures of the plane."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, points, span
from agent_rl.envs.code.problems.making import problem


def _box(rng: Random) -> list[int]:
    x, y = span(rng, 0, 12), span(rng, 0, 12)
    return [x[0], y[0], x[1], y[1]]


@problem(
    "easy",
    lambda rng: [_box(rng), _box(rng)],
    [
        [[0, 0, 4, 3], [2, 1, 6, 5]],
        [[0, 0, 1, 1], [1, 0, 2, 1]],
        [[0, 0, 9, 9], [2, 2, 3, 3]],
        [[0, 0, 2, 2], [5, 5, 6, 6]],
    ],
)
def union_of_two(one: list[int], other: list[int]) -> int:
    """Return the area that two rectangles [left, bottom, right, top] cover together.

    left < right and bottom < top; all numbers are between 0 and 10**6.
    """
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    areas = [(right - left) * (top - bottom) for left, bottom, right, top in (one, other)]
    return sum(areas) - max(wide, 0) * max(high, 0)


@problem(
    "easy",
    lambda rng: [
        rng.choice(
            [
                sorted(rng.choices(range(1, 10), k=3)),
                [3 * (k := rng.randint(1, 5)), 5 * k, 4 * k],
                rng.choices(range(4, 9), k=3),
            ]
        )
    ],
    [[[3, 4, 5]], [[1, 2, 3]], [[2, 2, 3]], [[5, 5, 5]], [[9, 4, 4]], [[7, 8, 9]]],
)
def triangle_kind(sides: list[int]) -> str:
    """Return what a triangle with these three sides is: "none", "acute", "right" or "obtuse".

    It is "none" if there is no such triangle, also if it would be flat; right, obtuse and acute ones have a greatest
    angle of, above and below 90 degrees. Sides are integers between 1 and 10**6, in no order.
    """
    a, b, c = sorted(sides)
    if a + b <= c:
        return "none"
    excess = c * c - a * a - b * b
    return "right" if excess == 0 else "obtuse" if excess > 0 else "acute"


@problem(
    "easy",
    lambda rng: [points(rng, -9, 9, 2, 7)],
    [[[[0, 0], [3, 4], [3, 0]]], [[[1, 1]]], [[[0, 0], [1, 1]]], [[[0, 0], [0, 2], [0, 1]]]],
)
def walk_length(points: list[list[int]]) -> float:
    """Return the length of the way that goes straight from point to point, rounded to 3 digits after the decimal point.

    There are 1 to 100 points [x, y]; a single one makes 0.0.
    """
    from itertools import pairwise
    from math import dist

    return round(sum((dist(a, b) for a, b in pairwise(points)), 0.0), 3)


def _star(rng: Random) -> list[list[int]]:
    corners = [(4, 0), (3, 3), (0, 5), (-3, 2), (-5, 0), (-2, -4), (0, -3), (3, -2)]
    chosen = sorted(rng.sample(range(8), rng.randint(3, 8)))
    k, x, y = rng.randint(1, 3), rng.randint(-5, 5), rng.randint(-5, 5)
    turned = [[corners[i][0] * k + x, corners[i][1] * k + y] for i in chosen]
    return turned if rng.random() < 0.5 else turned[::-1]


@problem(
    "medium",
    lambda rng: lines(*_star(rng)),
    ["0 0\n4 0\n0 3\n", "0 0\n0 1\n1 1\n1 0\n", "0 0\n2 2\n4 0\n2 6\n", "0 0\n1 0\n2 0\n1 1\n"],
    style="stdio",
)
def field_size(text: str) -> str:
    """Print the area of a field, such as `7.5`, and whether its corners are listed `left` or `right` around it.

    Each line has a corner, two integers x and y; the corners are listed in order around the field, whose border does
    not cross itself. `left` is against the clock. Print the area with exactly one digit after the point, then a space
    and the direction. There are 3 to 1000 corners, coordinates are between -10**6 and 10**6, and the area is not 0.
    """
    from itertools import pairwise

    corners = [tuple(map(int, line.split())) for line in text.splitlines()]
    double = sum(a * d - b * c for (a, b), (c, d) in pairwise([*corners, corners[0]]))
    return f"{abs(double) // 2}.{abs(double) % 2 * 5} {'left' if double > 0 else 'right'}"


def _middle(rng: Random, corners: list[list[int]]) -> list[int]:
    a, b = rng.choices(corners, k=2)
    return [(a[0] + b[0]) // 2 + rng.randint(0, 2), (a[1] + b[1]) // 2]


@problem(
    "medium",
    lambda rng: [(star := _star(rng)), _middle(rng, star)],
    [
        [[[0, 0], [4, 0], [4, 4], [0, 4]], [1, 3]],
        [[[0, 0], [4, 0], [0, 4]], [2, 2]],
        [[[0, 0], [4, 0], [0, 4]], [3, 3]],
        [[[0, 0], [6, 0], [6, 6], [3, 1], [0, 6]], [3, 3]],
        [[[0, 0], [2, 2], [4, 0], [2, 5]], [2, 2]],
    ],
)
def where_is_point(corners: list[list[int]], point: list[int]) -> str:
    """Return whether a point is "inside" a polygon, "outside", or on its "border".

    The corners [x, y] are listed in order around the polygon, whose border does not cross itself; it need not be
    convex. There are 3 to 500, and coordinates are between -10**6 and 10**6.
    """
    x, y = point
    inside = False
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if side == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return "border"
        if (ay > y) != (by > y) and (side > 0) == (by > ay):
            inside = not inside
    return "inside" if inside else "outside"


def _segments(rng: Random) -> list[list[int]]:
    return [[*a, *b] for a, b in (points(rng, 0, 4, 2, 2) for _ in range(2))]


@problem(
    "medium",
    lambda rng: _segments(rng),
    [
        [[0, 0, 4, 4], [0, 4, 4, 0]],
        [[0, 0, 1, 1], [2, 2, 3, 3]],
        [[0, 0, 2, 2], [2, 2, 3, 0]],
        [[0, 0, 2, 0], [1, 0, 5, 0]],
        [[0, 0, 4, 0], [1, 1, 2, 5]],
    ],
)
def roads_meet(one: list[int], other: list[int]) -> bool:
    """Return whether two straight roads [x1, y1, x2, y2] have a point in common, an end of one included.

    The ends of a road differ; coordinates are integers between -10**6 and 10**6.
    """

    def side(road: list[int], x: int, y: int) -> int:
        value = (road[2] - road[0]) * (y - road[1]) - (road[3] - road[1]) * (x - road[0])
        return (value > 0) - (value < 0)

    for axis in (0, 1):
        if max(one[axis], one[axis + 2]) < min(other[axis], other[axis + 2]):
            return False
        if max(other[axis], other[axis + 2]) < min(one[axis], one[axis + 2]):
            return False
    return side(one, *other[:2]) * side(one, *other[2:]) <= 0 and side(other, *one[:2]) * side(other, *one[2:]) <= 0


@problem(
    "medium",
    lambda rng: [points(rng, 0, 4, 3, 9)],
    [[[[0, 0], [1, 1], [2, 2], [2, 0]]], [[[3, 3]]], [[[0, 0], [1, 2]]], [[[0, 0], [0, 1], [0, 2], [1, 0], [2, 0]]]],
    large=lambda rng: [points(rng, 0, 60, 150, 150)],
)
def straightest_row(points: list[list[int]]) -> int:
    """Return how many of the points lie on one straight line, at most. There are 1 to 300 different points [x, y]."""
    from math import gcd

    best = 1
    for i, (x, y) in enumerate(points):
        rows: dict[tuple[int, int], int] = {}
        for a, b in points[:i]:
            dx, dy = a - x, b - y
            scale = gcd(dx, dy) * (-1 if (dx, dy) < (0, 0) else 1)
            rows[dx // scale, dy // scale] = rows.get((dx // scale, dy // scale), 1) + 1
        best = max([best, *rows.values()])
    return best


@problem(
    "hard",
    lambda rng: [points(rng, 0, 9, 3, 10)],
    [
        [[[0, 0], [4, 0], [4, 4], [0, 4], [2, 1]]],
        [[[5, 5]]],
        [[[0, 0], [1, 1], [2, 2]]],
        [[[0, 0], [2, 0], [1, 0], [1, 3]]],
        [[[1, 2], [1, 0]]],
    ],
    large=lambda rng: [points(rng, -(10**4), 10**4, 1200, 1200)],
)
def rubber_band(points: list[list[int]]) -> list[list[int]]:
    """Return the corners of the convex polygon that a rubber band around the points makes.

    Begin with the leftmost point, of several the lowest, and go against the clock. Points on the band between two
    corners are left out. A single point is returned alone, and of points on a line only the two ends. There are 1 to
    10**4 different points [x, y].
    """
    ordered = sorted(points)

    def half(way: list[list[int]]) -> list[list[int]]:
        chain: list[list[int]] = []
        for x, y in way:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                chain.pop()
            chain.append([x, y])
        return chain[:-1]

    return half(ordered) + half(ordered[::-1]) or ordered


@problem(
    "hard",
    lambda rng: [rng.randint(2, 12), rng.randint(2, 999), rng.randint(2, 999), rng.randint(1000, 9999)],
    [[2, 3, 5, 100], [5, 7, 11, 60], [4, 1, 1, 10], [3, 50, 25, 100]],
    large=lambda rng: [8_000, 48_271, 69_621, 2**31 - 1],
)
def nearest_stars(n: int, a: int, b: int, m: int) -> int:
    """Return the square of the least distance of two of `n` stars.

    Star i, for i from 1 to n, is at x = a**i % m and y = b**i % m. Two stars may be at the same place: then it is 0.
    2 <= n <= 2 * 10**4, 1 <= a, b < m <= 2**31.
    """
    from bisect import bisect_left, insort
    from itertools import pairwise

    stars, x, y = [], 1, 1
    for _ in range(n):
        x, y = x * a % m, y * b % m
        stars.append((x, y))
    stars.sort()
    best = min((x - v) ** 2 + (y - w) ** 2 for (x, y), (v, w) in pairwise(stars))
    band: list[tuple[int, int]] = []
    start = 0
    for x, y in stars:
        # The band holds the stars that are near enough in x. As no two of them are nearer than the best distance, only
        # four of them on either side can be near enough in y.
        while (x - stars[start][0]) ** 2 > best:
            del band[bisect_left(band, stars[start][::-1])]
            start += 1
        at = bisect_left(band, (y, x))
        for w, v in band[max(at - 4, 0) : at + 4]:
            best = min(best, (x - v) ** 2 + (y - w) ** 2)
        insort(band, (y, x))
    return best


@problem(
    "hard",
    lambda rng: lines(*_star(rng)),
    ["0 0\n4 0\n4 4\n0 4\n", "0 0\n1 0\n0 1\n", "0 0\n2 2\n4 0\n2 6\n", "0 0\n10 0\n5 1\n"],
    large=lambda rng: lines([0, 0], [10**9, 1], [10**9 - 7, 10**9], [3, 10**9 - 1]),
    style="stdio",
)
def trees_in_orchard(text: str) -> str:
    """Print how many points with integer coordinates lie inside an orchard, and how many on its fence.

    Each line has a corner, two integers x and y; the corners are listed in order around the orchard, whose fence does
    not cross itself. There are 3 to 1000 corners with coordinates between -10**9 and 10**9.
    Part the numbers by a space.
    """
    from itertools import pairwise
    from math import gcd

    corners = [tuple(map(int, line.split())) for line in text.splitlines()]
    sides = list(pairwise([*corners, corners[0]]))
    double = abs(sum(a * d - b * c for (a, b), (c, d) in sides))
    fence = sum(gcd(c - a, d - b) for (a, b), (c, d) in sides)
    return f"{(double - fence) // 2 + 1} {fence}"


@problem(
    "hard",
    lambda rng: [points(rng, -9, 9, 2, 9)],
    [[[[0, 0], [3, 4], [5, -1]]], [[[7, 7]]], [[[0, 0], [0, 9]]], [[[1, 1], [-1, -1], [1, -1], [-1, 1]]]],
    large=lambda rng: [points(rng, -(10**6), 10**6, 900, 900)],
)
def sum_of_taxi_rides(points: list[list[int]]) -> int:
    """Return the sum of the taxi distances of all pairs of points, and of the greatest taxi distance of any pair.

    The taxi distance of two points is the difference of their x plus the difference of their y, both without sign. The
    result is one number: the sum over all pairs (each counted once) plus the greatest one; 0 for a single point. There
    are 1 to 10**5 different points [x, y], too many to look at all pairs.
    """
    total = 0
    for axis in (0, 1):
        before = 0
        for i, value in enumerate(sorted(point[axis] for point in points)):
            total += i * value - before
            before += value
    spreads = [sorted(x + sign * y for x, y in points) for sign in (1, -1)]
    return total + max(values[-1] - values[0] for values in spreads)
