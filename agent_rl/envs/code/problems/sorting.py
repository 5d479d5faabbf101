"""Orders, ranks and swaps."""

from random import Random

from agent_rl.envs.code.problems.drawing import distinct, integers, lines, spans, word, words
from agent_rl.envs.code.problems.making import problem


@problem("easy", lambda rng: [integers(rng, -15, 15, 2, 9)], [[[3, -1, -3, 2]], [[0]], [[-2, 2, -2]], [[10, -9, 8]]])
def by_distance_from_zero(numbers: list[int]) -> list[int]:
    """Sort integers by their absolute values; of two with the same one the negative comes first.

    There are 1 to 1000 integers between -10**9 and 10**9.
    """
    return sorted(numbers, key=lambda n: (abs(n), n))


def _medals(rng: Random) -> str:
    names = rng.sample(["Aldo", "Bina", "Cora", "Dana", "Egon", "Fritz"], rng.randint(2, 5))
    return lines(*[[name, rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2)] for name in names])


@problem("easy", _medals, ["Ida 1 0 2\nBo 1 1 0\n", "Zoe 0 0 0\nAbe 0 0 0\n", "Solo 3 2 1\n"], style="stdio")
def medal_table(text: str) -> str:
    """Print the names of a medal table from best to worst, one in a line.

    Each line of the input has a name and the numbers of gold, silver and bronze medals. More gold is better; with as
    much gold more silver, then more bronze; those with the same medals come in alphabetical order. There are 1 to 100
    different names of letters.
    """
    rows = [line.split() for line in text.splitlines()]
    rows.sort(key=lambda row: (*(-int(count) for count in row[1:]), row[0]))
    return "\n".join(row[0] for row in rows)


@problem(
    "easy", lambda rng: [integers(rng, 1, 6, 2, 9)], [[[1, 3, 2, 4]], [[1, 1, 2]], [[5]], [[3, 2, 1]], [[2, 2, 1, 1]]]
)
def out_of_place(heights: list[int]) -> int:
    """Return at how many places another number would stand if the list were sorted in increasing order.

    There are 1 to 1000 integers.
    """
    return sum(a != b for a, b in zip(heights, sorted(heights), strict=True))


@problem(
    "medium",
    lambda rng: [distinct(rng, 1, 40, 3, 9)],
    [[[2, 3, 1]], [[1, 2, 3]], [[4, 3, 2, 1]], [[7]], [[10, 50, 20, 40, 30]]],
)
def fewest_swaps(numbers: list[int]) -> int:
    """Return the least number of swaps that sort a list in increasing order; any two places may be swapped.

    There are 1 to 5000 different integers.
    """
    goal = {number: i for i, number in enumerate(sorted(numbers))}
    seen: set[int] = set()
    cycles = 0
    for i in range(len(numbers)):
        cycles += i not in seen
        while i not in seen:
            seen.add(i)
            i = goal[numbers[i]]
    return len(numbers) - cycles


@problem(
    "medium",
    lambda rng: [distinct(rng, 1, 9, 2, 7)],
    [[[3, 1, 2]], [[1, 2]], [[2, 1]], [[5]], [[4, 3, 2, 1]], [[1, 4, 2, 3]]],
)
def pancake_flips(stack: list[int]) -> list[int]:
    """A stack of pancakes is sorted so: the greatest that is not at its place comes to the top, then to its place.

    For each, from the greatest down: if it is at its place already (the greatest at the bottom, the end of the list),
    do nothing; else, if it is not on top (the front), flip the pancakes from the top down to it; then flip from the
    top down to its place. Return the sizes of all flips in order. There are 1 to 500 different integers.
    """
    pile, flips = list(stack), []
    for size in range(len(pile), 1, -1):
        at = pile.index(max(pile[:size])) + 1
        if at == size:
            continue
        for flip in (at, size):
            if flip > 1:
                pile[:flip] = pile[:flip][::-1]
                flips.append(flip)
    return flips


@problem(
    "medium",
    lambda rng: [words(rng, 2, 6, "abc", 4), "".join(rng.sample("abc", 3))],
    [[["ab", "ba", "b"], "ba"], [["x"], "x"], [["cab", "abc", "bca", "ca"], "cab"], [["aa", "a"], "a"]],
)
def foreign_dictionary(words: list[str], alphabet: str) -> list[str]:
    """Sort words as a dictionary does, but in the order of the letters of another alphabet.

    `alphabet` has each letter once and every letter of the words. A word stands before longer ones that begin with it.
    There are 1 to 1000 words of 1 to 20 lower-case letters.
    """
    return sorted(words, key=lambda word: [alphabet.index(letter) for letter in word])


@problem(
    "medium", lambda rng: [integers(rng, 0, 130, 2, 7)], [[[3, 30, 34]], [[0, 0]], [[9]], [[12, 121]], [[5, 56, 565]]]
)
def greatest_joined(parts: list[int]) -> str:
    """Write the integers one after the other, in the order that makes the greatest number, and return its digits.

    Zeros in front are left out, but for the number 0, which is "0". There are 1 to 500 integers between 0 and 10**9.
    """
    from functools import cmp_to_key

    def compare(a: str, b: str) -> int:
        return (a + b < b + a) - (a + b > b + a)

    return "".join(sorted(map(str, parts), key=cmp_to_key(compare))).lstrip("0") or "0"


