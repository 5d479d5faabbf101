"""Numbers as rows of bits."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, matrix, span, word
from agent_rl.envs.code.problems.making import problem


@problem("easy", lambda rng: [rng.randint(1, 2 ** rng.randint(3, 20))], [[0b1101110], [5], [1], [255], [0]])
def longest_row_of_ones(n: int) -> int:
    """Return how long the longest row of ones in the binary digits of `n` is; 0 without any. 0 <= n <= 10**18."""
    return max(map(len, f"{n:b}".split("0")))


@problem(
    "easy",
    lambda rng: f"{rng.randint(0, 10 ** rng.randint(1, 6))}\n",
    ["6\n", "5\n", "0\n", "1\n", "1024\n"],
    style="stdio",
)
def mirrored_number(text: str) -> str:
    """Print the number whose binary digits are those of the given one, read from the other side.

    So 6, which is 110, becomes 011 and thus 3. The only line has an integer between 0 and 10**18.
    """
    return str(int(f"{int(text):b}"[::-1], 2))


@problem(
    "easy",
    lambda rng: lines([word(rng, "01", 7, 7) for _ in range(rng.randint(1, 5))]),
    ["1101000 1101001\n", "0000000\n", "1111111 0000001 1000000\n"],
    style="stdio",
)
def add_parity(text: str) -> str:
    """Put a bit behind each block so that it has an even number of ones, and add a block of parities at the end.

    The only line has 1 to 100 blocks of seven bits, parted by spaces. Print the blocks with their eighth bits, and then
    one more of eight bits: each is such that, together with the bits at its place in all blocks before, the number of
    ones is even.
    """
    blocks = [block + str(block.count("1") % 2) for block in text.split()]
    last = "".join(str(column.count("1") % 2) for column in zip(*blocks, strict=True))
    return " ".join([*blocks, last])


@problem(
    "easy",
    lambda rng: f"{rng.choice(['on', 'off', 'flip'])} {rng.randint(0, 9)} {rng.randint(0, 1023)}\n",
    ["on 3 0\n", "off 0 7\n", "flip 1 2\n", "on 0 1\n", "flip 9 512\n"],
    style="stdio",
)
def switch_board(text: str) -> str:
    """Print the state of a row of switches after one of them was used.

    The only line has `on`, `off` or `flip`, the number i of the switch, and the state before: switch i is on if bit i
    of the state is set (bit 0 is worth 1). 0 <= i <= 50, and states are between 0 and 2**51 - 1.
    """
    action, switch, state = text.split()
    bit, now = 1 << int(switch), int(state)
    return str(now | bit if action == "on" else now & ~bit if action == "off" else now ^ bit)


@problem(
    "medium",
    lambda rng: f"{rng.choice(['code', 'plain'])} {word(rng, '01', 3, 12)}\n",
    ["code 0110\n", "plain 0101\n", "code 1\n", "plain 1111\n", "code 0000\n"],
    style="stdio",
)
def gray_code(text: str) -> str:
    """Turn a binary number into its Gray code (`code`) or back (`plain`), with as many bits as it has.

    In the Gray code the first bit stays, and each further one is 1 if it differs from the bit before it in the binary
    number. The only line has `code` or `plain` and 1 to 1000 bits.
    """
    from itertools import pairwise

    action, bits = text.split()
    shown = bits[0]
    for before, bit in pairwise(bits):
        shown += str(int(bit != (before if action == "code" else shown[-1])))
    return shown


def _thrice(rng: Random) -> list[int]:
    odd, *rest = rng.sample(range(-50, 200), rng.randint(2, 5))
    numbers = [odd, *rest * 3]
    return rng.sample(numbers, len(numbers))


@problem("medium", lambda rng: [_thrice(rng)], [[[4, 9, 4, 4]], [[-7]], [[0, 1, 0, 1, 0, 1, 99]], [[-1, -1, 5, -1]]])
def lonely_one(numbers: list[int]) -> int:
    """All numbers of a list are there three times, but for one, which is there once. Return it.

    The list has 1 to 10**4 integers between -10**9 and 10**9.
    """
    return (3 * sum(set(numbers)) - sum(numbers)) // 2


@problem(
    "medium",
    lambda rng: lines([rng.randint(0, 63) for _ in range(rng.randint(3, 8))], rng.randint(0, 63)),
    ["1 2 4 7\n7\n", "5\n5\n", "1 2\n4\n", "0 0\n0\n", "3 3 3\n3\n"],
    large=lambda rng: lines([i * 37 % 512 for i in range(1, 60)], 333),
    style="stdio",
)
def xor_choices(text: str) -> str:
    """Print in how many ways numbers of a list can be chosen so that their exclusive or is a given number.

    The first line has the list, 1 to 200 integers between 0 and 511; the second the given one, in the same range. Equal
    numbers at different places make different ways; choosing none gives 0. The result can be huge.
    """
    first, second = text.splitlines()
    ways = [1] + [0] * 511
    for part in first.split():
        ways = [count + ways[i ^ int(part)] for i, count in enumerate(ways)]
    return str(ways[int(second)])


@problem(
    "hard",
    lambda rng: lines([rng.randint(0, 255) for _ in range(rng.randint(2, 9))]),
    ["3 10 5 25 2 8\n", "7 7\n", "0 1\n", "8 4 2 1\n"],
    large=lambda rng: lines([i * 69_069 % (2**31) for i in range(1, 1700)]),
    style="stdio",
)
def most_different_pair(text: str) -> str:
    """Print the greatest exclusive or of two numbers of a list, at different places.

    The only line has 2 to 10**5 integers between 0 and 2**31 - 1; there are too many pairs to try them all.
    """
    numbers = {int(part) for part in text.split()}
    best = 0
    for bit in range(30, -1, -1):
        wanted = best >> bit | 1
        heads = {number >> bit for number in numbers}
        if any(wanted ^ head in heads for head in heads):
            best = wanted << bit
    return str(best)


@problem(
    "hard",
    lambda rng: lines([rng.randint(0, 63) for _ in range(rng.randint(2, 6))], rng.randint(1, 8)),
    ["1 2 3\n3\n", "5 5\n2\n", "0\n1\n", "4 2 1\n8\n", "6 3\n5\n"],
    large=lambda rng: lines([i * 123_456_789 % 2**50 for i in range(1, 60)], 10**9),
    style="stdio",
)
def kth_mixture(text: str) -> str:
    """Print the `k`-th least number that is the exclusive or of some numbers of a list, or -1 if there are fewer.

    The first line has the list, 1 to 1000 integers between 0 and 2**60 - 1; the second has k, 1 to 10**18. Choosing
    none gives 0, the first and least of all; a number that arises in several ways counts once.
    """
    first, second = text.splitlines()
    basis: list[int] = []
    for part in first.split():
        number = int(part)
        for base in basis:
            number = min(number, number ^ base)
        if number:
            basis = sorted([min(base, base ^ number) for base in basis] + [number], reverse=True)
    k = int(second) - 1
    if k >> len(basis):
        return "-1"
    mixed = 0
    for i, base in enumerate(reversed(basis)):
        mixed ^= base * (k >> i & 1)
    return str(mixed)


@problem(
    "hard",
    lambda rng: [span(rng, 0, 200)],
    [[[3, 6]], [[0, 1]], [[5, 5]], [[8, 15]], [[0, 0]]],
    large=lambda rng: [[rng.randint(0, 10**17), 10**18 - rng.randint(0, 10**6)]],
)
def ones_in_range(bounds: list[int]) -> int:
    """Return how many ones there are in the binary digits of all integers from low to high, both included.

    `bounds` is [low, high] with 0 <= low <= high <= 10**18.
    """

    def below(limit: int) -> int:
        count = 0
        for bit in range(limit.bit_length()):
            full, rest = divmod(limit, 2 << bit)
            count += (full << bit) + max(0, rest - (1 << bit))
        return count

    return below(bounds[1] + 1) - below(bounds[0])


def _distances(rng: Random) -> list[list[int]]:
    count = rng.randint(2, 5)
    return [[0 if i == j else rng.randint(1, 20) for j in range(count)] for i in range(count)]


@problem(
    "hard",
    lambda rng: [_distances(rng)],
    [
        [[[0, 3, 9], [3, 0, 4], [9, 4, 0]]],
        [[[0]]],
        [[[0, 5], [2, 0]]],
        [[[0, 1, 9, 9], [9, 0, 1, 9], [9, 9, 0, 1], [9, 9, 9, 0]]],
    ],
    large=lambda rng: [[[0 if i == j else 1 + (i * 37 + j * 91) % 100 for j in range(11)] for i in range(11)]],
)
def delivery_round(minutes: list[list[int]]) -> int:
    """Return the least number of minutes of a tour that visits every place exactly once and begins and ends anywhere.

    minutes[a][b] is the time from place a to place b, which may differ from the way back. There are 1 to 12 places and
    times are at most 10**6; with a single place the tour takes 0.
    """
    count = len(minutes)
    best = [[10**9] * count for _ in range(1 << count)]
    for place in range(count):
        best[1 << place][place] = 0
    for seen in range(1, 1 << count):
        places = [place for place in range(count) if seen >> place & 1]
        for last in places:
            before = best[seen ^ (1 << last)]
            reach = [before[place] + minutes[place][last] for place in places if place != last]
            best[seen][last] = min(reach, default=0)
    return min(best[-1])


@problem(
    "hard",
    lambda rng: [matrix(rng, 0, 1, 3, 6)],
    [[[[1, 0, 1], [0, 1, 0], [1, 1, 0]]], [[[1, 1], [1, 1]]], [[[0, 0, 1]]], [[[0], [0]]], [[[1, 0], [0, 1], [1, 1]]]],
    large=lambda rng: [[[int(rng.random() < 0.12) for _ in range(13)] for _ in range(60)]],
)
def smallest_team(skills: list[list[int]]) -> int:
    """Return the least number of people who together have all skills that are wanted; -1 if even all lack some.

    Each row is a person, and skills[p][s] is 1 if person p has skill s, else 0. There are 1 to 60 people and 1 to 13
    skills, all of them wanted.
    """
    everything = (1 << len(skills[0])) - 1
    people = {sum(has << i for i, has in enumerate(row)) for row in skills}
    reached, team = {0}, 0
    seen = {0}
    while reached and everything not in reached:
        reached = {have | person for have in reached for person in people} - seen
        seen |= reached
        team += 1
    return team if reached else -1
