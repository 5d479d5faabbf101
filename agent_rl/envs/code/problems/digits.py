"""The digits of numbers."""

from agent_rl.envs.code.problems.drawing import lines, span, word
from agent_rl.envs.code.problems.making import problem


@problem("easy", lambda rng: [rng.randint(0, 10 ** rng.randint(1, 9))], [[1917], [505], [7], [0], [10**9]])
def digit_swing(n: int) -> int:
    """Return the sum of the absolute differences of neighbouring decimal digits of `n`; 0 for a single digit.

    0 <= n <= 10**18.
    """
    from itertools import pairwise

    return sum(abs(int(a) - int(b)) for a, b in pairwise(str(n)))


@problem("easy", lambda rng: [rng.randint(1, 10 ** rng.randint(1, 8))], [[1423], [9001], [5], [1000], [7777]])
def largest_rotation(n: int) -> int:
    """Return the greatest number that arises when some digits of `n` are moved from its front to its end, in order.

    Moving none counts too: 1423 can become 1423, 4231, 2314 and 3142. Zeros that come to the front count for nothing.
    1 <= n <= 10**18.
    """
    text = str(n)
    return max(int(text[i:] + text[:i]) for i in range(len(text)))


@problem(
    "easy",
    lambda rng: f"{word(rng, '0123456789', 1, 10)}\n",
    ["207\n", "11\n", "8\n", "000\n", "74747\n"],
    style="stdio",
)
def lit_segments(text: str) -> str:
    """Print how many segments of a seven-segment display are lit when it shows the digits of the input.

    The digits 0 to 9 light 6, 2, 5, 5, 4, 5, 6, 3, 7 and 6 segments. The only line has 1 to 1000 digits; zeros in front
    are shown too.
    """
    lit = (6, 2, 5, 5, 4, 5, 6, 3, 7, 6)
    return str(sum(lit[int(d)] for d in text.strip()))


@problem("medium", lambda rng: [rng.randint(0, 10 ** rng.randint(1, 7))], [[15], [99], [0], [1000], [190], [9990]])
def next_with_digit_sum(n: int) -> int:
    """Return the least integer above `n` whose decimal digits have the same sum as those of `n`; -1 if there is none.

    0 <= n <= 10**100, so trying the numbers one after the other takes too long.
    """
    if n == 0:
        return -1
    digits = [0, *map(int, str(n))]
    at = len(digits) - 1
    while digits[at] == 0:
        at -= 1
    # The last digit above zero gives one to the nearest digit on its left that can take it; the rest sinks to the end.
    taker = at - 1
    while taker >= 0 and digits[taker] == 9:
        taker -= 1
    rest = sum(digits[taker + 1 :]) - 1
    head = [*digits[:taker], digits[taker] + 1]
    tail = []
    for _ in range(len(digits) - taker - 1):
        tail.append(min(9, rest))
        rest -= tail[-1]
    return int("".join(map(str, head + tail[::-1])))


@problem(
    "medium", lambda rng: f"{rng.randint(-3000, 3000)}\n", ["5\n", "-8\n", "0\n", "1\n", "-1\n", "13\n"], style="stdio"
)
def plus_minus_ternary(text: str) -> str:
    """Print an integer in base 3 with the digits `+`, `0` and `-`, which are worth 1, 0 and -1.

    So 5 = 9 - 3 - 1 is `+--`. The only line has the integer, between -10**18 and 10**18. The first digit is not `0`,
    but for the number 0, which is `0`.
    """
    n, shown = int(text), ""
    while n:
        shown = "0+-"[n % 3] + shown
        n = (n + 1) // 3
    return shown or "0"


def _smudged(digits: str, at: int) -> str:
    at %= len(digits)
    return digits[:at] + "?" + digits[at + 1 :]


@problem(
    "medium",
    lambda rng: [_smudged(word(rng, "0123456789", 2, 9), rng.randrange(9)), rng.choice([2, 3, 4, 7, 8, 9, 11, 13])],
    [["1?5", 3], ["?2", 11], ["?", 4], ["12?1", 2], ["?00", 25]],
)
def smudged_digit(text: str, k: int) -> list[int]:
    """Return, in increasing order, the digits that may stand for the `?` so that the number is a multiple of `k`.

    `text` has 1 to 2000 decimal digits of which exactly one is replaced by `?`; zeros in front are allowed.
    1 <= k <= 1000.
    """
    rest = place = 0
    for letter in text:
        rest = (rest * 10 + (int(letter) if letter != "?" else 0)) % k
        place = 1 if letter == "?" else place * 10 % k
    return [d for d in range(10) if (rest + d * place) % k == 0]


