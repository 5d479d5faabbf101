"""Letters in a row."""

from random import Random

from agent_rl.envs.code.problems.drawing import word, words
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [word(rng, "abb", 4, 20), rng.randint(1, 3)],
    [["aaabccd", 2], ["mississippi", 1], ["", 1], ["zzzz", 4], ["aabbaa", 1]],
)
def trim_runs(text: str, longest: int) -> str:
    """Shorten every run of equal letters that is longer than `longest` to that length.

    `text` has up to 1000 lower-case letters; 1 <= longest <= 1000.
    """
    kept = ""
    for letter in text:
        if not kept.endswith(letter * longest):
            kept += letter
    return kept


def _alternating(rng: Random) -> str:
    size, first = rng.randint(2, 9), rng.random() < 0.5
    text = "".join(rng.choice("aeiou" if (i % 2 == 0) == first else "bcdlmnrst") for i in range(size))
    return text if rng.random() < 0.6 else text[: size // 2] + rng.choice("aeb") + text[size // 2 :]


@problem("easy", lambda rng: [_alternating(rng)], [["banana"], ["bread"], ["a"], ["io"], ["oasis"]])
def seesaw(word: str) -> bool:
    """Return whether vowels (a, e, i, o, u) and other letters alternate in a word of 1 to 100 lower-case letters."""
    from itertools import pairwise

    return all((a in "aeiou") != (b in "aeiou") for a, b in pairwise(word))


@problem(
    "easy",
    lambda rng: " ".join(words(rng, 1, 4)).title() + "\n",
    ["Abc xyz\n", "zzzz\n", "Hello, World!\n", "a-z a-z\n", "42\n"],
    style="stdio",
)
def growing_shift(text: str) -> str:
    """Encrypt a line: move its first letter one place on in the alphabet, its second letter two places, and so on.

    After z comes a again; capital letters stay capital. Everything but the letters a to z and A to Z stays as it is and
    is not counted. The only line has 1 to 1000 ASCII characters.
    """
    shown, count = "", 0
    for letter in text.rstrip("\n"):
        if letter.isalpha():
            count += 1
            first = ord("a") if letter.islower() else ord("A")
            letter = chr((ord(letter) - first + count) % 26 + first)
        shown += letter
    return shown


def _rhyming(rng: Random) -> list[str]:
    ending = word(rng, "inge", 0, 4)
    return [word(rng, "aeinrst", 1, 3) + ending for _ in range(rng.randint(1, 4))]


@problem(
    "easy",
    lambda rng: [_rhyming(rng)],
    [[["singing", "ringing", "king"]], [["cat", "dog"]], [["solo"]], [["no", "piano", "no"]]],
)
def common_ending(words: list[str]) -> str:
    """Return the longest string with which all of the words end; it may be empty.

    There are 1 to 100 words, each of 1 to 100 lower-case letters.
    """
    ending = words[0]
    while not all(word.endswith(ending) for word in words):
        ending = ending[1:]
    return ending


@problem(
    "medium",
    lambda rng: [word(rng, "ab", 1, 4) * rng.randint(1, 4) + rng.choice(["", "a", "b"])],
    [["abcabcab"], ["abcd"], ["x"], ["aaaa"], ["abaab"]],
)
def shortest_stamp(text: str) -> int:
    """Return the least p >= 1 such that text[i] == text[i + p] wherever both exist.

    In other words: the length of the shortest string that, written again and again, begins with `text`. `text` has 1 to
    5000 lower-case letters.
    """
    border = [0]
    for letter in text[1:]:
        size = border[-1]
        while size and text[size] != letter:
            size = border[size - 1]
        border.append(size + (text[size] == letter))
    return len(text) - border[-1]


@problem(
    "medium",
    lambda rng: [word(rng, "abc", 4, 24), word(rng, "aabc", 1, 3)],
    [["cbabadcbba", "abc"], ["aaaa", "aa"], ["ab", "abc"], ["xyz", "w"], ["abab", "ba"]],
    large=lambda rng: [word(rng, "ab", 9000, 9000), word(rng, "ab", 4000, 4000)],
)
def scrambled_hits(text: str, pattern: str) -> int:
    """Return at how many places of `text` the letters of `pattern` stand together, in whatever order.

    Places may overlap: in "aaaa" there are three for "aa". Both have 1 to 10**4 lower-case letters; `pattern` may be
    longer than `text`.
    """
    from collections import Counter

    lacking = Counter(pattern)
    hits = 0
    for i, letter in enumerate(text):
        lacking[letter] -= 1
        if i >= len(pattern):
            lacking[text[i - len(pattern)]] += 1
        if i >= len(pattern) - 1:
            hits += not any(lacking.values())
    return hits


@problem("medium", lambda rng: [word(rng, "aaabcd", 3, 18)], [["abcabbac"], ["aabbb"], ["z"], ["abcd"], ["aaabaaac"]])
def tightest_sample(text: str) -> str:
    """Return the shortest part of `text` without gaps that has every letter that `text` has; of several the first.

    `text` has 1 to 10**4 lower-case letters.
    """
    kinds = len(set(text))
    counts: dict[str, int] = {}
    best, start = text, 0
    for end, letter in enumerate(text, 1):
        counts[letter] = counts.get(letter, 0) + 1
        while len(counts) == kinds:
            if end - start < len(best):
                best = text[start:end]
            counts[text[start]] -= 1
            if not counts[text[start]]:
                del counts[text[start]]
            start += 1
    return best


@problem(
    "medium",
    lambda rng: [word(rng, "ab", 1, 3) * rng.randint(1, 3) + word(rng, "ab", 0, 2)],
    [["abab"], ["abc"], ["a"], ["aaaaaa"], ["abaabaaba"]],
)
def different_turns(text: str) -> int:
    """Return how many different strings arise when letters are moved from the front of `text` to its end, one by one.

    `text` itself counts. It has 1 to 2000 lower-case letters.
    """
    return (text + text).find(text, 1)


@problem(
    "hard",
    lambda rng: [word(rng, "ab" if rng.random() < 0.5 else "abcd", 2, 14)],
    [["abab"], ["aaa"], ["z"], ["abcdef"]],
    large=lambda rng: [word(rng, "ab", 3000, 3000)],
)
def distinct_parts(text: str) -> int:
    """Return how many different non-empty strings stand in `text` without gaps.

    `text` has 1 to 5000 lower-case letters; writing all the parts down takes more memory than there is.
    """
    links, lengths = [-1], [0]
    moves: list[dict[str, int]] = [{}]
    last = 0
    for letter in text:
        new = len(moves)
        moves.append({})
        lengths.append(lengths[last] + 1)
        links.append(0)
        state, last = last, new
        while state >= 0 and letter not in moves[state]:
            moves[state][letter] = new
            state = links[state]
        if state < 0:
            continue
        target = moves[state][letter]
        if lengths[target] > lengths[state] + 1:
            copied = len(moves)
            moves.append(dict(moves[target]))
            lengths.append(lengths[state] + 1)
            links.append(links[target])
            links[target] = copied
            while state >= 0 and moves[state].get(letter) == target:
                moves[state][letter] = copied
                state = links[state]
            target = copied
        links[new] = target
    return sum(lengths[state] - lengths[links[state]] for state in range(1, len(moves)))


@problem(
    "hard",
    lambda rng: [word(rng, "ab", 1, 3) + word(rng, "abc", 0, 4) + word(rng, "ab", 2, 6)],
    [["noonabba"], ["abc"], ["a"], ["aabaa"], ["abacdcaa"]],
    large=lambda rng: [word(rng, "ab", 300, 300)],
)
def mirror_pieces(text: str) -> int:
    """Return the least number of pieces into which `text` can be cut so that each reads the same from both sides.

    `text` has 1 to 300 lower-case letters.
    """
    size = len(text)
    fewest = list(range(size + 1))
    for middle in range(2 * size - 1):
        low, high = middle // 2, (middle + 1) // 2
        while low >= 0 and high < size and text[low] == text[high]:
            fewest[high + 1] = min(fewest[high + 1], fewest[low] + 1)
            low, high = low - 1, high + 1
    return fewest[size]


def _masked(rng: Random) -> str:
    name = word(rng, "ab", 2, 8)
    mask = "".join(rng.choices(["?", "*", letter, letter, letter, ""])[0] for letter in name)
    return f"{rng.choice(['', '*', 'a'])}{mask or '?'}\n{name}\n"


@problem(
    "hard",
    _masked,
    ["a*c?\nabbcd\n", "a*c?\nabbc\n", "*\nx\n", "??\na\n", "a*b*c\nabcbc\n"],
    large=lambda rng: "a*" * 40 + "b\n" + "a" * 300 + "\n",
    style="stdio",
)
def mask_fits(text: str) -> str:
    """Print `yes` if a mask fits a name as a whole, else `no`.

    The first line has the mask, the second the name, each 1 to 300 characters long. The name has lower-case letters
    only. In the mask `?` stands for any one letter, `*` for any number of letters, none included, and a lower-case
    letter for itself.
    """
    mask, name = text.splitlines()
    reach = {0}
    for sign in mask:
        if sign == "*":
            reach = set(range(min(reach, default=len(name) + 1), len(name) + 1))
        else:
            reach = {at + 1 for at in reach if at < len(name) and sign in ("?", name[at])}
    return "yes" if len(name) in reach else "no"
