"""Maps, boards and matrices."""

from random import Random

from agent_rl.envs.code.problems.drawing import grid, lines, matrix
from agent_rl.envs.code.problems.making import problem


@problem(
    "easy",
    lambda rng: [matrix(rng, -5, 9)],
    [[[[1, 2], [3, 4]]], [[[5]]], [[[1, 1, 1]]], [[[0, -1], [-1, 0]]], [[[2], [3]]]],
)
def best_crossing(board: list[list[int]]) -> int:
    """Return the greatest sum that a cross has: all numbers of one row and of one column, where both meet only once.

    The board has 1 to 50 rows of 1 to 50 integers.
    """
    columns: list[int] = [sum(column) for column in zip(*board, strict=True)]
    return max(sum(row) + columns[j] - value for row in board for j, value in enumerate(row))


@problem(
    "easy",
    lambda rng: [matrix(rng, -9, 9)],
    [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [[[4]]], [[[1, 2], [3, 4]]], [[[1, 2, 3]]]],
)
def frame_minus_inside(board: list[list[int]]) -> int:
    """Return the sum of the numbers at the border of the board less the sum of all others.

    The board has 1 to 50 rows of 1 to 50 integers.
    """
    inside = sum(sum(row[1:-1]) for row in board[1:-1])
    return sum(map(sum, board)) - 2 * inside


@problem("easy", lambda rng: lines(*grid(rng, "#./")), ["#..\n.#/\n", "/\n", "##\n##\n", "./#\n"], style="stdio")
def quarter_turn(text: str) -> str:
    r"""Print a picture turned by a quarter to the right, so that its first column becomes its first row, read upwards.

    The picture has 1 to 50 lines of equal length, 1 to 50 of the characters `#`, `.`, `/`. A slash looks the other way
    when it is turned: print `\` for it.
    """
    rows = text.split()
    return "\n".join("".join(column[::-1]).replace("/", "\\") for column in zip(*rows, strict=True))


@problem(
    "medium",
    lambda rng: [matrix(rng, 0, 30)],
    [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [[[1, 2], [3, 4]]], [[[7]]], [[[1, 2, 3]]], [[[1], [2], [3]]]],
)
def snail_path(board: list[list[int]]) -> list[int]:
    """Read a board in a spiral: from the upper left corner down along the left side, and on along the border inwards.

    The way goes down, right, up, left and again, until every number was read once. The board has 1 to 50 rows of 1 to
    50 integers.
    """
    rows, read = [list(row) for row in board], []
    while rows:
        read += [row[0] for row in rows]
        rest = [row[1:] for row in rows if len(row) > 1]
        # What was on the bottom comes to the left when the rest turns right.
        rows = [list(column)[::-1] for column in zip(*rest, strict=True)]
    return read


@problem(
    "medium",
    lambda rng: lines(*grid(rng, "##.", 2, 6)),
    ["##.\n..#\n#.#\n", "...\n", "#\n", "#.#\n.#.\n#.#\n", "###\n#.#\n###\n"],
    style="stdio",
)
def largest_lake(text: str) -> str:
    """Print how many lakes a map has and how many fields the largest one has, such as `3 7`; `0 0` if there is none.

    Each line is a row of the map; `#` is water and `.` is land. Fields of water belong to one lake if they share a
    side. The map has 1 to 50 lines of equal length, 1 to 50.
    """
    water = {(i, j) for i, row in enumerate(text.split()) for j, field in enumerate(row) if field == "#"}
    sizes = [0]
    while water:
        lake = [water.pop()]
        for i, j in lake:
            near = {(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)} & water
            water -= near
            lake += near
        sizes.append(len(lake))
    return f"{len(sizes) - 1} {max(sizes)}"


