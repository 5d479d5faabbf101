"""Machines, games and queues, step by step or in one leap."""

from random import Random

from agent_rl.envs.code.problems.drawing import integers, lines, word
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: lines(rng.randint(15, 22), integers(rng, 12, 26, 1, 9)),
    ["20\n18 19 21 22 20\n", "15\n20 20\n", "20\n19 19 18 22\n"],
    style="stdio",
)
def thermostat(text: str) -> str:
    """Print for each measured temperature whether the heating is on afterwards: a `1` or a `0`, without spaces.

    The first line has the wanted temperature w, the second 1 to 100 measured ones, all integers. The heating goes on
    when less than w - 1 is measured, off when more than w + 1 is, and else stays as it is. It is off at first.
    """
    first, second = text.splitlines()
    wanted, on, shown = int(first), False, ""
    for part in second.split():
        if abs(int(part) - wanted) > 1:
            on = int(part) < wanted
        shown += str(int(on))
    return shown


@problem(
    "easy",
    lambda rng: [rng.randint(0, 9), integers(rng, 0, 9, 2, 7)],
    [[0, [3, 1, 4]], [5, []], [2, [2, 2]], [9, [0, 9]]],
)
def lift_energy(start: int, calls: list[int]) -> int:
    """Return the energy that a lift uses on its way from floor `start` to each of the called floors, in this order.

    It uses 3 for each floor up, 1 for each floor down, and 2 for opening the door at each call, even if it is there
    already. There are 0 to 1000 calls; floors are 0 to 1000.
    """
    energy = 0
    for floor in calls:
        energy += 2 + 3 * max(floor - start, 0) + max(start - floor, 0)
        start = floor
    return energy


@problem("easy", lambda rng: [word(rng, "FFLR", 2, 14)], [["FFRFF"], ["FLFLFLF"], ["R"], ["FFLLFFF"]])
def robot_distance(orders: str) -> int:
    """Return how far a robot is from its start, counted along the squares (difference east plus difference north).

    It looks north first. `F` moves it one square on; `L` and `R` turn it by a quarter to the left or right. There are 1
    to 1000 orders.
    """
    east, north, dx, dy = 0, 0, 0, 1
    for order in orders:
        if order == "F":
            east, north = east + dx, north + dy
        elif order == "L":
            dx, dy = -dy, dx
        else:
            dx, dy = dy, -dx
    return abs(east) + abs(north)


@problem(
    "easy",
    lambda rng: [rng.randint(1, 30), (needed := rng.randint(2, 6)), rng.randint(1, needed - 1)],
    [[10, 3, 1], [5, 5, 2], [1, 2, 1], [4, 5, 1]],
)
def bottles(full: int, needed: int, given: int) -> int:
    """Return how many bottles can be drunk when `needed` empty ones can be swapped for `given` full ones, repeatedly.

    One begins with `full` full bottles and no empty one. 1 <= full <= 1000 and
    1 <= given < needed <= 100.
    """
    drunk = empty = 0
    while full:
        drunk, empty = drunk + full, empty + full
        full = empty // needed * given
        empty %= needed
    return drunk


def _orders(rng: Random) -> str:
    rows = []
    for _ in range(rng.randint(4, 10)):
        a, b = rng.sample(["ann", "bob", "cid"], 2)
        amount = rng.randint(1, 40)
        rows.append(rng.choice([f"pay {a} {amount}", f"take {a} {amount}", f"move {a} {b} {amount}"]))
    return lines(*rows)


@problem(
    "medium",
    _orders,
    [
        "pay ann 10\nmove ann bob 4\ntake bob 5\n",
        "take x 1\n",
        "pay a 5\nmove a a 5\ntake a 5\n",
        "pay b 3\nmove b a 3\n",
    ],
    style="stdio",
)
def ledger(text: str) -> str:
    """Print what is left on accounts, `name amount` in alphabetical order, and then how many orders were refused.

    Each line is an order: `pay name amount` puts money on an account, `take name amount` takes it off, and
    `move name other amount` moves it from the first to the second. An account begins with 0 and must not fall below it:
    an order that would do so is refused and changes nothing. Print only accounts that hold money, then
    `refused: count` in a line of its own. There are 1 to 1000 orders; amounts are positive.
    """
    held: dict[str, int] = {}
    refused = 0
    for line in text.splitlines():
        order, *names, amount = line.split()
        source = names[0] if order != "pay" else ""
        goal = names[-1] if order != "take" else ""
        if source and held.get(source, 0) < int(amount):
            refused += 1
            continue
        if source:
            held[source] -= int(amount)
        if goal:
            held[goal] = held.get(goal, 0) + int(amount)
    return "\n".join([f"{name} {held[name]}" for name in sorted(held) if held[name]] + [f"refused: {refused}"])


