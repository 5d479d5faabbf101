"""Best choices and numbers of ways, found by dynamic programming."""

from random import Random

from agent_rl.envs.code.problems.drawing import distinct, integers, lines, matrix, word
from agent_rl.envs.code.problems.making import problem


@problem("easy", lambda rng: [rng.randint(1, 25)], [[4], [1], [2], [3], [70]])
def tiled_rows(n: int) -> int:
    """Return in how many ways a row of `n` squares can be covered by tiles of one square and of three squares.

    1 <= n <= 80. Tiles of the same length look the same.
    """
    ways = [1, 1, 1]
    for _ in range(n - 2):
        ways.append(ways[-1] + ways[-3])
    return ways[n]


@problem(
    "easy",
    lambda rng: [integers(rng, 1, 9, 3, 10)],
    [[[3, 1, 4, 1, 5]], [[2, 9]], [[7]], [[5, 5, 5]], [[1, 9, 1, 9, 1]]],
)
def cheapest_stairs(tolls: list[int]) -> int:
    """Climb a staircase one or two steps at a time and return the least toll.

    Each step on which one treads costs its toll. One starts in front of step 0, and has arrived after the last step.
    There are 1 to 1000 steps with tolls between 1 and 10**6.
    """
    one, two = 0, 0
    for toll in tolls:
        two, one = one, min(one, two) + toll
    return min(one, two)


@problem(
    "easy",
    lambda rng: [integers(rng, -9, 9, 2, 12)],
    [[[3, -2, 5, -9, 4]], [[-3, -1, -2]], [[0]], [[1, 2, 3]], [[-1, 5, -1]]],
)
def best_stretch(changes: list[int]) -> int:
    """Return the greatest sum of one or more neighbours in a list. There are 1 to 10**4 integers."""
    best = current = changes[0]
    for change in changes[1:]:
        current = max(current, 0) + change
        best = max(best, current)
    return best


@problem(
    "medium",
    lambda rng: [distinct(rng, 1, 12, 1, 4), rng.randint(1, 40)],
    [[[1, 5, 7], 10], [[4, 6], 9], [[2], 8], [[3], 1], [[1, 3, 4], 6]],
    large=lambda rng: [[7, 15, 33, 50], 1999],
)
def fewest_stamps(values: list[int], postage: int) -> int:
    """Return the least number of stamps that make up exactly the postage; -1 if none do.

    There are as many stamps of each value as one likes. There are 1 to 20 different positive values;
    1 <= postage <= 2000.
    """
    fewest = [0]
    for amount in range(1, postage + 1):
        fewest.append(min((fewest[amount - value] for value in values if value <= amount), default=postage) + 1)
    return fewest[postage] if fewest[postage] <= postage else -1


@problem(
    "medium",
    lambda rng: [matrix(rng, 0, 9, 2, 5)],
    [[[[1, 9, 2], [5, 1, 8], [7, 4, 1]]], [[[3, 2]]], [[[1], [2], [3]]], [[[5, 5], [5, 5]]], [[[4]]]],
)
def lightest_descent(weights: list[list[int]]) -> int:
    """Walk down a board from any field of the first row to any of the last, and return the least sum of the fields.

    Each step goes one row down, straight or one column to the left or right. There are 1 to 100 rows of 1 to 100
    integers between 0 and 1000.
    """
    sums = weights[0]
    for row in weights[1:]:
        sums = [value + min(sums[max(j - 1, 0) : j + 2]) for j, value in enumerate(row)]
    return min(sums)


