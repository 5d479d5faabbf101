"""Combinations, permutations and chances."""

from agent_rl.envs.code.problems.drawing import integers, lines, word
from agent_rl.envs.code.problems.making import problem


@problem("easy", lambda rng: lines(integers(rng, 1, 40, 1, 5)), ["3 4\n", "1\n", "2 2 2\n", "10 0 5\n"], style="stdio")
def toasts(text: str) -> str:
    """Print how many times glasses clink when all guests of a party drink to each other, but not to their own table.

    The only line has the numbers of guests at each table, 1 to 100 integers between 0 and 1000. Each two guests of
    different tables clink glasses once.
    """
    tables = [int(part) for part in text.split()]
    return str((sum(tables) ** 2 - sum(guests**2 for guests in tables)) // 2)


@problem(
    "easy",
    lambda rng: [(dice := rng.randint(1, 4)), (sides := rng.randint(2, 8)), rng.randint(dice, dice * sides)],
    [[2, 6, 7], [1, 6, 7], [1, 4, 4], [3, 2, 4]],
)
def dice_ways(dice: int, sides: int, total: int) -> int:
    """Return in how many ways different dice show a total. Each of them shows 1 to `sides`.

    1 <= dice <= 5, 2 <= sides <= 10 and 1 <= total <= 100.
    """
    from itertools import product

    return sum(sum(shown) == total for shown in product(range(1, sides + 1), repeat=dice))


@problem("easy", lambda rng: f"{rng.randint(0, 40)}\n", ["3\n", "4\n", "0\n", "1\n", "18\n"], style="stdio")
def odd_triangle(text: str) -> str:
    """Print a row of the triangle in which each number is the sum of the two above it, with `#` for odd numbers.

    Even numbers are shown as `.`, without spaces between. Row 0 is 1, row 1 is 1 1, row 2 is 1 2 1, and the first and
    the last number of each row is 1. The only line has the number of the row, 0 to 500.
    """
    from itertools import pairwise

    row = [1]
    for _ in range(int(text)):
        row = [1, *[(a + b) % 2 for a, b in pairwise(row)], 1]
    return "".join(".#"[number % 2] for number in row)


@problem(
    "easy", lambda rng: lines(integers(rng, 1, 6, 2, 9)), ["1 2 2 3\n", "5\n", "4 4 4\n", "1 2 3 4\n"], style="stdio"
)
def equal_pairs(text: str) -> str:
    """Print the chance that two numbers drawn from a list, without putting back, are equal, as a fraction.

    The fraction is in lowest terms, such as `1/6`; `0/1` and `1/1` are possible, and with fewer than two numbers print
    `none`. The only line has 1 to 1000 integers.
    """
    from fractions import Fraction

    numbers = text.split()
    count = len(numbers)
    if count < 2:
        return "none"
    same = sum(numbers.count(number) - 1 for number in numbers)
    chance = Fraction(same, count * (count - 1))
    return f"{chance.numerator}/{chance.denominator}"


@problem(
    "medium",
    lambda rng: [(n := rng.randint(2, 7)), rng.randint(1, [1, 1, 2, 6, 24, 120, 720, 5040][n])],
    [[3, 4], [1, 1], [4, 24], [5, 1]],
    large=lambda rng: [18, rng.randint(10**14, 10**15)],
)
def kth_seating(n: int, k: int) -> list[int]:
    """Return the `k`-th of all orders of the numbers 1 to n when the orders are sorted element by element.

    1 <= n <= 20, and k is between 1 and the number of orders.
    """
    from math import factorial

    free, order = list(range(1, n + 1)), []
    k -= 1
    for left in range(n - 1, -1, -1):
        at, k = divmod(k, factorial(left))
        order.append(free.pop(at))
    return order


@problem(
    "medium",
    lambda rng: f"{rng.randint(1, 25)} {rng.randint(1, 9)}\n",
    ["5 3\n", "4 9\n", "1 1\n", "10 2\n", "30 1\n"],
    large=lambda rng: "180 90\n",
    style="stdio",
)
def coin_piles(text: str) -> str:
    """Print in how many ways n equal coins can be put into piles, none of them higher than h.

    The order of the piles does not matter. The only line has n and h, both between 1 and 200.
    """
    n, h = map(int, text.split())
    ways = [1] + [0] * n
    for height in range(1, h + 1):
        for coins in range(height, n + 1):
            ways[coins] += ways[coins - height]
    return str(ways[n])


@problem(
    "medium",
    lambda rng: f"{(n := rng.randint(1, 12))} {rng.randint(0, n)}\n",
    ["3 1\n", "4 0\n", "1 0\n", "5 5\n", "3 2\n"],
    large=lambda rng: "150 3\n",
    style="stdio",
)
def hats_returned(text: str) -> str:
    """Each of n guests gets one of their n hats back. Print in how many ways exactly k guests get their own hats.

    The only line has n and k; 1 <= n <= 200 and 0 <= k <= n.
    """
    from math import comb

    n, k = map(int, text.split())
    none = [1, 0]
    for size in range(2, n + 1):
        none.append((size - 1) * (none[-1] + none[-2]))
    return str(comb(n, k) * none[n - k])


@problem(
    "medium",
    lambda rng: [word(rng, "aabc", 2, 7), rng.randint(1, 4)],
    [["aab", 2], ["abc", 3], ["z", 2], ["aaa", 3], ["aabb", 1]],
    large=lambda rng: ["abcdefgh" * 12, 40],
)
def letter_blocks(letters: str, size: int) -> int:
    """Return how many different words of `size` letters can be laid with the given letters, each used at most once.

    A letter that is given several times can be used so many times; 0 if `size` is greater than the number of letters.
    There are 1 to 100 lower-case letters; 1 <= size <= 100.
    """
    from math import comb

    ways = [1] + [0] * size
    for letter in set(letters):
        count = letters.count(letter)
        ways = [sum(ways[n - k] * comb(n, k) for k in range(min(count, n) + 1)) for n in range(size + 1)]
    return ways[size]


@problem(
    "hard",
    lambda rng: f"{rng.randint(2, 12)} {rng.randint(1, 4)}\n",
    ["4 2\n", "3 3\n", "1 5\n", "6 2\n", "5 1\n"],
    large=lambda rng: "360 7\n",
    style="stdio",
)
def necklaces(text: str) -> str:
    """Print how many different necklaces of n beads there are when beads have one of c colours.

    Two necklaces are the same if one becomes the other when it is turned or turned over. The only line has n and c;
    1 <= n <= 1000 and 1 <= c <= 1000.
    """
    from math import gcd

    n, c = map(int, text.split())
    turned = sum(c ** gcd(n, step) for step in range(n))
    # A mirror goes through two gaps, two beads, or one of each; what it leaves free are the beads of one side.
    over = sum(c ** ((n + 1 + (n - axis) % 2) // 2) for axis in range(n))
    return str((turned + over) // (2 * n))


@problem(
    "hard",
    lambda rng: [integers(rng, 0, 5, 2, 4), rng.randint(0, 12)],
    [[[2, 3], 4], [[1, 1, 1], 2], [[5], 6], [[0, 0], 0], [[3, 3, 3], 9]],
    large=lambda rng: [[10**9 + i * 10**7 for i in range(10)], 5 * 10**9],
)
def fruit_baskets(limits: list[int], size: int) -> int:
    """Return how many different baskets of `size` fruits there are, with at most limits[i] fruits of kind i.

    Fruits of a kind look the same. There are 1 to 12 kinds; all numbers are between 0 and 10**10.
    """
    from math import comb

    total = 0
    for chosen in range(1 << len(limits)):
        over = [limit + 1 for i, limit in enumerate(limits) if chosen >> i & 1]
        left = size - sum(over)
        if left >= 0:
            total += (-1) ** len(over) * comb(left + len(limits) - 1, len(limits) - 1)
    return total


@problem(
    "hard",
    lambda rng: f"{(n := rng.randint(0, 60))} {rng.randint(0, n)} {rng.choice([5, 7, 11, 13, 97, 997])}\n",
    ["5 2 3\n", "10 5 2\n", "0 0 2\n", "9 4 7\n", "6 3 5\n"],
    large=lambda rng: f"{997**6 - 5} 123456789123456000 997\n",
    style="stdio",
)
def choices_modulo(text: str) -> str:
    """Print the remainder, divided by a prime p, of the number of ways to choose k of n different things.

    The only line has n, k and p; 0 <= k <= n <= 10**18, and p is a prime number below 1000.
    """
    from math import comb

    n, k, p = map(int, text.split())
    result = 1
    while k and result:
        result = result * comb(n % p, k % p) % p
        n, k = n // p, k // p
    return str(result)


@problem(
    "hard",
    lambda rng: [
        rng.randint(1, 6),
        rng.randint(1, 6),
        [[rng.randint(0, 6), rng.randint(0, 6)] for _ in range(rng.randint(0, 3))],
    ],
    [[2, 2, [[1, 1]]], [3, 2, []], [1, 1, [[0, 0]]], [2, 2, [[0, 1], [1, 0]]], [4, 4, [[2, 2], [9, 9]]]],
    large=lambda rng: [3 * 10**4, 10**4, [[i * 1000, i * 300 + 7] for i in range(1, 8)]],
)
def ways_past_holes(width: int, height: int, holes: list[list[int]]) -> int:
    """Return the number of ways from (0, 0) to (width, height) that tread on no hole, modulo 1000003.

    A step adds 1 to x or to y. A hole is a point [x, y]; there are 0 to 30, some perhaps twice or off every way.
    0 <= width, height <= 10**5 and so too many points to look at each.
    """
    m = 1_000_003
    factorials = [1]
    for n in range(1, width + height + 1):
        factorials.append(factorials[-1] * n % m)

    def ways(dx: int, dy: int) -> int:
        if dx < 0 or dy < 0:
            return 0
        return factorials[dx + dy] * pow(factorials[dx] * factorials[dy], -1, m) % m

    # For each stop the ways that tread on no earlier one: all, less those whose first stop is an earlier one.
    stops = [*sorted({(x, y) for x, y in holes if x <= width and y <= height}), (width, height)]
    clean: list[int] = []
    for i, (x, y) in enumerate(stops):
        bad = sum(clean[j] * ways(x - a, y - b) for j, (a, b) in enumerate(stops[:i]))
        clean.append((ways(x, y) - bad) % m)
    return clean[-1]
