"""Texts, words and dictionaries."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, word, words
from agent_rl.envs.code.problems.making import problem


def _sentence(rng: Random, least: int, most: int) -> str:
    return " ".join(words(rng, least, most, "aeilnorst", 7))


@problem(
    "easy",
    lambda rng: _sentence(rng, 2, 7) + "\n",
    ["the quick silver tongue\n", "a\n", "be  or   not to be\n", "north east south\n"],
    style="stdio",
)
def ends_of_words(text: str) -> str:
    """Print two words: the first letters of all words of a line put together, and their last letters.

    The only line has 1 to 100 words of lower-case letters, parted by one or more spaces. Put one space between the two.
    """
    words = text.split()
    return "".join(word[0] for word in words) + " " + "".join(word[-1] for word in words)


@problem(
    "easy",
    lambda rng: [words(rng, 2, 7, "aeioubdt", 6)],
    [[["sky", "ocean", "audio"]], [["queue", "adieu"]], [["rhythm"]], [["be", "or"]], [["aa", "eeb", "oooo", "b"]]],
)
def most_vowels(words: list[str]) -> str:
    """Return the word with the most vowels (a, e, i, o, u, each as often as it stands there); of several the first.

    There are 1 to 100 words of lower-case letters.
    """
    return max(words, key=lambda word: sum(letter in "aeiou" for letter in word))


@problem(
    "easy",
    lambda rng: [words(rng, 2, 7, "abc", 5)],
    [[["bread", "milk", "salad", "tea"]], [["one", "one"]], [["x"]], [["ab", "cb", "a", "b"]]],
)
def by_last_letter(words: list[str]) -> list[str]:
    """Return the words in the alphabetical order of their last letters; words with the same one stay in their order.

    There are 1 to 100 words of lower-case letters.
    """
    return sorted(words, key=lambda word: word[-1])


@problem(
    "medium",
    lambda rng: lines(rng.randint(7, 18), _sentence(rng, 3, 14)),
    ["10\nthe cat sat on the mat\n", "5\nhello you\n", "8\na\n", "7\nabc def ghi jk\n", "3\na b c d e\n"],
    style="stdio",
)
def right_margin(text: str) -> str:
    """Break a text into lines and set them at the right margin.

    The first line has the width, 1 to 80; the second 1 to 200 words parted by single spaces, none longer than the
    width. Put as many words into each line as go in with single spaces between them, then go on in the next. Fill each
    line up to the width with `.` in front of its first word.
    """
    width, words = int(text.split()[0]), text.split()[1:]
    rows = [""]
    for item in words:
        if not rows[-1]:
            rows[-1] = item
        elif len(rows[-1]) + 1 + len(item) <= width:
            rows[-1] += " " + item
        else:
            rows.append(item)
    return "\n".join(row.rjust(width, ".") for row in rows)


@problem(
    "medium",
    lambda rng: [words(rng, 3, 10, "abc", 3)],
    [[["tea", "eat", "ate", "tan", "ant", "top"]], [["a", "b"]], [["x"]], [["ab", "ba", "ab"]], [["z", "a", "yy"]]],
)
def letter_families(words: list[str]) -> list[list[str]]:
    """Put the words that have the same letters, each equally often, into one family.

    Return the families, each in alphabetical order without doubles; the largest come first, equally large ones in the
    order of their first words. There are 1 to 1000 words of lower-case letters.
    """
    families: dict[str, set[str]] = {}
    for member in words:
        families.setdefault("".join(sorted(member)), set()).add(member)
    return sorted((sorted(family) for family in families.values()), key=lambda family: (-len(family), family))


@problem(
    "medium",
    lambda rng: [words(rng, 2, 8, "abc", 4), word(rng, "abc", 1, 5)],
    [
        [["north", "no", "nose", "east"], "no"],
        [["a", "ab"], "b"],
        [["abc"], "abcd"],
        [["x", "x"], "x"],
        [["abc", "abd"], "abe"],
    ],
)
def best_prefix(words: list[str], typed: str) -> list[str]:
    """Return the words that share the longest beginning with what was typed.

    The shared beginning must have at least one letter; if no word has one, return an empty list. The words keep their
    order, and a word that is there twice is returned twice. There are 1 to 1000 words of lower-case letters.
    """
    shared = [max(size for size in range(len(typed) + 1) if word.startswith(typed[:size])) for word in words]
    most = max(shared)
    return [word for word, size in zip(words, shared, strict=True) if size == most > 0]


@problem(
    "medium",
    lambda rng: " ".join(words(rng, 5, 14, "ab", 2)).replace("a b", "A, b").replace("aa", "A-a") + ".\n",
    ["The dog, the cat and THE cow.\n", "Aha!\n", "no no yes yes\n", "It's its it\n", "a b a b c\n"],
    style="stdio",
)
def favourite_words(text: str) -> str:
    """Print the most frequent words of a text and how often they stand there, such as `the 3`.

    A word is a longest run of letters; all other characters part words, and upper and lower case do not differ. Print
    the three most frequent words, or fewer if there are not so many, in lower case, each in a line with its number;
    equally frequent ones in alphabetical order. The only line has at most 1000 ASCII characters, a letter among them.
    """
    import re
    from collections import Counter

    counts = Counter(re.findall("[a-z]+", text.lower()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"{word} {count}" for word, count in ranked[:3])


def _dictionary(rng: Random, text: str) -> list[str]:
    cuts = sorted(rng.sample(range(len(text) + 1), min(4, len(text) + 1)))
    pieces = {text[a:b] for a in cuts for b in cuts if a < b <= a + 5}
    return sorted(pieces | {word(rng, "ab", 1, 2) for _ in range(3)})


@problem(
    "hard",
    lambda rng: [(text := word(rng, "ab", 3, 10)), _dictionary(rng, text)],
    [
        ["catsanddogs", ["cat", "cats", "and", "sand", "dogs"]],
        ["abc", ["ab", "bc"]],
        ["aaa", ["a"]],
        ["a", ["b"]],
        ["abab", ["ab", "abab", "a", "b"]],
    ],
    large=lambda rng: ["a" * 400, ["a", "aa", "aaa", "aaaaa"]],
)
def ways_to_space(text: str, words: list[str]) -> int:
    """Return in how many ways spaces can be put into `text` so that only the given words are left; none is a way too.

    `text` has 1 to 500 lower-case letters; there are 1 to 50 different words. Words may be used again and again. The
    answer can have hundreds of digits.
    """
    ways = [1]
    for end in range(1, len(text) + 1):
        ways.append(sum(ways[end - len(word)] for word in words if text[:end].endswith(word)))
    return ways[-1]


def _ladder(rng: Random) -> str:
    found = {word(rng, "abc", 3, 3) for _ in range(rng.randint(5, 14))}
    start, goal = rng.sample(sorted(found | {"abc", "cab"}), 2)
    return lines([start, goal], sorted(found))


@problem(
    "hard",
    _ladder,
    ["cold warm\ncord word ward warm card\n", "cat dog\ncot cog\n", "aa aa\naa\n", "ab cd\nad cb cd\n"],
    style="stdio",
)
def letter_steps(text: str) -> str:
    """Print the least number of steps from one word to another, where a step changes one letter.

    The first line has the two words, the second the words that may be stepped on, 1 to 1000 of them; all words have the
    same length, at most 10 lower-case letters. The first word need not be among them, the goal must be: else, and if
    there is no way, print -1. From a word to itself it takes 0 steps, if it is among them.
    """
    head, tail = text.splitlines()
    start, goal = head.split()
    free = set(tail.split())
    if goal not in free:
        return "-1"
    steps, reached = 0, {start}
    while reached and goal not in reached:
        free -= reached
        near = {w[:i] + c + w[i + 1 :] for w in reached for i in range(len(w)) for c in "abcdefghijklmnopqrstuvwxyz"}
        reached, steps = near & free, steps + 1
    return str(steps) if reached else "-1"


def _sorted_by(rng: Random) -> list[str]:
    alphabet = "".join(rng.sample("abcde", 5))
    found = {word(rng, "abcde", 1, 3) for _ in range(rng.randint(3, 9))}
    ranked = sorted(found, key=lambda w: [alphabet.index(letter) for letter in w])
    return ranked if rng.random() < 0.8 else ranked[::-1]


@problem(
    "hard",
    lambda rng: [_sorted_by(rng)],
    [[["ba", "bc", "ac", "cab"]], [["abc", "ab"]], [["z", "x", "z"]], [["q"]], [["c", "b", "a"]]],
)
def lost_alphabet(words: list[str]) -> str:
    """Words are sorted by an alphabet that was lost. Return an order of all letters in them by which they are sorted.

    As in a dictionary, a word stands before longer words that begin with it; equal words may only stand side by side.
    If several orders are possible, return the one that comes first in the common alphabetical order; if none is, return
    an empty string. There are 1 to 500 words of 1 to 20 lower-case letters.
    """
    import heapq
    from itertools import pairwise

    after: dict[str, set[str]] = {letter: set() for word in words for letter in word}
    before = dict.fromkeys(after, 0)
    for one, other in pairwise(words):
        for a, b in zip(one, other, strict=False):
            if a != b:
                before[b] += b not in after[a]
                after[a].add(b)
                break
        else:
            if len(one) > len(other):
                return ""
    ready = [letter for letter, count in before.items() if not count]
    heapq.heapify(ready)
    order = ""
    while ready:
        order += heapq.heappop(ready)
        for letter in after[order[-1]]:
            before[letter] -= 1
            if not before[letter]:
                heapq.heappush(ready, letter)
    return order if len(order) == len(after) else ""
