"""Lists of numbers: runs, windows and pairs."""

from random import Random

from agent_rl.envs.code.problems.drawing import integers, lines
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [integers(rng, 1, 3, 3, 14)],
    [[[4, 4, 1, 1, 1, 4]], [[2, 2, 5, 5]], [[9]], [[1, 2, 3]], [[7, 7, 7]]],
)
def longest_plateau(heights: list[int]) -> list[int]:
    """Return where the longest run of equal neighbours begins (from 0) and how long it is; of several the first.

    There are 1 to 1000 integers.
    """
    best, start = [0, 0], 0
    for i, height in enumerate(heights):
        if height != heights[start]:
            start = i
        if i - start + 1 > best[1]:
            best = [start, i - start + 1]
    return best


@problem(
    "easy", lambda rng: [integers(rng, -9, 9, 2, 10)], [[[1, 5, 2, 8, 3]], [[3, 1]], [[4]], [[2, 2, 2]], [[1, 2, 3]]]
)
def peaks(heights: list[int]) -> list[int]:
    """Return the values that are greater than each of their neighbours, in order.

    The first and the last value have one neighbour; a single value has none and is a peak. There are 1 to 1000
    integers.
    """
    count = len(heights)
    return [
        h for i, h in enumerate(heights) if (i == 0 or h > heights[i - 1]) and (i == count - 1 or h > heights[i + 1])
    ]


@problem(
    "easy",
    lambda rng: [integers(rng, 0, 9, 0, 5), integers(rng, 0, 9, 0, 7)],
    [[[1, 2, 3], [7, 8, 9]], [[1], [5, 6, 7]], [[], []], [[], [4]], [[3, 4], []]],
)
def zipper(left: list[int], right: list[int]) -> list[int]:
    """Take a number from each list in turn, the left one first; when one is used up, go on with the rest of the other.

    Both lists have 0 to 1000 integers.
    """
    joined = []
    for i in range(max(len(left), len(right))):
        joined += left[i : i + 1] + right[i : i + 1]
    return joined


@problem(
    "easy",
    lambda rng: [integers(rng, -5, 9, 1, 9), rng.randint(-4, 20)],
    [[[3, 4, 5], 7], [[1, 2], 9], [[5], 5], [[0], 0], [[-3, 10], 4]],
)
def first_over(numbers: list[int], limit: int) -> int:
    """Return how many numbers must be added from the front until their sum is greater than `limit`; -1 if it never is.

    At least one is added. There are 1 to 1000 integers; they may be negative.
    """
    total = 0
    for count, number in enumerate(numbers, 1):
        total += number
        if total > limit:
            return count
    return -1


@problem(
    "medium",
    lambda rng: [integers(rng, -30, 30, 2, 10), rng.randint(-40, 40)],
    [[[8, 3, 14, 1], 12], [[5, 5], 0], [[1, 2, 3, 4], 5], [[-7, 7, 20], 1]],
    large=lambda rng: [integers(rng, -(10**6), 10**6, 2000, 2000), 77],
)
def nearest_pair_sum(numbers: list[int], goal: int) -> int:
    """Return the sum of two of the numbers (at different places) that is nearest to `goal`; of two sums the lower one.

    There are 2 to 2000 integers.
    """
    ordered = sorted(numbers)
    low, high = 0, len(ordered) - 1
    best = ordered[0] + ordered[1]
    while low < high:
        total = ordered[low] + ordered[high]
        best = min(best, total, key=lambda t: (abs(t - goal), t))
        if total < goal:
            low += 1
        else:
            high -= 1
    return best


@problem(
    "medium",
    lambda rng: [integers(rng, -4, 4, 3, 14), rng.randint(-4, 5)],
    [[[1, 2, -1, 2, 1], 3], [[0, 0, 0], 0], [[5], 5], [[1, 2], 9]],
)
def slices_with_sum(numbers: list[int], total: int) -> int:
    """Return how many non-empty slices (neighbours from one place to another) add up to `total`.

    There are 1 to 5000 integers.
    """
    seen = {0: 1}
    prefix = found = 0
    for number in numbers:
        prefix += number
        found += seen.get(prefix - total, 0)
        seen[prefix] = seen.get(prefix, 0) + 1
    return found


@problem(
    "medium",
    lambda rng: [integers(rng, -9, 9, 4, 12), rng.randint(1, 4)],
    [[[3, 1, 4, 1, 5, 9], 3], [[2, 1], 1], [[5, 4, 3, 2], 4], [[-1, -2, -3], 2]],
)
def moving_highest(numbers: list[int], width: int) -> list[int]:
    """Return the greatest number of each `width` neighbours, from left to right.

    There are 1 to 5000 integers and 1 <= width <= len(numbers). Work should not grow with the width.
    """
    from collections import deque

    falling: deque[int] = deque()
    highest = []
    for i, number in enumerate(numbers):
        while falling and numbers[falling[-1]] <= number:
            falling.pop()
        falling.append(i)
        if falling[0] <= i - width:
            falling.popleft()
        if i >= width - 1:
            highest.append(numbers[falling[0]])
    return highest


