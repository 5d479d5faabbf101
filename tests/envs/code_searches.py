"""Answers of hard problems, found again by short programs that try everything: a reference can be wrong, too."""

import math
import re
from collections.abc import Callable
from functools import cache
from itertools import combinations, pairwise, permutations, product
from typing import Any

SEARCHES: dict[str, Callable[..., Any]] = {}
"""A search by the problem's id. It gets a test's arguments, or its text, and returns None where it would take long."""


def search(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda function: SEARCHES.setdefault(name, function)


def ints(text: str) -> list[list[int]]:
    return [[int(part) for part in line.split()] for line in text.splitlines()]


def subsets(items: list[Any]) -> list[tuple[Any, ...]]:
    return [chosen for size in range(len(items) + 1) for chosen in combinations(items, size)]


def sequence(n: int, first: int, a: int, c: int, m: int) -> list[int]:
    terms = [first % m]
    while len(terms) < n:
        terms.append((a * terms[-1] + c) % m)
    return terms


def slices(items: Any) -> list[Any]:
    return [items[i:j] for i in range(len(items)) for j in range(i + 1, len(items) + 1)]


search("numbers/tower_remainder")(lambda a, b, c, m: pow(a, b**c, m) if b**c < 10**9 else None)
search("numbers/coprime_count")(lambda n, k: sum(math.gcd(i, k) == 1 for i in range(1, n + 1)))
search("numbers/sum_of_floors")(lambda n, m, a, b: sum((a * i + b) // m for i in range(n)))
search("digits/no_twins")(
    lambda a, b: sum(all(x != y for x, y in zip(str(n), str(n)[1:], strict=False)) for n in range(a, b + 1))
)
search("strings/distinct_parts")(lambda text: len(set(slices(text))))
search("lists/shortest_rich_slice")(lambda n, s: min((len(part) for part in slices(n) if sum(part) >= s), default=0))
search("lists/kth_distance")(lambda places, k: sorted(abs(a - b) for a, b in combinations(places, 2))[k - 1])
search("sorting/rank_of_word")(lambda w: sorted(set(permutations(w))).index(tuple(w)) + 1 if len(w) < 8 else None)
search("bits/ones_in_range")(lambda bounds: sum(n.bit_count() for n in range(bounds[0], bounds[1] + 1)))
search("bits/most_different_pair")(lambda text: str(max(a ^ b for a, b in combinations(ints(text)[0], 2))))
search("counting/fruit_baskets")(lambda limits, n: sum(sum(c) == n for c in product(*[range(m + 1) for m in limits])))
search("tables/running_median")(
    lambda text: " ".join(
        str(sorted(n[:i])[(i - 1) // 2] + sorted(n[:i])[i // 2]) for n in ints(text) for i in range(1, len(n) + 1)
    )
)


@search("numbers/lamps_together")
def _lamps(text: str) -> str:
    lamps = ints(text)[1:]
    hits = (t for t in range(math.lcm(*[p for p, _ in lamps])) if all(t % p == r for p, r in lamps))
    return str(next(hits, "never"))


@search("digits/kth_with_digit_sum")
def _kth_sum(total: int, k: int) -> int | None:
    found = [n for n in range(1, 30_000) if sum(map(int, str(n))) == total]
    return found[k - 1] if k <= len(found) else None


@search("digits/multiple_from_digits")
def _multiple(text: str) -> str | None:
    (k,), digits = ints(text)
    return next((str(n) for n in range(k, 10**5, k) if {int(d) for d in str(n)} <= set(digits)), None)


@search("strings/mirror_pieces")
def _pieces(text: str) -> int:
    if not text:
        return 0
    return 1 + min(_pieces(text[i:]) for i in range(1, len(text) + 1) if text[:i] == text[:i][::-1])


@search("strings/mask_fits")
def _mask(text: str) -> str:
    import re

    mask, name = text.split()
    return "yes" if re.fullmatch(mask.replace("?", ".").replace("*", ".*"), name) else "no"


@search("words/ways_to_space")
def _spaces(text: str, words: list[str]) -> int:
    return sum(_spaces(text[len(w) :], words) for w in words if text.startswith(w)) if text else 1


@search("words/lost_alphabet")
def _alphabet(words: list[str]) -> str:
    for order in permutations(sorted(set("".join(words)))):
        ranked = [[order.index(letter) for letter in word] for word in words]
        if ranked == sorted(ranked):
            return "".join(order)
    return ""


@search("words/letter_steps")
def _steps(text: str) -> str:
    (start, goal), words = (line.split() for line in text.splitlines())
    steps = {start: 0} if goal in words else {}
    for _ in words:
        for word in words:
            near = [steps[w] + 1 for w in steps if sum(a != b for a, b in zip(w, word, strict=True)) == 1]
            steps |= {word: min([*near, steps.get(word, 10**6)])} if near else {}
    return str(steps.get(goal, -1))


@search("lists/largest_poster")
def _poster(text: str) -> str:
    return str(max(min(part) * len(part) for part in slices(ints(text)[1])))


@search("lists/longest_climb")
def _climb(n: int, first: int, a: int, c: int, m: int) -> int:
    terms, best = sequence(n, first, a, c, m), list[int]()
    for i, term in enumerate(terms):
        best.append(1 + max((best[j] for j in range(i) if terms[j] < term), default=0))
    return max(best)


@search("sorting/overtakings")
def _overtakings(text: str) -> str:
    return str(sum(a > b for a, b in combinations(sequence(*ints(text)[0]), 2)))


@search("sorting/books_to_move")
def _books(volumes: list[int]) -> int:
    return len(volumes) - max(len(kept) for kept in subsets(volumes) if list(kept) == sorted(kept))


@search("sorting/nested_boxes")
def _boxes(boxes: list[list[int]]) -> int:
    @cache
    def inside(width: int, depth: int) -> int:
        return 1 + max((inside(a, b) for a, b in boxes if a < width and b < depth), default=0)

    return max(inside(*box) for box in boxes)


@search("planning/pour_together")
def _pour(jars: list[int]) -> int:
    rest = [[*jars[:i], jars[i] + jars[i + 1], *jars[i + 2 :]] for i in range(len(jars) - 1)]
    return (
        min((sum(jars[i : i + 2]) + _pour(after) for i, after in enumerate(rest)), default=0) if len(jars) < 8 else None
    )


@search("planning/lead_of_first")
def _lead(coins: list[int]) -> int:
    takes = [(coins[:k], coins[k:]) for k in (1, 2)] + [(coins[-k:], coins[:-k]) for k in (1, 2)]
    return (
        max((sum(taken) - _lead(rest) for taken, rest in takes if len(coins) > 1 or len(rest) < 1), default=0)
        if coins
        else 0
    )


@search("planning/brick_patterns")
def _bricks(text: str) -> str | None:
    ((n, m),) = ints(text)

    def ways(a: int, b: int) -> int:
        """Return the ways to go on when the rows are covered up to a and b."""
        if max(a, b) > n:
            return 0
        if a == b == n:
            return 1
        if a != b:
            return ways(a + 2, b) if a < b else ways(a, b + 2)
        return ways(a + 1, b + 1) + ways(a + 2, b) + ways(a + 2, b + 2)

    return str(ways(0, 0) % m) if n < 14 else None


@search("planning/moving_salesman")
def _salesman(profits: list[list[int]], move: int) -> int:
    days = len(profits[0])
    ways = product(range(len(profits)), repeat=days)
    return max(sum(profits[c][d] - move * (d > 0 and way[d - 1] != c) for d, c in enumerate(way)) for way in ways)


@search("planning/repair_cost")
def _repair(wrong: str, right: str, gap: int, change: int, swap: int) -> int:
    @cache
    def cost(i: int, j: int) -> int:
        if i == len(wrong) or j == len(right):
            return (len(wrong) - i + len(right) - j) * gap
        ways = [cost(i + 1, j) + gap, cost(i, j + 1) + gap, cost(i + 1, j + 1) + change * (wrong[i] != right[j])]
        if j + 1 < len(right) and wrong[i : i + 2] == right[j + 1] + right[j]:
            ways.append(cost(i + 2, j + 2) + swap)
        return min(ways)

    return cost(0, 0)


class _Whole(int):
    """An integer whose sum, difference, product and quotient are such integers; `/` rounds towards zero."""

    def __truediv__(self, by: int) -> "_Whole":
        return _Whole(abs(self) // abs(by) * (1 if (self < 0) == (by < 0) else -1))

    def __add__(self, other: int) -> "_Whole":
        return _Whole(int(self) + int(other))

    def __sub__(self, other: int) -> "_Whole":
        return _Whole(int(self) - int(other))

    def __mul__(self, other: int) -> "_Whole":
        return _Whole(int(self) * int(other))

    def __neg__(self) -> "_Whole":
        return _Whole(-int(self))


@search("languages/evaluate")
def _evaluate(text: str) -> str:
    try:
        return str(int(eval(re.sub(r"(\d+)", r"W(\1)", text), {"W": _Whole})))
    except ZeroDivisionError:
        return "error"


@search("languages/true_rows")
def _rows(formula: str) -> int:
    names = sorted({sign for sign in formula if sign.isalpha()})
    rows = product((0, 1), repeat=len(names))
    return sum(eval(formula.replace("!", "~"), dict(zip(names, row, strict=True))) & 1 for row in rows)


@search("languages/macro_length")
def _macros(text: str) -> str:
    first, *rest = text.splitlines()
    bodies = {line[0]: line[2:] for line in rest}
    for _ in range(40):
        first = re.sub("<(.)>", lambda call: bodies.get(call[1], "?"), first)[: 10**5]
    return "cycle" if "<" in first else "unknown" if "?" in first else str(len(first))


@search("simulation/last_in_circle")
def _circle(n: int, k: int) -> int:
    people = list(range(1, n + 1))
    while len(people) > 1:
        turn = (k - 1) % len(people)
        people = people[turn + 1 :] + people[:turn]
    return people[0]


@search("simulation/light_ring")
def _ring(rule: int, lamps: str, steps: int) -> str:
    for _ in range(steps):
        lamps = "".join(
            str(rule >> int(lamps[i - 1] + lamps[i] + (lamps + lamps)[i + 1], 2) & 1) for i in range(len(lamps))
        )
    return lamps


@search("simulation/shortest_rest_first")
def _machine(text: str) -> str:
    jobs = ints(text)
    left, done, now = [work for _, work in jobs], [0] * len(jobs), 0
    while any(left):
        here = [(rest, i) for i, rest in enumerate(left) if rest and jobs[i][0] <= now]
        now += 1
        if here:
            left[min(here)[1]] -= 1
            done[min(here)[1]] = now
    return " ".join(map(str, done))


@search("simulation/shuffle_again")
def _shuffle(places: list[int], letters: str, times: int) -> str:
    for _ in range(times):
        letters = "".join(letters[places.index(i)] for i in range(len(places)))
    return letters


@search("bits/kth_mixture")
def _mixture(text: str) -> str:
    numbers, (k,) = ints(text)
    found = {0}
    for number in numbers:
        found |= {number ^ other for other in found}
    return str(sorted(found)[k - 1]) if k <= len(found) else "-1"


@search("bits/delivery_round")
def _tour(minutes: list[list[int]]) -> int:
    tours = permutations(range(len(minutes)))
    return min(sum(minutes[a][b] for a, b in pairwise(tour)) for tour in tours)


@search("bits/smallest_team")
def _team(skills: list[list[int]]) -> int:
    teams = [team for team in subsets(skills) if team and all(map(any, zip(*team, strict=True)))]
    return min(map(len, teams), default=-1)


@search("counting/necklaces")
def _necklaces(text: str) -> str | None:
    ((n, c),) = ints(text)
    if c**n > 5000:
        return None
    turns = [[beads[i:] + beads[:i] for i in range(n)] for beads in product(range(c), repeat=n)]
    return str(len({min(min(turned), min(other[::-1] for other in turned)) for turned in turns}))


@search("counting/choices_modulo")
def _choices(text: str) -> str:
    ((n, k, p),) = ints(text)
    return str(math.comb(n, k) % p)


@search("counting/ways_past_holes")
def _holes(width: int, height: int, holes: list[list[int]]) -> int | None:
    if width > 100:
        return None

    @cache
    def ways(x: int, y: int) -> int:
        if x > width or y > height or [x, y] in holes:
            return 0
        return 1 if (x, y) == (width, height) else ways(x + 1, y) + ways(x, y + 1)

    return ways(0, 0) % 1_000_003


@search("tables/fair_volumes")
def _volumes(text: str) -> str:
    (most,), pages = ints(text)
    cuts = [cut for cut in subsets(list(range(1, len(pages)))) if len(cut) < most]
    ways = [[sum(pages[a:b]) for a, b in zip((0, *cut), (*cut, len(pages)), strict=True)] for cut in cuts]
    return str(min(map(max, ways)))


@search("tables/print_shop")
def _posters(text: str) -> str:
    (wanted,), *presses = ints(text)
    return str(next(t for t in range(10**6) if sum(max(t - begin, 0) // each for each, begin in presses) >= wanted))