@problem(
    "medium",
    lambda rng: [integers(rng, 0, 9, 2, 10)],
    [[[4, 0, 6, 5, 2]], [[0, 0]], [[10]], [[1, 1, 1]], [[3, 3, 3, 3]]],
)
def prolific(counts: list[int]) -> int:
    """Return the greatest k such that at least k of the numbers are k or more.

    There are 1 to 10**4 integers between 0 and 10**9.
    """
    return sum(count >= rank for rank, count in enumerate(sorted(counts, reverse=True), 1))


@problem(
    "hard",
    lambda rng: lines(
        [rng.randint(3, 25), rng.randint(0, 99), rng.randint(1, 99), rng.randint(0, 99), rng.randint(9, 99)]
    ),
    ["4 3 3 1 7\n", "1 0 0 0 2\n", "5 9 1 9 10\n", "3 1 1 0 5\n", "6 0 1 1 50\n"],
    large=lambda rng: lines([25_000, rng.randint(0, 10**6), 1_103_515_245, 12_345, 2**31]),
    style="stdio",
)
def overtakings(text: str) -> str:
    """Print how many pairs of a sequence stand in the wrong order: the earlier number is greater than the later one.

    The only line has n, t, a, c and m. The sequence has n numbers: the first is t % m, and each further one is
    (a * x + c) % m, where x is the one before it. 1 <= n <= 10**5, 0 <= t, a, c < 2**31 and 2 <= m <= 2**31. Looking at
    each pair takes too long.
    """

    def count(numbers: list[int]) -> tuple[int, list[int]]:
        if len(numbers) < 2:
            return 0, numbers
        half = len(numbers) // 2
        (before, left), (behind, right) = count(numbers[:half]), count(numbers[half:])
        total, merged, i = before + behind, [], 0
        for number in right:
            while i < len(left) and left[i] <= number:
                merged.append(left[i])
                i += 1
            total += len(left) - i
            merged.append(number)
        return total, merged + left[i:]

    n, term, a, c, m = map(int, text.split())
    numbers = [term % m]
    while len(numbers) < n:
        numbers.append((a * numbers[-1] + c) % m)
    return str(count(numbers)[0])


@problem(
    "hard",
    lambda rng: [integers(rng, 1, 12, 2, 10)],
    [[[4, 1, 2, 3]], [[1, 2, 2, 3]], [[3, 2, 1]], [[8]], [[2, 1, 2, 1]]],
    large=lambda rng: [[i * 6007 % 3989 for i in range(3300)]],
)
def books_to_move(volumes: list[int]) -> int:
    """Books are sorted by taking one out and putting it back at any place. Return the least number of such moves.

    In the end no number may be less than the one before it; equal numbers may stand in any order. There are 1 to 10**5
    integers.
    """
    from bisect import bisect_right

    ends: list[int] = []
    for volume in volumes:
        at = bisect_right(ends, volume)
        ends[at : at + 1] = [volume]
    return len(volumes) - len(ends)


@problem(
    "hard",
    lambda rng: [spans(rng, 1, 15, 2, 9)],
    [
        [[[3, 5], [1, 4], [4, 6]]],
        [[[2, 9]]],
        [[[1, 5], [1, 6]]],
        [[[5, 6], [4, 7], [3, 8]]],
        [[[1, 2], [2, 3], [2, 3]]],
    ],
    large=lambda rng: [[[rng.randint(1, 10**4), rng.randint(1, 10**4)] for _ in range(1200)]],
)
def nested_boxes(boxes: list[list[int]]) -> int:
    """Return how many boxes at most can stand one inside the other, each of them in the next.

    A box is [width, depth]; it goes into another if both its sides are less than those of the other, without turning
    it. There are 1 to 10**5 boxes with sides between 1 and 10**6.
    """
    from bisect import bisect_left

    ends: list[int] = []
    for _, depth in sorted(boxes, key=lambda box: (box[0], -box[1])):
        at = bisect_left(ends, depth)
        ends[at : at + 1] = [depth]
    return len(ends)


@problem(
    "hard",
    lambda rng: [word(rng, "ab" if rng.random() < 0.4 else "abcd", 3, 9)],
    [["baa"], ["abc"], ["zz"], ["cba"], ["dcba"], ["bab"]],
    large=lambda rng: [word(rng, "abcdefghijklmnopqrstuvwxyz", 60, 60)],
)
def rank_of_word(letters: str) -> int:
    """All different words that can be made of exactly the letters of a word are sorted. Return its rank, from 1.

    So of aab, aba and baa the last has rank 3. The word has 1 to 200 lower-case letters; the answer can be huge.
    """
    from math import factorial

    counts = {letter: letters.count(letter) for letter in letters}
    ways = factorial(len(letters))
    for count in counts.values():
        ways //= factorial(count)
    rank = 1
    for left, letter in zip(range(len(letters), 0, -1), letters, strict=True):
        rank += sum(ways * count // left for other, count in counts.items() if other < letter)
        ways = ways * counts[letter] // left
        counts[letter] -= 1
    return rank
