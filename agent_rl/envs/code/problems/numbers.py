"""Divisors, fractions and remainders."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [rng.randint(1, 12) * (step := rng.randint(1, 20)), rng.randint(1, 12) * step],
    [[12, 18], [7, 9], [1, 1], [64, 64]],
)
def shared_divisors(a: int, b: int) -> int:
    """Return how many positive integers divide both `a` and `b`.

    1 <= a, b <= 1000.
    """
    return sum(a % d == 0 and b % d == 0 for d in range(1, min(a, b) + 1))


@problem("easy", lambda rng: [rng.randint(-200, 200), rng.randint(1, 12)], [[17, 5], [6, 4], [-6, 4], [0, 7]])
def nearest_multiple(n: int, k: int) -> int:
    """Return the multiple of `k` that is nearest to `n`; of two equally near ones the greater.

    -10**6 <= n <= 10**6 and 1 <= k <= 10**6. Zero and negative numbers are multiples too.
    """
    below = n // k * k
    return below if n - below < below + k - n else below + k


@problem("easy", lambda rng: [rng.randint(1, 2000)], [[6], [7], [1], [1024]])
def halving_steps(n: int) -> int:
    """Return how many steps lead from `n` to 1, where a step halves an even number and adds 1 to an odd one.

    1 <= n <= 10**9; from 1 it takes no step.
    """
    steps = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else n + 1
        steps += 1
    return steps


def _fractions(rng: Random) -> str:
    parts = [(rng.randint(-9, 9), rng.randint(1, 12)) for _ in range(rng.randint(1, 6))]
    return lines([f"{top}/{bottom}" for top, bottom in parts])


@problem("medium", _fractions, ["1/2 2/3\n", "-1/2 -3/4 1/4\n", "1/3 -1/3\n", "3/4 1/4\n", "-1/6\n"], style="stdio")
def mixed_sum(text: str) -> str:
    """Add fractions and print the sum as a mixed number in lowest terms.

    The only line has 1 to 20 fractions such as `-3/4`, parted by spaces; numerators are integers of at most three
    digits, denominators are 1 to 999. Print the whole part and the fraction with a space between, such as `1 1/6`; a
    negative sum has one minus sign in front, such as `-2 1/3`. Leave out the whole part if it is zero and the fraction
    if that is zero; the sum 0 is `0`.
    """
    from fractions import Fraction

    total = sum((Fraction(part) for part in text.split()), Fraction(0))
    whole, rest = divmod(abs(total), 1)
    shown = " ".join([str(whole)] * (whole > 0) + [str(rest)] * (rest > 0)) or "0"
    return "-" * (total < 0) + shown


@problem("medium", lambda rng: [rng.randint(2, 400)], [[10], [7], [2], [4], [6], [90]])
def coprime_halves(n: int) -> list[int]:
    """Write `n` as a sum of two positive integers without a common divisor above 1, as near to each other as possible.

    Return them as a list, the smaller one first. 2 <= n <= 10**12.
    """
    from math import gcd

    a = n // 2
    while gcd(a, n - a) > 1:
        a -= 1
    return [a, n - a]


@problem(
    "medium",
    lambda rng: [rng.randint(1, 300), rng.randint(2, 40)],
    [[10, 10], [6, 12], [1, 2], [10**12, 2], [10**12, 999_983], [26, 25]],
)
def factorial_zeros(n: int, base: int) -> int:
    """Return with how many zeros the factorial of `n` ends when it is written in the given base.

    1 <= n <= 10**12 and 2 <= base <= 10**6.
    """
    counts, rest, p = [], base, 2
    while rest > 1:
        power = 0
        while rest % p == 0:
            rest //= p
            power += 1
        if power:
            left, total = n, 0
            while left:
                left //= p
                total += left
            counts.append(total // power)
        p = p + 1 if p * p <= rest else max(rest, p + 1)
    return min(counts)


@problem(
    "medium", lambda rng: [rng.randint(1, 500), rng.randint(1, 60)], [[2, 3], [1, 7], [1, 1], [5, 1], [22, 7], [3, 8]]
)
def expansion_shape(a: int, b: int) -> list[int]:
    """Return how many digits the decimal expansion of a / b has before it repeats, and how long the repeating part is.

    Only digits after the point count: 1/6 = 0.1666… gives [1, 1], and an expansion that ends, such as 3/8 = 0.375,
    gives its number of digits and 0. 1 <= a <= 10**9 and 1 <= b <= 2000.
    """
    seen: dict[int, int] = {}
    rest = a % b
    while rest and rest not in seen:
        seen[rest] = len(seen)
        rest = rest * 10 % b
    return [seen[rest], len(seen) - seen[rest]] if rest else [len(seen), 0]


@problem(
    "hard",
    lambda rng: [rng.randint(0, 30), rng.randint(0, 9), rng.randint(0, 9), rng.randint(1, 100)],
    [[2, 3, 2, 100], [6, 2, 2, 10], [0, 0, 0, 7], [5, 0, 3, 1], [10, 3, 0, 8], [6, 1, 9, 36]],
    large=lambda rng: [999_999_937, 888_888_888, 777_777_777, 735_134_400],
)
def tower_remainder(a: int, b: int, c: int, m: int) -> int:
    """Return the remainder of a ** (b ** c) divided by m, where 0 ** 0 is 1.

    0 <= a, b, c <= 10**9 and 1 <= m <= 10**9; `a` and `m` may have common divisors.
    """
    phi, rest, p = m, m, 2
    while p * p <= rest:
        if rest % p == 0:
            phi -= phi // p
            while rest % p == 0:
                rest //= p
        p += 1
    if rest > 1:
        phi -= phi // rest
    # From an exponent of log2(m) on, powers of a repeat with a period that divides phi(m).
    exponent = b**c if b < 2 or c < 6 else pow(b, c, phi) + phi * 64
    return pow(a, exponent, m)


@problem(
    "hard",
    lambda rng: [rng.randint(1, 3000), rng.choice([6, 12, 30, 35, 77, 97, 210, 1001, 60, 1])],
    [[10, 6], [10, 7], [1, 1], [1, 30], [10**15, 1]],
    large=lambda rng: [10**15 - rng.randint(0, 10**6), 200_560_490_130],
)
def coprime_count(n: int, k: int) -> int:
    """Return how many of the integers 1 to `n` have no common divisor above 1 with `k`.

    1 <= n <= 10**15 and 1 <= k <= 10**12; no prime divisor of `k` is above 10**5.
    """
    primes, p = [], 2
    while k > 1:
        if k % p == 0:
            primes.append(p)
            while k % p == 0:
                k //= p
        p += 1
    terms = [1]
    for prime in primes:
        terms += [-term * prime for term in terms]
    return sum(n // term if term > 0 else -(n // -term) for term in terms)


def _lamps(rng: Random, count: int, longest: int) -> str:
    moment = rng.randint(0, 10**6)
    rows = [[period, moment % period] for period in rng.choices(range(2, longest), k=count)]
    if rng.random() < 0.3:
        rows[0][1] = rng.randrange(rows[0][0])
    return lines(count, *rows)


@problem(
    "hard",
    lambda rng: _lamps(rng, rng.randint(1, 4), 25),
    ["2\n4 3\n6 1\n", "2\n4 3\n6 2\n", "1\n5 0\n", "3\n6 3\n10 3\n15 3\n"],
    large=lambda rng: "5\n999983 5\n999979 77\n999961 1234\n999959 0\n999953 999952\n",
    style="stdio",
)
def lamps_together(text: str) -> str:
    """Find the first second at which all lamps flash together.

    The first line has the number of lamps, 1 to 8. Each further line has two integers of a lamp, its period p and its
    phase r with 0 <= r < p <= 10**6: it flashes at the seconds r, r + p, r + 2p and so on. Print the first second at
    which all of them flash, or `never`.
    """
    from math import gcd

    moment, period = 0, 1
    for line in text.splitlines()[1:]:
        p, r = map(int, line.split())
        common = gcd(period, p)
        if (r - moment) % common:
            return "never"
        turns = (r - moment) // common * pow(period // common, -1, p // common) % (p // common)
        moment, period = moment + period * turns, period // common * p
    return str(moment)


@problem(
    "hard",
    lambda rng: [rng.randint(1, 40), rng.randint(1, 30), rng.randint(0, 30), rng.randint(0, 30)],
    [[4, 3, 2, 1], [1, 5, 9, 14], [10, 7, 0, 0], [3, 1, 5, 2]],
    large=lambda rng: [10**12, 10**9 + 7, rng.randint(10**8, 10**9), rng.randint(10**8, 10**9)],
)
def sum_of_floors(n: int, m: int, a: int, b: int) -> int:
    """Return the sum of (a * i + b) // m for i = 0, 1, …, n - 1.

    1 <= n <= 10**12, 1 <= m <= 10**10 and 0 <= a, b <= 10**10.
    """
    total = 0
    while True:
        total += a // m * (n * (n - 1) // 2) + b // m * n
        a, b = a % m, b % m
        top = a * n + b
        if top < m:
            return total
        n, m, a, b = top // m, a, m, top % m