@problem(
    "medium",
    lambda rng: [grid(rng, "#..", 2, 5), rng.randint(1, 4)],
    [[["...", "###", "..."], 1], [["##", "##"], 5], [["#"], 1], [["#.#"], 2], [["#..", "...", "..#"], 3]],
)
def moss(fields: list[str], days: int) -> list[str]:
    """Return how moss (`#`) stands after some days.

    Each day, all at once: bare fields (`.`) with exactly two mossy neighbours become mossy, and mossy fields with three
    or more become bare. Neighbours share a side. There are 1 to 20 rows of 1 to 20 fields; 1 <= days <= 50.
    """
    height, width = len(fields), len(fields[0])
    for _ in range(days):
        after = []
        for i in range(height):
            row = ""
            for j in range(width):
                near = [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
                count = sum(0 <= a < height and 0 <= b < width and fields[a][b] == "#" for a, b in near)
                row += "#" if (count == 2 if fields[i][j] == "." else count < 3) else "."
            after.append(row)
        fields = after
    return fields


@problem(
    "medium",
    lambda rng: [grid(rng, "aaab", 2, 7)],
    [[["aab", "aab", "bbb"]], [["a"]], [["ab", "ba"]], [["bbbb", "bbbb", "abbb"]]],
)
def largest_plain_square(cloth: list[str]) -> int:
    """Return the side of the largest square of a cloth in which all letters are the same.

    The cloth has 1 to 60 rows of 1 to 60 lower-case letters.
    """
    best, above = 0, [0] * len(cloth[0])
    for i, row in enumerate(cloth):
        sides: list[int] = []
        for j, letter in enumerate(row):
            side = 1
            if i and j and letter == cloth[i - 1][j] == row[j - 1] == cloth[i - 1][j - 1]:
                side = 1 + min(above[j], sides[j - 1], above[j - 1])
            sides.append(side)
            best = max(best, side)
        above = sides
    return best


def _maze(rng: Random, rows: int, columns: int) -> list[str]:
    fields = [rng.choices(".#", weights=(2, 2 + rng.random()), k=columns) for _ in range(rows)]
    fields[0][0], fields[-1][-1] = ".", "."
    return ["".join(row) for row in fields]


@problem(
    "hard",
    lambda rng: [_maze(rng, rng.randint(3, 6), rng.randint(3, 6))],
    [[[".#.", "##.", "..."]], [["..", ".."]], [["."]], [[".#", "#."]], [[".###.", ".#.#.", "###.."]]],
    large=lambda rng: [_maze(rng, 50, 50)],
)
def walls_to_break(maze: list[str]) -> int:
    """Return the least number of walls to break on a way from the upper left field to the lower right one.

    Steps go to a field that shares a side; `.` is free and `#` is a wall, which is free once broken. Both corners are
    free. The maze has 1 to 100 rows of 1 to 100 fields.
    """
    from collections import deque

    height, width = len(maze), len(maze[0])
    broken = {(0, 0): 0}
    queue = deque([(0, 0)])
    while queue:
        i, j = queue.popleft()
        for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if not (0 <= a < height and 0 <= b < width):
                continue
            wall = maze[a][b] == "#"
            cost = broken[i, j] + wall
            if cost < broken.get((a, b), cost + 1):
                broken[a, b] = cost
                (queue.append if wall else queue.appendleft)((a, b))
    return broken[height - 1, width - 1]


def _vault(rng: Random) -> str:
    rows = grid(rng, "....#", 3, 5)
    fields = [list(row) for row in rows]
    free = [(i, j) for i, row in enumerate(fields) for j, _ in enumerate(row)]
    for sign, (i, j) in zip("@*aAbB", rng.sample(free, 6), strict=True):
        fields[i][j] = sign
    return lines(*["".join(row) for row in fields])


@problem(
    "hard",
    _vault,
    ["@.a\n##A\n*..\n", "@#*\n", "@*\n", "a@B*\n.#A.\nb...\n", "@A*\n#a#\n"],
    large=lambda rng: lines("abcdef" + "." * 12 + "######", *["." * 18 + "######"] * 6, "@" + "." * 17 + "FEDCB*"),
    style="stdio",
)
def keys_and_doors(text: str) -> str:
    """Print the least number of steps from `@` to `*` in a map with locked doors, or -1 if there is no way.

    A step goes to a field that shares a side. `#` is a wall and `.` is free; a small letter is a key, which is picked
    up when its field is entered; a capital letter is a door, which can be entered only with the key of its letter.
    Keys are kept. There are at most six different letters, a to f, and a letter can have several keys and doors; `@`
    and `*` are there once. The map has 1 to 30 lines of equal length, 1 to 30.
    """
    fields = {(i, j): sign for i, row in enumerate(text.split()) for j, sign in enumerate(row) if sign != "#"}
    start = next(place for place, sign in fields.items() if sign == "@")
    steps = 0
    edge = {(start, 0)}
    seen = set(edge)
    while edge:
        if any(fields[place] == "*" for place, _ in edge):
            return str(steps)
        after = set()
        for (i, j), keys in edge:
            for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                sign = fields.get(place, "#")
                bit = 1 << "abcdef".find(sign.lower()) if sign.lower() in "abcdef" else 0
                if sign == "#" or (sign in "ABCDEF" and not keys & bit):
                    continue
                after.add((place, keys | bit * sign.islower()))
        edge = after - seen
        seen |= edge
        steps += 1
    return "-1"


@problem(
    "hard",
    lambda rng: [matrix(rng, 0, 9, 4, 6)],
    [
        [[[3, 3, 3], [3, 0, 2], [3, 3, 3]]],
        [[[5]]],
        [[[9, 9, 9], [9, 1, 9], [9, 9, 9]]],
        [[[4, 4, 4, 4], [4, 1, 2, 4], [4, 4, 3, 4]]],
    ],
    large=lambda rng: [[[(i * 31 + j * 17) % 97 for j in range(40)] for i in range(40)]],
)
def rain_in_hills(heights: list[list[int]]) -> int:
    """Return how much water stays on a board of square columns after a long rain.

    Water flows to columns that share a side, never through corners, and off the board at its border; a column holds
    water of its base area up to the lowest level over which it could flow away. There are 1 to 100 rows of 1 to 100
    heights between 0 and 1000.
    """
    import heapq

    rows, columns = len(heights), len(heights[0])
    border = [(i, j) for i in range(rows) for j in range(columns) if i in (0, rows - 1) or j in (0, columns - 1)]
    queue = [(heights[i][j], i, j) for i, j in border]
    heapq.heapify(queue)
    seen = set(border)
    water = 0
    while queue:
        level, i, j = heapq.heappop(queue)
        water += level - heights[i][j]
        for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if 0 <= a < rows and 0 <= b < columns and (a, b) not in seen:
                seen.add((a, b))
                heapq.heappush(queue, (max(level, heights[a][b]), a, b))
    return water