@problem(
    "medium",
    lambda rng: [integers(rng, 1, 6, 4, 16), rng.randint(1, 4)],
    [[[1, 2, 1, 3, 1, 2], 2], [[5, 5, 5], 1], [[1], 3], [[1, 2, 3, 1, 2, 3], 2]],
)
def desk_trips(books: list[int], room: int) -> int:
    """Return how often a book must be fetched from the shelf when the desk holds only `room` books.

    Books are needed in the given order. A needed book that is not on the desk is fetched; if the desk is full then, the
    one that was not needed for the longest time goes back first. The desk is empty at first. There are 1 to 10**4
    entries, and 1 <= room <= 1000.
    """
    desk: dict[int, None] = {}
    trips = 0
    for book in books:
        if book in desk:
            del desk[book]
        else:
            trips += 1
            if len(desk) == room:
                del desk[next(iter(desk))]
        desk[book] = None
    return trips


@problem(
    "medium",
    lambda rng: [integers(rng, 1, 9, 2, 10), rng.randint(1, 3)],
    [[[3, 1, 2, 5], 2], [[4], 3], [[2, 2, 2], 1], [[9, 1, 1, 1, 1], 2]],
)
def served_at(minutes: list[int], counters: int) -> list[int]:
    """Return at which counter each customer of a queue is served.

    The first of the queue goes to the counter that becomes free first, of several the one with the lowest number, and
    stays for the given minutes. Counters are numbered from 1 and all free at first. There are 1 to 1000 customers and 1
    to 20 counters; minutes are positive.
    """
    free, served = [0] * counters, []
    for stay in minutes:
        at = free.index(min(free))
        free[at] += stay
        served.append(at + 1)
    return served


@problem(
    "medium",
    lambda rng: [integers(rng, 1, 9, 1, 7), integers(rng, 1, 9, 1, 7)],
    [[[3, 8], [5, 2]], [[1], [2]], [[4, 4], [4, 1]], [[5, 5, 5], [5, 5, 5]]],
)
def card_battle(left: list[int], right: list[int]) -> list[int]:
    """Play a game of cards and return how many cards each player has at the end.

    In each round both play their first card. The higher one wins: its owner puts their own card, then the other's,
    under their pile. If both are equal, both are put aside for good. The game ends when a pile is empty, or after 1000
    rounds. Both piles have 1 to 50 cards.
    """
    a, b = list(left), list(right)
    for _ in range(1000):
        if not a or not b:
            break
        one, other = a.pop(0), b.pop(0)
        if one > other:
            a += [one, other]
        elif other > one:
            b += [other, one]
    return [len(a), len(b)]


