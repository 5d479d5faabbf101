"""Intervals of time and place."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, span, spans
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [span(rng, -9, 20), span(rng, -9, 20)],
    [[[1, 5], [3, 9]], [[0, 2], [2, 4]], [[0, 9], [2, 3]], [[4, 6], [1, 2]]],
)
def shared_length(one: list[int], other: list[int]) -> int:
    """Return the length that two intervals [start, end] have in common; 0 if they touch or are apart.

    Starts are less than ends; all are between -10**9 and 10**9.
    """
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


@problem(
    "easy",
    lambda rng: [spans(rng, 0, 20), rng.randint(0, 20)],
    [[[[9, 12], [11, 14]], 11], [[[8, 10]], 10], [[[8, 10]], 8], [[[1, 3], [5, 8]], 4]],
)
def open_shops(hours: list[list[int]], hour: int) -> int:
    """Return how many shops are open at an hour.

    A shop is [from, to]: it is open at its first hour and no longer at its last one. There are 1 to 1000 shops, and all
    numbers are between 0 and 10**6.
    """
    return sum(start <= hour < end for start, end in hours)


@problem(
    "easy",
    lambda rng: [spans(rng, 0, 30, 2, 6, 8)],
    [[[[1, 3], [4, 6], [5, 9]]], [[[1, 2], [2, 3]]], [[[5, 6]]], [[[0, 9], [1, 2], [3, 4]]], [[[7, 9], [1, 4]]]],
)
def first_clash(bookings: list[list[int]]) -> int:
    """Return the index of the first booking that clashes with an earlier one in the list; -1 if none does.

    A booking is [start, end] with start < end. Two clash if they share more than a moment, so one may start when
    another ends. There are 1 to 500 bookings, in no order.
    """
    for i, (start, end) in enumerate(bookings):
        if any(start < other_end and other < end for other, other_end in bookings[:i]):
            return i
    return -1


@problem(
    "medium",
    lambda rng: [spans(rng, 0, 40, 2, 8, 9)],
    [[[[1, 4], [3, 6], [8, 9]]], [[[1, 2], [2, 3]]], [[[5, 7]]], [[[0, 10], [2, 3], [4, 5]]]],
)
def merged(spans: list[list[int]]) -> list[list[int]]:
    """Join intervals that overlap or touch, and return what is left, sorted.

    Each is [start, end] with start < end. There are 1 to 1000.
    """
    joined: list[list[int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _meetings(rng: Random) -> str:
    found = [sorted(rng.sample(range(480, 1110, 15), 2)) for _ in range(rng.randint(1, 4))]
    return lines(*[f"{_clock(a)}-{_clock(min(b, a + 90))}" for a, b in found])


@problem(
    "medium",
    _meetings,
    ["09:00-10:30\n12:00-13:00\n", "08:00-18:00\n", "07:00-09:00\n17:30-19:00\n", "10:00-11:00\n10:30-12:00\n"],
    style="stdio",
)
def longest_break(text: str) -> str:
    """Print the longest time without a meeting between 08:00 and 18:00, such as `13:00-18:00`; of several the first.

    Each line is a meeting, `HH:MM-HH:MM`, its start before its end. They are in no order, may overlap, and may begin
    before 08:00 or end after 18:00. There are 1 to 100. Print `none` if there is no free minute.
    """

    def minutes(clock: str) -> int:
        return int(clock[:2]) * 60 + int(clock[3:])

    free, best = minutes("08:00"), (0, 0)
    for line in [*sorted(text.split()), "18:00-18:00"]:
        start, end = (minutes(clock) for clock in line.split("-"))
        start = min(start, minutes("18:00"))
        if start - free > best[1] - best[0]:
            best = (free, start)
        free = max(free, end)
    return "-".join(f"{at // 60:02}:{at % 60:02}" for at in best) if best[1] else "none"


@problem(
    "medium",
    lambda rng: [spans(rng, 0, 30, 2, 9, 12)],
    [[[[1, 4], [2, 6], [4, 8]]], [[[1, 2]]], [[[0, 5], [0, 5], [0, 5]]], [[[1, 9], [2, 3], [4, 5]]]],
)
def rooms_needed(lessons: list[list[int]]) -> int:
    """Return the least number of rooms in which all lessons can be held.

    A lesson is [start, end] with start < end; its room is free again at its end, when another one may start. There are
    1 to 5000 lessons.
    """
    changes = sorted([(start, 1) for start, _ in lessons] + [(end, -1) for _, end in lessons])
    most = used = 0
    for _, change in changes:
        used += change
        most = max(most, used)
    return most


@problem(
    "medium",
    lambda rng: [spans(rng, 0, 30, 2, 9, 9)],
    [[[[1, 4], [3, 6], [5, 8]]], [[[1, 2], [3, 4]]], [[[0, 9], [2, 2 + 3], [4, 8]]], [[[1, 2], [2, 3]]]],
)
def nails(planks: list[list[int]]) -> int:
    """Return the least number of nails that hit every plank.

    A plank covers [start, end] with start < end, both ends included, so a nail at 2 hits [1, 2] and [2, 3]. A nail hits
    all planks that cover its place. There are 1 to 5000 planks.
    """
    count, last = 0, -1
    for start, end in sorted(planks, key=lambda plank: plank[1]):
        if count == 0 or start > last:
            count, last = count + 1, end
    return count


@problem(
    "hard",
    lambda rng: [[[*pair, rng.randint(1, 20)] for pair in spans(rng, 0, 25, 2, 9, 9)]],
    [
        [[[1, 4, 5], [3, 6, 6], [5, 8, 4]]],
        [[[1, 2, 7]]],
        [[[0, 9, 10], [0, 3, 4], [3, 6, 4], [6, 9, 4]]],
        [[[1, 5, 3], [1, 5, 8]]],
    ],
    large=lambda rng: [[[i * 5, i * 5 + 7 + i % 11, 1 + i * 37 % 50] for i in range(900)]],
)
def best_jobs(jobs: list[list[int]]) -> int:
    """Choose jobs that do not overlap, so that they pay the most, and return the pay.

    A job is [start, end, pay] with start < end and pay >= 1; one may start when another ends. There are 1 to 10**4
    jobs.
    """
    from bisect import bisect_right

    ends, pays = [0], [0]
    for start, end, pay in sorted(jobs, key=lambda job: job[1]):
        most = max(pays[-1], pays[max(bisect_right(ends, start) - 1, 0)] + pay)
        ends.append(end)
        pays.append(most)
    return pays[-1]


def _rectangles(rng: Random) -> list[list[int]]:
    pairs = zip(spans(rng, 0, 9, 4, 4), spans(rng, 0, 9, 4, 4), strict=True)
    return [[x[0], y[0], x[1], y[1]] for x, y in pairs][: rng.randint(1, 4)]


@problem(
    "hard",
    lambda rng: [_rectangles(rng)],
    [[[[0, 0, 4, 4], [2, 2, 6, 6]]], [[[0, 0, 1, 1]]], [[[0, 0, 2, 2], [2, 0, 4, 2]]], [[[0, 0, 9, 9], [3, 3, 4, 4]]]],
    large=lambda rng: [
        [[i * 10**6, i * 999_999 % 10**8, i * 10**6 + 9 * 10**6, i * 999_999 % 10**8 + 10**7] for i in range(50)]
    ],
)
def painted_area(rectangles: list[list[int]]) -> int:
    """Return the area that rectangles cover together; what several cover counts once.

    A rectangle is [left, bottom, right, top] with left < right and bottom < top. There are 1 to 100, and all numbers
    are between 0 and 10**9, so that single squares cannot be marked.
    """
    from itertools import pairwise

    edges = sorted({x for left, _, right, _ in rectangles for x in (left, right)})
    area = 0
    for start, end in pairwise(edges):
        height = top = 0
        for low, high in sorted((b, t) for left, b, right, t in rectangles if left <= start < right):
            height += max(0, high - max(low, top))
            top = max(top, high)
        area += height * (end - start)
    return area


@problem(
    "hard",
    lambda rng: [[[*pair, rng.randint(1, 9)] for pair in spans(rng, 0, 20, 1, 6)]],
    [[[[1, 5, 3], [3, 8, 5]]], [[[0, 2, 4], [2, 4, 4]]], [[[0, 1, 2], [3, 4, 2]]], [[[0, 9, 2], [2, 4, 6], [3, 5, 6]]]],
    large=lambda rng: [[[i * 1000, i * 1000 + 1 + i * 7919 % 10**6, 1 + i * 613 % 997] for i in range(800)]],
)
def skyline(houses: list[list[int]]) -> list[list[int]]:
    """Return the outline of houses that stand in a row, some in front of others.

    A house is [left, right, height] with left < right and height >= 1. The outline is a list of [place, height] from
    left to right: one for each place at which the height of the highest house changes, with the new height; 0 where
    no house stands. There are 1 to 10**4 houses and all numbers are at most 10**9.
    """
    import heapq

    waiting = sorted(houses)
    tall: list[tuple[int, int]] = []
    outline: list[list[int]] = []
    at = 0
    for place in sorted({x for left, right, _ in houses for x in (left, right)}):
        while at < len(waiting) and waiting[at][0] <= place:
            heapq.heappush(tall, (-waiting[at][2], waiting[at][1]))
            at += 1
        while tall and tall[0][1] <= place:
            heapq.heappop(tall)
        height = -tall[0][0] if tall else 0
        if not outline or outline[-1][1] != height:
            outline.append([place, height])
    return outline
