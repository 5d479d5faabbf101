"""Random inputs for the problems' tests."""

from random import Random
from string import ascii_lowercase


def integers(rng: Random, low: int, high: int, least: int = 1, most: int = 12) -> list[int]:
    """Return `least` to `most` integers between `low` and `high`, both included."""
    return [rng.randint(low, high) for _ in range(rng.randint(least, most))]


def word(rng: Random, letters: str = ascii_lowercase, least: int = 1, most: int = 8) -> str:
    """Return a string of `least` to `most` of the letters."""
    return "".join(rng.choices(letters, k=rng.randint(least, most)))


def words(rng: Random, least: int, most: int, letters: str = ascii_lowercase, longest: int = 8) -> list[str]:
    """Return `least` to `most` words of up to `longest` letters."""
    return [word(rng, letters, 1, longest) for _ in range(rng.randint(least, most))]


def distinct(rng: Random, low: int, high: int, least: int = 1, most: int = 12) -> list[int]:
    """Return `least` to `most` different integers in no order."""
    return rng.sample(range(low, high + 1), rng.randint(least, most))


def span(rng: Random, low: int, high: int) -> list[int]:
    """Return two different integers, the lower one first."""
    return sorted(rng.sample(range(low, high + 1), 2))


def spans(rng: Random, low: int, high: int, least: int = 1, most: int = 8, longest: int = 0) -> list[list[int]]:
    """Return `least` to `most` pairs of a start and a later end; none longer than `longest`, if that is given."""
    pairs = [span(rng, low, high) for _ in range(rng.randint(least, most))]
    return [[start, min(end, start + rng.randint(1, longest))] if longest else [start, end] for start, end in pairs]


def grid(rng: Random, letters: str, least: int = 1, most: int = 6) -> list[str]:
    """Return rows of equal length, both sizes between `least` and `most`."""
    columns = rng.randint(least, most)
    return ["".join(rng.choices(letters, k=columns)) for _ in range(rng.randint(least, most))]


def matrix(rng: Random, low: int, high: int, least: int = 1, most: int = 5) -> list[list[int]]:
    """Return rows of integers of equal length, both sizes between `least` and `most`."""
    columns = rng.randint(least, most)
    return [integers(rng, low, high, columns, columns) for _ in range(rng.randint(least, most))]


def points(rng: Random, low: int, high: int, least: int = 1, most: int = 10) -> list[list[int]]:
    """Return `least` to `most` different points of the plane."""
    count, found = rng.randint(least, most), set[tuple[int, int]]()
    while len(found) < count:
        found.add((rng.randint(low, high), rng.randint(low, high)))
    return [list(point) for point in rng.sample(sorted(found), count)]


def edges(rng: Random, size: int, count: int, longest: int = 0) -> list[list[int]]:
    """Return up to `count` different pairs of different nodes 0 to size - 1, with lengths up to `longest` if given."""
    pairs = sorted({tuple(sorted(rng.sample(range(size), 2))) for _ in range(count)}) if size > 1 else []
    return [
        [*rng.sample(pair, 2), *([rng.randint(1, longest)] if longest else [])]
        for pair in rng.sample(pairs, len(pairs))
    ]


def tree(rng: Random, size: int, longest: int = 0) -> list[list[int]]:
    """Return the edges of a tree on the nodes 0 to size - 1, with lengths up to `longest` if given."""
    names = rng.sample(range(size), size)
    pairs = [rng.sample((names[node], names[rng.randrange(node)]), 2) for node in range(1, size)]
    return [[*pair, *([rng.randint(1, longest)] if longest else [])] for pair in rng.sample(pairs, len(pairs))]


def lines(*rows: object) -> str:
    """Return a text of one line for each row; the values of a list are parted by spaces."""
    return "".join(" ".join(map(str, row)) + "\n" if isinstance(row, list) else f"{row}\n" for row in rows)
