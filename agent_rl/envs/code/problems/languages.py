"""Small languages: expressions, programs and macros."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, word
from agent_rl.envs.code.problems.making import problem


@problem(
    "medium",
    lambda rng: ["8 " + " ".join(rng.choices(["3", "12", "7", "2", "+", "-", "*"], k=5)) + " 5 4 + *"],
    [["3 4 + 2 *"], ["5 +"], ["7"], ["1 2 3"], ["2 3 -"], ["9 8 7 + -"]],
)
def stack_machine(program: str) -> str:
    """Run a program of numbers and signs, parted by single spaces, on a stack.

    A number, 0 to 999, is put on the stack. `+`, `-` and `*` take the two topmost numbers off and put the result on;
    for `-` the topmost is taken from the one below it. Return the numbers on the stack at the end, from the bottom,
    parted by spaces; "underflow" if a sign finds fewer than two numbers. There are 1 to 200 parts.
    """
    stack: list[int] = []
    for part in program.split():
        if part.isdigit():
            stack.append(int(part))
            continue
        if len(stack) < 2:
            return "underflow"
        b, a = stack.pop(), stack.pop()
        stack.append({"+": a + b, "-": a - b, "*": a * b}[part])
    return " ".join(map(str, stack))


def _sum(rng: Random, depth: int = 0) -> str:
    if depth > 2 or rng.random() < 0.25:
        return str(rng.randint(0, 20))
    text = f"{_sum(rng, depth + 1)}{rng.choice('+-*/')}{_sum(rng, depth + 1)}"
    sign = rng.choice(["", "", "-"])
    return f"({sign}{text})" if rng.random() < 0.4 else text if depth else sign + text


@problem(
    "hard",
    lambda rng: _sum(rng) + "\n",
    ["2+3*(4-1)\n", "7/2-10\n", "1/0\n", "-3*2\n", "2-3-4\n", "-(2-9)/4\n", "8/3/2\n"],
    large=lambda rng: "(" * 150 + "1" + "-2)*3" * 150 + "\n",
    style="stdio",
)
def evaluate(text: str) -> str:
    """Print the value of an expression of integers, `+`, `-`, `*`, `/` and round brackets, or `error`.

    `*` and `/` go before `+` and `-`, and all go from left to right. A `-` may also stand at the front or right after
    an opening bracket, where it turns the sign of the product behind it. `/` leaves the remainder out and rounds
    towards zero; dividing by zero is the only `error`. The only line is well formed, has no spaces and at most 2000
    characters; brackets are nested at most 200 deep.
    """
    import re

    parts = [*re.findall(r"\d+|\S", text), ")"]
    at = 0

    def factor() -> int:
        nonlocal at
        at += 1
        if parts[at - 1] == "(":
            return total()
        return int(parts[at - 1])

    def product() -> int:
        nonlocal at
        value = factor()
        while parts[at] in "*/":
            at += 1
            if parts[at - 1] == "*":
                value *= factor()
            else:
                by = factor()
                value = abs(value) // abs(by) * (1 if (value < 0) == (by < 0) else -1)
        return value

    def total() -> int:
        nonlocal at
        value = 0 if parts[at] == "-" else product()
        while parts[at] != ")":
            at += 1
            value += product() if parts[at - 1] == "+" else -product()
        at += 1
        return value

    try:
        return str(total())
    except ZeroDivisionError:
        return "error"


def _formula(rng: Random, depth: int = 0) -> str:
    if depth > 2 or rng.random() < 0.2:
        return rng.choice(["a", "b", "c", "!a", "!b", "!d"])
    return f"({_formula(rng, depth + 1)}{rng.choice('&|^')}{_formula(rng, depth + 1)})"


@problem("hard", lambda rng: [_formula(rng)], [["(a&!b)"], ["(a|!a)"], ["c"], ["((a^b)^(c^d))"], ["!(a&(b&c))"]])
def true_rows(formula: str) -> int:
    """Return for how many ways of setting its variables to true or false a formula is true.

    A formula is a variable (a small letter), `!` and a formula, or two formulas in round brackets with `&` (both), `|`
    (at least one) or `^` (exactly one) between them. There are at most 12 different variables, and only those that are
    in the formula are set. The formula is well formed and has 1 to 300 characters.
    """
    names = sorted(set(formula) & set("abcdefghijklmnopqrstuvwxyz"))
    rows = 1 << len(names)
    # A variable's column of the truth table is a number with a bit for each row, so signs work on whole columns.
    columns = {name: sum(1 << row for row in range(rows) if row >> i & 1) for i, name in enumerate(names)}
    at = 0

    def read() -> int:
        nonlocal at
        at += 1
        sign = formula[at - 1]
        if sign == "!":
            return ~read() & ((1 << rows) - 1)
        if sign != "(":
            return columns[sign]
        left, middle, right = read(), formula[at : (at := at + 1)], read()
        at += 1
        return left & right if middle == "&" else left | right if middle == "|" else left ^ right

    return read().bit_count()


def _macros(rng: Random) -> str:
    names = rng.sample("pqrst", rng.randint(2, 5))
    rows = []
    for i, name in enumerate(names):
        known = names[i + 1 :] if rng.random() < 0.9 else names
        body = "".join(
            rng.choice([word(rng, "xy", 1, 2), f"<{rng.choice(known)}>" if known else "z"]) for _ in range(3)
        )
        rows.append(f"{name}:{body}")
    return lines(f"<{names[0]}>{rng.choice(['!', ''])}<{names[-1]}>", *rng.sample(rows, len(rows)))


@problem(
    "hard",
    _macros,
    ["<a>-<b>\nb:xy\na:<b><b>z\n", "<a>\na:x<b>\nb:<a>\n", "plain\n", "<a>\na:\n", "<a><c>\na:1\n"],
    large=lambda rng: lines(
        "<a>",
        *[
            f"{a}:<{b}>{a}<{b}><{b}>"
            for a, b in zip("abcdefghijklmnopqrstuvwxy", "bcdefghijklmnopqrstuvwxyz", strict=True)
        ],
        "z:!",
    ),
    style="stdio",
)
def macro_length(text: str) -> str:
    """Print how long a text becomes when its macros are written out, or `cycle`, or `unknown`.

    The first line is the text; each further line, of which there are at most 26, defines a macro: its name, a small
    letter, a colon and what it stands for. `<a>` calls the macro a; macros can call others. `<`, `>` and `:` stand for
    nothing else. Print `cycle` if writing out the text never ends, and else `unknown` if a macro that is needed is not
    defined. No line is longer than 200 characters, but the result can be longer than any memory.
    """
    import re

    first, *rest = text.splitlines()
    bodies = {line[0]: line[2:] for line in rest}

    def measure(body: str, above: tuple[str, ...]) -> tuple[int, bool, bool]:
        size, cycle, unknown = len(re.sub("<.>", "", body)), False, False
        for name in re.findall("<(.)>", body):
            if name in above:
                return 0, True, False
            if name not in known:
                known[name] = measure(bodies[name], (*above, name)) if name in bodies else (0, False, True)
            more = known[name]
            size, cycle, unknown = size + more[0], cycle or more[1], unknown or more[2]
        return size, cycle, unknown

    known: dict[str, tuple[int, bool, bool]] = {}
    size, cycle, unknown = measure(first, ())
    return "cycle" if cycle else "unknown" if unknown else str(size)