@problem(
    "medium",
    lambda rng: lines(
        rng.randint(5, 30), *[[rng.randint(1, 12), rng.randint(1, 20)] for _ in range(rng.randint(1, 7))]
    ),
    ["10\n6 30\n5 20\n5 20\n", "3\n4 100\n", "7\n7 1\n", "8\n3 4\n3 4\n3 4\n"],
    large=lambda rng: lines(500, *[[5 + i * 13 % 60, 1 + i * 29 % 90] for i in range(60)]),
    style="stdio",
)
def loot(text: str) -> str:
    """Print the greatest value of things that a rucksack can carry, each at most once.

    The first line has the greatest weight, 1 to 1000. Each further line has the weight and the value of a thing,
    integers between 1 and 1000; there are 1 to 100.
    """
    first, *rest = text.splitlines()
    best = [0] * (int(first) + 1)
    for line in rest:
        weight, value = map(int, line.split())
        best = [max(b, best[i - weight] + value) if i >= weight else b for i, b in enumerate(best)]
    return str(best[-1])


@problem(
    "medium",
    lambda rng: [word(rng, "abc", 2, 8), word(rng, "abc", 2, 8)],
    [["stone", "notes"], ["abc", "abc"], ["a", "b"], ["aaa", "aa"], ["abcbdab", "bdcaba"]],
    large=lambda rng: [word(rng, "ab", 160, 160), word(rng, "ab", 160, 160)],
)
def shortest_supertext(one: str, other: str) -> int:
    """Return the length of the shortest string from which either word arises by striking letters out.

    Both have 1 to 300 lower-case letters.
    """
    kept = [0] * (len(other) + 1)
    for a in one:
        row = [0]
        for j, b in enumerate(other):
            row.append(kept[j] + 1 if a == b else max(kept[j + 1], row[j]))
        kept = row
    return len(one) + len(other) - kept[-1]


@problem(
    "hard",
    lambda rng: [integers(rng, 1, 20, 2, 9)],
    [[[3, 1, 4, 2]], [[5, 6]], [[9]], [[1, 1, 1, 1]], [[10, 1, 1, 10]]],
    large=lambda rng: [integers(rng, 1, 1000, 45, 45)],
)
def pour_together(jars: list[int]) -> int:
    """Jars stand in a row. Two neighbours are poured into one, which takes as many seconds as both hold together.

    Return the least number of seconds until there is one jar. There are 1 to 60 jars that hold 1 to 10**6.
    """
    from itertools import accumulate

    count = len(jars)
    prefix = list(accumulate(jars, initial=0))
    best = [[0] * count for _ in range(count)]
    for low in range(count - 2, -1, -1):
        for high in range(low + 1, count):
            split = min(best[low][k] + best[k + 1][high] for k in range(low, high))
            best[low][high] = split + prefix[high + 1] - prefix[low]
    return best[0][-1]


@problem(
    "hard",
    lambda rng: [integers(rng, 1, 20, 2, 9)],
    [[[5, 3, 7, 10]], [[8, 15, 3, 7]], [[4]], [[2, 2]], [[1, 100, 1]]],
    large=lambda rng: [integers(rng, 1, 1000, 120, 120)],
)
def lead_of_first(coins: list[int]) -> int:
    """Two players take in turn one or two coins, all from the left end or all from the right end of a row.

    Return by how much the first player beats the second (negative if they lose) when both play as well as they can.
    There are 1 to 200 coins of values 1 to 10**6. The game ends when no coin is left.
    """
    count = len(coins)
    lead = [[0] * (count + 1) for _ in range(count + 1)]
    for low in range(count - 1, -1, -1):
        for high in range(low + 1, count + 1):
            options = [coins[low] - lead[low + 1][high], coins[high - 1] - lead[low][high - 1]]
            if high - low > 1:
                options.append(coins[low] + coins[low + 1] - lead[low + 2][high])
                options.append(coins[high - 1] + coins[high - 2] - lead[low][high - 2])
            lead[low][high] = max(options)
    return lead[0][count]


