"""Clocks, weekdays and calendars, reckoned without the library's calendars."""

from random import Random

from agent_rl.envs.code.problems.drawing import integers, lines, span
from agent_rl.envs.code.problems.making import problem


def _clock(rng: Random) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}"


@problem(
    "easy",
    lambda rng: [_clock(rng), _clock(rng)],
    [["09:30", "11:05"], ["23:50", "00:10"], ["12:00", "12:00"], ["00:01", "00:00"]],
)
def minutes_until(start: str, end: str) -> int:
    """Return how many minutes pass from one clock time to the next time that the clock shows another one.

    Both are "HH:MM" from 00:00 to 23:59. An end before the start is on the next day; the same time is 0 minutes away.
    """

    def minute(clock: str) -> int:
        return int(clock[:2]) * 60 + int(clock[3:])

    return (minute(end) - minute(start)) % 1440


@problem(
    "easy",
    lambda rng: f"{rng.choice(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])} {rng.randint(-400, 1000)}\n",
    ["Mon 3\n", "Sun -1\n", "Fri 0\n", "Wed 7000000001\n"],
    style="stdio",
)
def weekday_after(text: str) -> str:
    """Print the weekday that is some days after another; before it, if the number is negative.

    The only line has a weekday (Mon, Tue, Wed, Thu, Fri, Sat or Sun) and an integer between -10**12 and 10**12.
    """
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    name, days = text.split()
    return names[(names.index(name) + int(days)) % 7]


@problem("easy", lambda rng: [rng.randint(0, 3 * 10 ** rng.randint(1, 6))], [[3725], [59], [0], [86400], [3600]])
def show_seconds(seconds: int) -> str:
    """Return a number of seconds as "H:MM:SS", or as "M:SS" if it is less than an hour.

    Hours can be greater than 24, and neither hours nor minutes in front have a leading zero. 0 <= seconds <= 10**9.
    """
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@problem(
    "easy",
    lambda rng: [rng.choice([rng.randint(1, 9999), rng.randint(1, 99) * 100, rng.randint(1, 999) * 4])],
    [[2024], [1900], [2000], [2023], [1], [400]],
)
def days_of_year(year: int) -> int:
    """Return how many days a year has: 366 if it is divisible by 4 but not by 100, or by 400; else 365.

    1 <= year <= 9999.
    """
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 365 + leap


@problem(
    "easy",
    lambda rng: [integers(rng, 0, 23, 1, 5), rng.randint(0, 23)],
    [[[6, 12, 18], 13], [[8], 9], [[8], 8], [[22, 4], 23]],
)
def hours_to_next_bus(departures: list[int], now: int) -> int:
    """Return how many hours it takes until the next bus leaves; 0 if one leaves now.

    Buses leave every day at the given full hours, 0 to 23, of which there are 1 to 24 in no order, some perhaps twice.
    """
    return min((hour - now) % 24 for hour in departures)


@problem("medium", lambda rng: [_clock(rng)], [["03:00"], ["06:00"], ["00:00"], ["12:30"], ["18:01"], ["09:45"]])
def clock_hands(clock: str) -> float:
    """Return the smaller angle between the hands of a clock in degrees, with one digit after the point.

    The time is "HH:MM" from 00:00 to 23:59. The clock shows 12 hours, and its hour hand moves steadily.
    """
    hours, minutes = int(clock[:2]), int(clock[3:])
    # in half degrees: the hour hand moves one a minute, the other twelve
    apart = abs((hours % 12) * 60 + minutes - 12 * minutes)
    return min(apart, 720 - apart) / 2


def _date(rng: Random, low: int = 1, high: int = 2999) -> str:
    return f"{rng.randint(low, high):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


