"""Reports, rankings and records, from text to text."""

from random import Random

from agent_rl.envs.code.problems.drawing import distinct, integers, lines
from agent_rl.envs.code.problems.making import problem


def _purchases(rng: Random) -> str:
    names = rng.sample(["tea", "milk", "salt", "rice", "soap"], rng.randint(1, 4))
    return lines(*[f"{name} {rng.randint(1, 12)} {rng.randint(0, 20)}.{rng.randint(0, 99):02}" for name in names])


@problem(
    "easy", _purchases, ["tea 2 1.75\nmilk 10 0.09\n", "pen 1 0.05\n", "car 3 9999.99\n", "bag 7 0.00\n"], style="stdio"
)
def receipt(text: str) -> str:
    """Print what a purchase costs, with two digits after the point.

    Each line has a name, how many were bought (1 to 1000), and the price of one with two digits after the point (at
    most 10000.00). There are 1 to 100 lines. The sum must be exact.
    """
    cents = 0
    for line in text.splitlines():
        _, count, price = line.split()
        cents += int(count) * int(price.replace(".", ""))
    return f"{cents // 100}.{cents % 100:02}"


@problem("easy", lambda rng: lines(integers(rng, 0, 5, 1, 7)), ["1 3 0 2\n", "2\n", "0 0\n", "4 4\n"], style="stdio")
def bars(text: str) -> str:
    """Draw numbers as upright bars of `#`, side by side.

    The only line has 1 to 50 integers between 0 and 50. Print as many lines as the greatest number, from the top; in
    each, from left to right, a `#` where a bar reaches so high, else a `.`. If all are 0, print `empty`.
    """
    numbers = [int(part) for part in text.split()]
    rows = ["".join(".#"[number >= level] for number in numbers) for level in range(max(numbers), 0, -1)]
    return "\n".join(rows) or "empty"


@problem(
    "easy",
    lambda rng: lines(distinct(rng, 1, 14, 3, 10)),
    ["7 1 2 3 5\n", "4\n", "2 1\n", "9 5 1\n", "3 2 3 4\n"],
    style="stdio",
)
def page_ranges(text: str) -> str:
    """Print page numbers in the short way, such as `1-3,5,7`: in increasing order, and ranges for numbers in a row.

    The only line has 1 to 1000 integers between 1 and 10**6 in no order, some perhaps twice. Two numbers in a row make
    a range too, such as `1-2`.
    """
    ranges: list[list[int]] = []
    for page in sorted({int(part) for part in text.split()}):
        if ranges and ranges[-1][1] == page - 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return ",".join(f"{a}-{b}" if a < b else f"{a}" for a, b in ranges)


def _matches(rng: Random) -> str:
    teams = ["Ants", "Bees", "Cats", "Dogs"]
    rows = []
    for _ in range(rng.randint(2, 7)):
        a, b = rng.sample(teams, 2)
        rows.append(f"{a} {rng.randint(0, 3)}:{rng.randint(0, 3)} {b}")
    return lines(*rows)


@problem(
    "medium",
    _matches,
    ["Ants 2:1 Bees\nBees 0:0 Cats\n", "A 1:0 B\nB 1:0 A\n", "X 3:3 Y\n", "P 5:0 Q\nR 1:0 Q\n"],
    style="stdio",
)
def standings(text: str) -> str:
    """Print the table of a league, the best team first, one team in a line: name, points, goals shot and goals got.

    Each line is a match, such as `Ants 2:1 Bees`. A win gives 3 points, a draw 1 to both. Teams are ranked by points,
    then by goals shot less goals got, then by goals shot, then in alphabetical order. There are 1 to 200 matches; a
    line of the result is such as `Ants 3 2:1`.
    """
    table: dict[str, list[int]] = {}
    for line in text.splitlines():
        home, score, guest = line.split()
        a, b = map(int, score.split(":"))
        for team, shot, got in ((home, a, b), (guest, b, a)):
            row = table.setdefault(team, [0, 0, 0])
            row[0] += 3 if shot > got else int(shot == got)
            row[1] += shot
            row[2] += got
    ranked = sorted(table.items(), key=lambda item: (-item[1][0], item[1][2] - item[1][1], -item[1][1], item[0]))
    return "\n".join(f"{team} {points} {shot}:{got}" for team, (points, shot, got) in ranked)