@problem(
    "hard",
    lambda rng: [rng.randint(1, 200), rng.randint(2, 6)],
    [[7, 3], [1, 2], [2, 2], [10, 4], [41, 3]],
    large=lambda rng: [10**15 + rng.randint(0, 10**6), 7],
)
def last_in_circle(n: int, k: int) -> int:
    """The people 1 to n stand in a circle; counting begins with 1, and every k-th leaves until one is left. Who is it?

    Return the number of the last one. Counting goes on with the next person after the one who left.
    1 <= n <= 10**15 + 10**6 and 2 <= k <= 50, so one cannot go from person to person.
    """
    at, size = 0, 1
    while size < n:
        if size < k:
            at, size = (at + k) % (size + 1), size + 1
            continue
        # As long as the place does not pass the end of the circle, the circle can grow by many people at once.
        steps = min(n - size, max(1, (size - at) // (k - 1)))
        at, size = at + steps * k, size + steps
        at = at % size if at >= size else at
    return at + 1


@problem(
    "hard",
    lambda rng: [rng.randrange(256), word(rng, "01", 4, 9), rng.randint(0, 60)],
    [[90, "00010000", 3], [30, "0110", 0], [0, "1111", 1], [255, "0000", 1], [110, "10010", 25]],
    large=lambda rng: [110, "0001001101011", 10**15],
)
def light_ring(rule: int, lamps: str, steps: int) -> str:
    """Return the lamps of a ring after some steps.

    In each step, all at once, a lamp looks at its left neighbour, itself and its right neighbour; these, `1` for on and
    `0` for off, are a binary number i from 0 to 7, and the lamp is on afterwards if bit i of `rule` is set (bit 0 is
    worth 1). The last lamp is the left neighbour of the first. 0 <= rule <= 255, there are 3 to 14 lamps, and
    0 <= steps <= 10**15.
    """
    seen: dict[str, int] = {}
    history: list[str] = []
    while lamps not in seen:
        seen[lamps] = len(history)
        history.append(lamps)
        ring = lamps[-1] + lamps + lamps[0]
        lamps = "".join(str(rule >> int(ring[i : i + 3], 2) & 1) for i in range(len(lamps)))
    start = seen[lamps]
    return history[steps if steps < start else start + (steps - start) % (len(history) - start)]


@problem(
    "hard",
    lambda rng: [
        rng.sample(range(size := rng.randint(3, 8)), size),
        word(rng, "abcdefgh", size, size),
        rng.randint(0, 40),
    ],
    [[[1, 2, 0], "cat", 1], [[0, 1], "ab", 9], [[1, 0, 3, 4, 2], "abcde", 7], [[2, 0, 1], "xyz", 0]],
    large=lambda rng: [rng.sample(range(100), 100), word(rng, "abcdefgh", 100, 100), 10**18 - 1],
)
def shuffle_again(places: list[int], letters: str, times: int) -> str:
    """Return the letters after they were shuffled so many times in the same way.

    A shuffle moves the letter at place i to place places[i]; places are counted from 0 and each is there once. There
    are 1 to 100 letters and 0 <= times <= 10**18.
    """
    result = [""] * len(letters)
    for start, letter in enumerate(letters):
        cycle = [start]
        while places[cycle[-1]] != start:
            cycle.append(places[cycle[-1]])
        result[cycle[times % len(cycle)]] = letter
    return "".join(result)


def _jobs(rng: Random) -> str:
    count = rng.randint(2, 7)
    return lines(*[[rng.randint(0, 12), rng.randint(1, 9)] for _ in range(count)])


@problem(
    "hard",
    _jobs,
    ["0 5\n1 2\n2 1\n", "4 3\n", "0 2\n0 2\n", "0 10\n3 3\n4 1\n"],
    large=lambda rng: lines(*[[i * 10**5, 1 + i * 7919 % 10**6] for i in range(900)]),
    style="stdio",
)
def shortest_rest_first(text: str) -> str:
    """A machine always works on the waiting job that needs the least time to be done. Print when each job is done.

    Each line is a job: the second at which it comes and the seconds of work that it needs, 1 to 10**6. A job that comes
    and needs less than what is left of the current one interrupts it; work that was done is kept. Of jobs with equally
    much left the one that stands first in the input is worked on. There are 1 to 1000 jobs that come between 0 and
    10**9. Print the seconds, parted by spaces, in the order of the input.
    """
    import heapq

    jobs = [tuple(map(int, line.split())) for line in text.splitlines()]
    coming = sorted((start, i) for i, (start, _) in enumerate(jobs))
    waiting: list[tuple[int, int]] = []
    done, now, at = [0] * len(jobs), 0, 0
    while waiting or at < len(coming):
        if not waiting:
            now = max(now, coming[at][0])
        while at < len(coming) and coming[at][0] <= now:
            heapq.heappush(waiting, (jobs[coming[at][1]][1], coming[at][1]))
            at += 1
        left, i = heapq.heappop(waiting)
        spent = min(left, coming[at][0] - now) if at < len(coming) else left
        now += spent
        if spent < left:
            heapq.heappush(waiting, (left - spent, i))
        else:
            done[i] = now
    return " ".join(map(str, done))