@problem(
    "medium",
    lambda rng: f"{_date(rng)}\n",
    ["2024-03-01\n", "2023-03-01\n", "1900-12-31\n", "2000-12-31\n", "0001-01-01\n"],
    style="stdio",
)
def day_number(text: str) -> str:
    """Print which day of its year a date is, and how many days of the year are left after it, such as `61 305`.

    The only line has the date as YYYY-MM-DD, between 0001-01-01 and 9999-12-31. Years divisible by 4 are leap years,
    but those divisible by 100 only if they are divisible by 400.
    """
    year, month, day = map(int, text.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    months = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    number = sum(months[: month - 1]) + day
    return f"{number} {365 + leap - number}"


def _shift(rng: Random) -> list[str]:
    return [_clock(rng), _clock(rng)]


@problem(
    "medium",
    lambda rng: [_shift(rng), _shift(rng)],
    [
        [["22:00", "06:00"], ["05:00", "13:00"]],
        [["08:00", "12:00"], ["12:00", "16:00"]],
        [["20:00", "08:00"], ["18:00", "06:00"]],
        [["01:00", "02:00"], ["23:00", "03:00"]],
        [["00:00", "12:00"], ["11:00", "01:00"]],
    ],
)
def minutes_together(one: list[str], other: list[str]) -> int:
    """Two people work every day from one clock time to another. Return how many minutes a day both work.

    Times are ["HH:MM", "HH:MM"] from 00:00 to 23:59. An end before the start is on the next day; if both times are the
    same, the person does not work.
    """

    def minutes(shift: list[str]) -> set[int]:
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in shift)
        return {minute % 1440 for minute in range(start, end + 1440 * (end < start))}

    return len(minutes(one) & minutes(other))


@problem(
    "medium",
    lambda rng: [rng.randint(1, 12), rng.randint(1, 28), rng.randint(2, 5), rng.randint(0, 900)],
    [[1, 30, 3, 1], [12, 30, 2, 1], [5, 17, 4, 0], [4, 30, 4, 1], [2, 1, 3, 365]],
)
def lunar_date(month: int, day: int, gap: int, days: int) -> list[int]:
    """Return [years passed, month, day] some days after a date of an invented calendar.

    Its year has 12 months of 30 days, but every `gap`-th month of a year (the months gap, 2 * gap, …) has 31. A year
    passes when a first month begins. The date exists; 2 <= gap <= 12 and 0 <= days <= 10**5.
    """
    years = 0
    day += days
    while day > (length := 30 + (month % gap == 0)):
        day -= length
        month += 1
        if month > 12:
            month, years = 1, years + 1
    return [years, month, day]


@problem(
    "hard",
    lambda rng: [*sorted([_date(rng, 1, 40), _date(rng, 1, 40)]), rng.randint(1, 31), rng.randint(0, 6)],
    [
        ["2024-01-01", "2024-12-31", 13, 4],
        ["2023-02-01", "2023-02-28", 29, 2],
        ["0001-01-01", "0001-01-01", 1, 0],
        ["2000-01-01", "2003-12-31", 31, 6],
    ],
    large=lambda rng: ["0001-01-01", "800000000000-12-31", 29, 0],
)
def unlucky_days(first: str, last: str, day: int, weekday: int) -> int:
    """Return how many dates between two dates, both included, have a given day of the month and a given weekday.

    Dates are year-month-day, months and days with two digits; years are 1 to 10**12. Weekdays are 0 for Monday to 6 for
    Sunday, and 0001-01-01 is a Monday. Years divisible by 4 are leap years, but those divisible by 100 only if they are
    divisible by 400. 1 <= day <= 31, and first <= last.
    """

    def leap(year: int) -> bool:
        return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

    def hits(start: int, stop: int, month: int, until: int) -> int:
        """Return the hits in the years `start` to `stop`, and in `stop` only up to a month and a day of it."""
        count, before = 0, (start - 1) * 365 + (start - 1) // 4 - (start - 1) // 100 + (start - 1) // 400
        for year in range(start, stop + 1):
            for number, length in enumerate([31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], 1):
                if year < stop or (number, day) <= (month, until):
                    count += day <= length and (before + day - 1) % 7 == weekday
                before += length
        return count

    def until(date: str, inclusive: bool) -> int:
        year, month, end = map(int, date.split("-"))
        # 400 years have a whole number of weeks, so that they repeat.
        cycles, rest = divmod(year - 1, 400)
        count = hits(1, rest + 1, month, end if inclusive else end - 1)
        return count + (cycles * hits(1, 400, 12, 31) if cycles else 0)

    return until(last, True) - until(first, False)