def _sales(rng: Random) -> str:
    rows = [[rng.choice("abc"), rng.choice("XYZ"), rng.randint(1, 30)] for _ in range(rng.randint(2, 9))]
    return lines(*rows)


@problem(
    "medium",
    _sales,
    ["b X 3\na Y 4\nb X 2\n", "q Q 1\n", "a B 1\nb A 1\n", "a A 1\na B 2\nb A 3\nb B 4\n"],
    style="stdio",
)
def cross_table(text: str) -> str:
    """Print a table of the sums of numbers that belong to a row and a column.

    Each line has the name of a row, the name of a column, and a positive integer. The first line of the result has `-`
    and the names of the columns, each further line the name of a row and its sums; last comes a line `sum` with the
    sums of the columns. Rows and columns are in alphabetical order, sums without numbers are 0, and parts of a line are
    separated by a space. There are 1 to 1000 lines; names are letters, and none is `sum`.
    """
    from collections import Counter

    sums: Counter[tuple[str, str]] = Counter()
    for line in text.splitlines():
        row, column, number = line.split()
        sums[row, column] += int(number)
        sums["sum", column] += int(number)
    columns = sorted({column for _, column in sums})
    names = [*sorted({row for row, _ in sums} - {"sum"}), "sum"]
    rows = [["-", *columns]] + [[row, *(str(sums[row, column]) for column in columns)] for row in names]
    return "\n".join(" ".join(row) for row in rows)


def _people(rng: Random) -> str:
    towns = lines(
        *[f"{key} {rng.choice(['Rome', 'Oslo', 'Bern'])}" for key in rng.sample(range(1, 6), rng.randint(1, 4))]
    )
    people = lines(
        *[f"{name} {rng.randint(1, 5)}" for name in rng.sample(["Amy", "Ben", "Cem", "Dee"], rng.randint(1, 4))]
    )
    return people + "\n" + towns


@problem(
    "medium",
    _people,
    ["Ben 2\nAmy 7\n\n2 Oslo\n3 Rome\n", "Zed 1\n\n1 Nice\n", "A 1\nB 1\nC 2\n\n2 Y\n1 X\n"],
    style="stdio",
)
def look_up_towns(text: str) -> str:
    """Print for each town how many people live there and who, such as `Oslo 2: Amy Ben`, in alphabetical order.

    The first lines have a name and the number of a town each; after an empty line come the numbers of towns, which are
    different, and their names; two numbers can have the same name, and then it is one town. People whose number is not
    there live in `unknown`. Towns without people are left out; names in a line are in alphabetical order. All names are
    words of letters, people's names are different, and there are 1 to 100 people and towns.
    """
    people, towns = text.split("\n\n")
    names = dict(line.split() for line in towns.splitlines())
    living: dict[str, list[str]] = {}
    for line in sorted(people.splitlines()):
        person, key = line.split()
        living.setdefault(names.get(key, "unknown"), []).append(person)
    return "\n".join(f"{town} {len(who)}: {' '.join(who)}" for town, who in sorted(living.items()))


@problem(
    "medium",
    lambda rng: lines(integers(rng, 40, 50, 2, 9)),
    ["50 70 50 90\n", "1\n", "5 5 5\n", "10 20 30\n"],
    style="stdio",
)
def shared_ranks(text: str) -> str:
    """Print the rank of each score: one more than the number of higher scores, with a `=` behind it if it is shared.

    The only line has 1 to 10**4 integers; print the ranks in the same order, parted by spaces.
    """
    from collections import Counter

    counts = Counter(int(part) for part in text.split())
    ranks, above = {}, 0
    for score in sorted(counts, reverse=True):
        ranks[score] = f"{above + 1}" + "=" * (counts[score] > 1)
        above += counts[score]
    return " ".join(ranks[int(part)] for part in text.split())