@problem(
    "hard",
    lambda rng: f"{rng.randint(1, 40)} {rng.choice([10, 97, 1000, 10**9 + 7])}\n",
    ["2 1000\n", "4 1000\n", "1 7\n", "3 2\n", "12 1000000007\n"],
    large=lambda rng: f"{10**18 - rng.randint(0, 10**6)} 1000000007\n",
    style="stdio",
)
def brick_patterns(text: str) -> str:
    """Count the ways to cover a floor of 2 by n squares with bricks of 1 by 2 (in either direction) and of 2 by 2.

    The only line has n and m, 1 <= n <= 10**18 and 2 <= m <= 10**9 + 7. Print the remainder of the number of ways
    divided by m. Bricks of a kind look the same; patterns that are mirrored are different.
    """
    n, m = map(int, text.split())

    def times(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        return (
            (a[0] * b[0] + a[1] * b[2]) % m,
            (a[0] * b[1] + a[1] * b[3]) % m,
            (a[2] * b[0] + a[3] * b[2]) % m,
            (a[2] * b[1] + a[3] * b[3]) % m,
        )

    # ways(n) = ways(n - 1) + 2 * ways(n - 2), as a power of a matrix
    power: tuple[int, ...] = (1, 0, 0, 1)
    square: tuple[int, ...] = (1, 2, 1, 0)
    while n:
        if n % 2:
            power = times(power, square)
        square = times(square, square)
        n //= 2
    return str(power[0])


@problem(
    "hard",
    lambda rng: [
        word(rng, "abcd", 2, 8),
        word(rng, "abcd", 2, 8),
        rng.randint(1, 5),
        rng.randint(1, 5),
        rng.randint(1, 4),
    ],
    [
        ["kitten", "sitting", 1, 1, 1],
        ["ab", "ba", 5, 5, 1],
        ["a", "a", 3, 3, 3],
        ["abc", "a", 1, 4, 1],
        ["abcd", "badc", 2, 2, 3],
    ],
    large=lambda rng: [word(rng, "abc", 110, 110), word(rng, "abc", 110, 110), 7, 5, 3],
)
def repair_cost(wrong: str, right: str, gap: int, change: int, swap: int) -> int:
    """Return the least cost of turning one word into another.

    Putting in or striking out a letter costs `gap`, changing one costs `change`, and swapping two neighbouring letters
    of the wrong word, which are then touched by nothing else and nothing comes between them, costs `swap`. Both words
    have 1 to 200 lower-case letters; costs are 1 to 1000.
    """
    rows = [[j * gap for j in range(len(right) + 1)]]
    for i, a in enumerate(wrong, 1):
        row = [i * gap]
        for j, b in enumerate(right, 1):
            best = min(rows[-1][j] + gap, row[-1] + gap, rows[-1][j - 1] + change * (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == wrong[i - 2]:
                best = min(best, rows[-2][j - 2] + swap)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def _shifts(rng: Random) -> list[list[int]]:
    days = rng.randint(2, 7)
    return [integers(rng, 0, 12, days, days) for _ in range(rng.randint(2, 3))]


@problem(
    "hard",
    lambda rng: [_shifts(rng), rng.randint(1, 6)],
    [
        [[[5, 1, 6], [2, 9, 3]], 3],
        [[[1, 1], [9, 9]], 4],
        [[[7]], 5],
        [[[4, 4, 4], [5, 5, 0]], 2],
        [[[0, 9, 0], [6, 0, 6]], 7],
    ],
    large=lambda rng: [[[(i * 7 + d * 13) % 50 for d in range(250)] for i in range(8)], 21],
)
def moving_salesman(profits: list[list[int]], move: int) -> int:
    """Return the greatest profit of a salesman who is in one city each day and pays `move` whenever they change it.

    profits[c][d] is what city c brings on day d. The first day's city is free to choose. There are 1 to 50 cities, 1 to
    1000 days, and profits and `move` are 0 to 10**6.
    """
    best = [row[0] for row in profits]
    for day in range(1, len(profits[0])):
        elsewhere = max(best) - move
        best = [max(stay, elsewhere) + row[day] for stay, row in zip(best, profits, strict=True)]
    return max(best)