@problem(
    "medium",
    lambda rng: [(digits := word(rng, "0123456789", 3, 14)), rng.randint(1, len(digits) - 1)],
    [["41726", 2], ["1002", 1], ["9", 0], ["54321", 4], ["12345", 3], ["100200", 1]],
    large=lambda rng: [word(rng, "0123456789", 600, 600), 250],
)
def strike_digits(digits: str, count: int) -> str:
    """Strike out exactly `count` digits so that those that are left, in their order, make the least number.

    Return them as a string, zeros in front included. `digits` has 1 to 1000 decimal digits and
    0 <= count < len(digits).
    """
    kept: list[str] = []
    left = count
    for d in digits:
        while left and kept and kept[-1] > d:
            kept.pop()
            left -= 1
        kept.append(d)
    return "".join(kept[: len(digits) - count])


@problem(
    "hard",
    lambda rng: span(rng, 0, 10 ** rng.randint(2, 4)),
    [[1, 20], [0, 0], [11, 11], [98, 102], [0, 9999]],
    large=lambda rng: [rng.randint(0, 10**17), 10**18 - rng.randint(1, 10**17)],
)
def no_twins(low: int, high: int) -> int:
    """Return how many integers from `low` to `high`, both included, have no two equal neighbouring decimal digits.

    0 <= low <= high <= 10**18. Single digits have none.
    """

    def below(limit: int) -> int:
        digits = [int(d) for d in str(limit)]
        # Shorter numbers, zero among them, then those of the same length that leave the limit's digits at some place.
        count: int = 1 + sum(9**size for size in range(1, len(digits)))
        last = -1
        for at, digit in enumerate(digits):
            smaller = sum(d != last for d in range(at == 0, digit))
            count += smaller * 9 ** (len(digits) - at - 1)
            if digit == last:
                break
            last = digit
        return count

    return below(high + 1) - (below(low) if low else 0)


@problem(
    "hard",
    lambda rng: [rng.randint(1, 40), rng.randint(1, 200)],
    [[2, 1], [2, 4], [1, 5], [9, 1], [10, 9], [45, 1]],
    large=lambda rng: [90, rng.randint(10**16, 10**17)],
)
def kth_with_digit_sum(total: int, k: int) -> int:
    """Return the `k`-th least positive integer whose decimal digits add up to `total`.

    1 <= total <= 100 and 1 <= k <= 10**18; the answer has at most 300 digits.
    """
    ways = [[1] + [0] * total]
    while ways[-1][total] < k:
        last = ways[-1]
        ways.append([sum(last[max(s - 9, 0) : s + 1]) for s in range(total + 1)])
    number = 0
    for free in range(len(ways) - 2, -1, -1):
        for digit in range(min(9, total) + 1):
            count = ways[free][total - digit]
            if k <= count:
                break
            k -= count
        number, total = number * 10 + digit, total - digit
    return number


@problem(
    "hard",
    lambda rng: lines(rng.randint(2, 150), sorted(rng.sample(range(10), rng.randint(1, 4)))),
    ["7\n1\n", "12\n0 5\n", "1\n0 9\n", "10\n1 2 3\n", "6\n0\n"],
    large=lambda rng: "9973\n1 7\n",
    style="stdio",
)
def multiple_from_digits(text: str) -> str:
    """Print the least positive multiple of an integer that uses only given decimal digits.

    The first line has the integer, 1 to 10**4; the second the allowed digits, different and increasing. Not all of
    them must be used. Print `impossible` if there is no such multiple. The answer may have thousands of digits.
    """
    first, second = text.splitlines()
    k, digits = int(first), [int(d) for d in second.split()]
    found: dict[int, str] = {}
    queue = []
    for d in digits:
        if d and d % k not in found:
            found[d % k] = str(d)
            queue.append(d % k)
    for rest in queue:
        if rest == 0:
            return found[0]
        for d in digits:
            after = (rest * 10 + d) % k
            if after not in found:
                found[after] = found[rest] + str(d)
                queue.append(after)
    return "impossible"