@problem(
    "hard",
    lambda rng: lines(integers(rng, 0, 30, 2, 10)),
    ["5 2 8 3\n", "7\n", "1 1 1\n", "9 8 7 6 5\n"],
    large=lambda rng: lines([i * 7919 % 5003 for i in range(3500)]),
    style="stdio",
)
def running_median(text: str) -> str:
    """Print after each number of a list the double of the median of all numbers so far, parted by spaces.

    The median is the middle one of the sorted numbers, or the mean of the two in the middle if there is none; its
    double is always whole. The only line has 1 to 10**5 integers between 0 and 10**9; sorting anew for each takes too
    long.
    """
    import heapq

    low: list[int] = []
    high: list[int] = []
    doubles = []
    for part in text.split():
        heapq.heappush(high, -heapq.heappushpop(low, -int(part)))
        if len(high) > len(low):
            heapq.heappush(low, -heapq.heappop(high))
        doubles.append(-2 * low[0] if len(low) > len(high) else high[0] - low[0])
    return " ".join(map(str, doubles))


@problem(
    "hard",
    lambda rng: lines(rng.randint(1, 4), integers(rng, 1, 30, 3, 9)),
    ["2\n7 2 5 10 8\n", "1\n3 4\n", "9\n5 6\n", "3\n1 1 1 1 1 1 1\n"],
    large=lambda rng: lines(40, [1 + i * 48_271 % 10**6 for i in range(2500)]),
    style="stdio",
)
def fair_volumes(text: str) -> str:
    """Divide the chapters of a book into volumes so that the thickest one is as thin as possible, and print its pages.

    The first line has the greatest number of volumes, 1 to 1000; the second the pages of the chapters in their order,
    1 to 10**5 integers between 1 and 10**9. A volume holds chapters that follow each other; none is divided, and their
    order stays.
    """
    first, second = text.splitlines()
    chapters = [int(part) for part in second.split()]
    low, high = max(chapters), sum(chapters)
    while low < high:
        middle = (low + high) // 2
        volumes, pages = 1, 0
        for chapter in chapters:
            if pages + chapter > middle:
                volumes, pages = volumes + 1, 0
            pages += chapter
        if volumes <= int(first):
            high = middle
        else:
            low = middle + 1
    return str(low)


@problem(
    "hard",
    lambda rng: lines(rng.randint(1, 60), *[[rng.randint(1, 9), rng.randint(0, 10)] for _ in range(rng.randint(1, 4))]),
    ["5\n2 0\n3 4\n", "1\n9 9\n", "10\n1 0\n", "4\n5 0\n5 0\n", "3\n1 100\n40 0\n"],
    large=lambda rng: lines(10**15, *[[10**6 + rng.randint(1, 999), rng.randint(0, 10**9)] for _ in range(60)]),
    style="stdio",
)
def print_shop(text: str) -> str:
    """Print the second at which a number of posters is ready at the earliest.

    The first line has the number of posters, 1 to 10**15. Each further line is a press: the seconds that it takes for
    each poster, 1 to 10**9, and the second at which it begins, 0 to 10**9. All presses work at the same time; there are
    1 to 1000.
    """
    first, *rest = text.splitlines()
    presses = [tuple(map(int, line.split())) for line in rest]
    low, high = 0, min(begin + each * int(first) for each, begin in presses)
    while low < high:
        middle = (low + high) // 2
        if sum(max(middle - begin, 0) // each for each, begin in presses) >= int(first):
            high = middle
        else:
            low = middle + 1
    return str(low)