@problem(
    "medium",
    lambda rng: [integers(rng, -9, 12, 3, 10)],
    [[[6, 1, 5, 4, 9]], [[-3, -2]], [[7]], [[1, 9, 1, 1, 9, 1]], [[5, 5, 5, 5]]],
)
def seats_apart(values: list[int]) -> int:
    """Choose numbers of which no two are neighbours in a circle, where the last is a neighbour of the first.

    Return the greatest sum; choosing none makes 0. Of a single number there is no neighbour. There are 1 to 1000
    integers.
    """

    def row(numbers: list[int]) -> int:
        taken, left = 0, 0
        for number in numbers:
            taken, left = left + number, max(taken, left)
        return max(taken, left)

    if len(values) == 1:
        return max(values[0], 0)
    return max(row(values[1:]), row(values[:-1]))


def _billboards(rng: Random) -> str:
    heights = integers(rng, 0, 9, 3, 12)
    return lines(len(heights), heights)


@problem(
    "hard",
    _billboards,
    ["5\n2 4 3 5 1\n", "1\n7\n", "4\n0 0 0 0\n", "6\n5 4 3 2 1 1\n"],
    large=lambda rng: lines(3500, [min(i, 3500 - i) for i in range(3500)]),
    style="stdio",
)
def largest_poster(text: str) -> str:
    """Planks of width 1 stand side by side. Print the area of the largest rectangular poster that fits on them.

    The poster's sides are level and upright and it may not stick out over any plank's top. The first line has the
    number of planks, 1 to 10**5, the second their heights, 0 to 10**6.
    """
    heights = [int(part) for part in text.split()[1:]]
    rising: list[tuple[int, int]] = []
    best = 0
    for i, height in enumerate([*heights, 0]):
        start = i
        while rising and rising[-1][1] >= height:
            start, above = rising.pop()
            best = max(best, above * (i - start))
        rising.append((start, height))
    return str(best)


@problem(
    "hard",
    lambda rng: [integers(rng, -6, 9, 3, 12), rng.randint(1, 25)],
    [[[2, -1, 2, 5], 6], [[1, 1], 5], [[84, -37, 32, 40, 95], 167], [[3], 3]],
    large=lambda rng: [[(-1) ** i * (i * 7919 % 1000) + 1 for i in range(3400)], 3300],
)
def shortest_rich_slice(numbers: list[int], least: int) -> int:
    """Return the length of the shortest slice of neighbours whose sum is at least `least`; 0 if there is none.

    There are 1 to 10**5 integers, negative ones among them, and least >= 1.
    """
    from collections import deque
    from itertools import accumulate

    best = len(numbers) + 1
    waiting: deque[tuple[int, int]] = deque()
    for end, total in enumerate(accumulate(numbers, initial=0)):
        while waiting and total - waiting[0][1] >= least:
            best = min(best, end - waiting.popleft()[0])
        while waiting and waiting[-1][1] >= total:
            waiting.pop()
        waiting.append((end, total))
    return best if best <= len(numbers) else 0


@problem(
    "hard",
    lambda rng: [(numbers := integers(rng, 0, 60, 2, 9)), rng.randint(1, len(numbers) * (len(numbers) - 1) // 2)],
    [[[1, 4, 9], 2], [[5, 5, 5], 3], [[0, 100], 1], [[1, 3, 6, 10], 6]],
    large=lambda rng: [integers(rng, 0, 10**9, 1500, 1500), 600_000],
)
def kth_distance(places: list[int], k: int) -> int:
    """Every two places have a distance, the absolute difference. Return the `k`-th least of all those distances.

    There are 2 to 10**5 integers between 0 and 10**9, equal ones among them; the two places of a pair have different
    indices, and k is between 1 and the number of pairs. There are too many pairs to sort their distances.
    """
    ordered = sorted(places)
    low, high = 0, ordered[-1] - ordered[0]
    while low < high:
        middle = (low + high) // 2
        count = start = 0
        for i, place in enumerate(ordered):
            while place - ordered[start] > middle:
                start += 1
            count += i - start
        if count >= k:
            high = middle
        else:
            low = middle + 1
    return low


@problem(
    "hard",
    lambda rng: [rng.randint(1, 30), rng.randint(0, 99), rng.randint(1, 99), rng.randint(0, 99), rng.randint(50, 100)],
    [[5, 3, 7, 2, 11], [1, 0, 1, 0, 2], [6, 1, 1, 1, 10], [4, 5, 1, 0, 9]],
    large=lambda rng: [50_000, rng.randint(0, 10**6), 1_103_515_245, 12_345, 2**31],
)
def longest_climb(n: int, first: int, a: int, c: int, m: int) -> int:
    """Return the greatest number of terms that can be kept of a sequence so that they rise strictly, in their order.

    The sequence has `n` terms: the first is `first % m`, and each further one is (a * t + c) % m of its forerunner t.
    1 <= n <= 10**5, 0 <= first, a, c < 2**31 and 2 <= m <= 2**31.
    """
    from bisect import bisect_left

    lowest: list[int] = []
    term = first % m
    for _ in range(n):
        at = bisect_left(lowest, term)
        lowest[at : at + 1] = [term]
        term = (a * term + c) % m
    return len(lowest)