def _timetable(rng: Random) -> str:
    rows = []
    for _ in range(rng.randint(7, 14)):
        a, b = rng.sample("ABCD", 2)
        start, end = span(rng, 360, 1200)
        rows.append(f"{a} {b} {start // 60:02}:{start % 60:02} {end // 60:02}:{end % 60:02}")
    return lines(f"A D {rng.randint(6, 8):02}:00", *rows)


def _railway(stops: int, trains: int) -> str:
    """Return trains that leave each stop every minute for the next one and for the one after it."""
    rows = []
    for stop in range(stops):
        for k in range(trains):
            hour, minute = divmod(stop * 30 + k, 60)
            rows.append(f"S{stop} S{stop + 1 + k % 2} {hour:02}:{minute:02} {hour:02}:{minute + 22:02}")
    return lines(f"S0 S{stops} 00:00", *rows)


@problem(
    "hard",
    _timetable,
    [
        "A C 08:00\nA B 08:10 08:50\nB C 08:55 09:30\nA C 08:00 10:00\n",
        "A B 09:00\nA B 08:59 09:30\n",
        "X X 12:34\nX Y 13:00 14:00\n",
        "A C 07:00\nA B 07:00 08:00\nB C 08:04 09:00\nB C 08:05 10:00\n",
    ],
    large=lambda rng: _railway(30, 8),
    style="stdio",
)
def earliest_arrival(text: str) -> str:
    """Print when one can arrive at the earliest, as `HH:MM`, or `never`.

    The first line has the start, the goal and the time from which one waits at the start. Each further line is a train:
    from where, to where, when it leaves and when it arrives, later on the same day. Changing trains takes at least 5
    minutes; the first train may leave at the very time from which one waits. If start and goal are the same, print that
    time. There are 0 to 1000 trains; names are letters and digits.
    """
    first, *rest = text.splitlines()
    start, goal, now = first.split()

    def minute(clock: str) -> int:
        return int(clock[:2]) * 60 + int(clock[3:])

    trains = sorted((minute(t[2]), minute(t[3]), t[0], t[1]) for t in (line.split() for line in rest))
    # A train arrives later than it leaves, so in the order of departures all that can feed a train comes before it.
    ready = {start: minute(now)}
    best = minute(now) if start == goal else 1440
    for leaves, arrives, a, b in trains:
        if leaves >= ready.get(a, 9999):
            ready[b] = min(ready.get(b, 9999), arrives + 5)
            if b == goal:
                best = min(best, arrives)
    return f"{best // 60:02}:{best % 60:02}" if best < 1440 else "never"


@problem(
    "hard",
    lambda rng: [[rng.randint(2, 12) for _ in range(rng.randint(1, 3))], rng.randint(1, 60)],
    [[[4, 6], 5], [[7], 3], [[1], 9], [[2, 2], 4], [[10, 15, 6], 12]],
    large=lambda rng: [[10**6 + rng.randint(0, 999) for _ in range(8)], 10**14],
)
def kth_bell(periods: list[int], k: int) -> int:
    """Return the second of the `k`-th ring of some bells, where bells that ring in the same second count once.

    The bell with period p rings at the seconds p, 2 * p, 3 * p and so on. There are 1 to 8 bells with periods between 1
    and 10**7; 1 <= k <= 10**15.
    """
    from math import lcm

    terms: dict[int, int] = {}
    for period in set(periods):
        for common, sign in [(1, -1), *terms.items()]:
            terms[lcm(common, period)] = terms.get(lcm(common, period), 0) - sign
    low, high = 1, min(periods) * k
    while low < high:
        middle = (low + high) // 2
        if sum(sign * (middle // common) for common, sign in terms.items()) >= k:
            high = middle
        else:
            low = middle + 1
    return low
