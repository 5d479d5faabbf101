"""Small languages and file formats."""

from random import Random

from agent_rl.envs.code.problems.drawing import lines, word
from agent_rl.envs.code.problems.making import problem


def _settings(rng: Random) -> str:
    rows = [f"{rng.choice('abcd')}{rng.choice(['=', ' = '])}{rng.randint(0, 99)}" for _ in range(rng.randint(2, 6))]
    rows.insert(rng.randint(0, 2), rng.choice(["# a note", "", "#x=1"]))
    return lines(*rows)


@problem("easy", _settings, ["b=2\n# a=9\na = 1\n", "x=1\nx=2\n", "# nothing\n\n", "k = \n"], style="stdio")
def read_settings(text: str) -> str:
    """Print the settings of a file, `name=value` without spaces around, sorted by name.

    Each line is empty, a remark that begins with `#`, or a name, `=` and a value, with or without spaces around the
    name and the value. A later line for a name replaces an earlier one. Names are lower-case letters; a value has no
    `=` and may be empty. Print `none` if there are no settings. There are 1 to 100 lines.
    """
    found = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return "\n".join(f"{name}={value}" for name, value in sorted(found.items())) or "none"


def _nested(rng: Random) -> str:
    text = "".join(rng.choice(["a", "()", "(b)"]) for _ in range(rng.randint(0, 2)))
    for _ in range(rng.randint(0, 5)):
        text = f"({text})" if rng.random() < 0.7 else text + "()"
    return text if rng.random() < 0.8 else rng.choice([")" + text + "(", text + ")", "(" + text])


@problem("easy", lambda rng: [_nested(rng)], [["(a(b)c)"], [")("], ["((a)"], ["abc"], ["((()))()"]])
def deepest_bracket(text: str) -> int:
    """Return how deep round brackets are nested in a text; 0 if it has none, -1 if they do not match.

    They match if each closing one closes an opening one before it, and none stays open. The text has 1 to 1000
    characters, of which those that are no brackets do not matter.
    """
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return -1
        deepest = max(deepest, depth)
    return deepest if depth == 0 else -1


def _version(rng: Random) -> str:
    return ".".join(str(rng.choice([0, 1, 2, 10])) for _ in range(rng.randint(1, 3)))


@problem(
    "easy",
    lambda rng: rng.sample([f"1.{_version(rng)}", f"1.{_version(rng)}", "1.2", "1.2.0", "1.02", "1.10"], 2),
    [["1.10", "1.9"], ["2.0", "2"], ["1", "1.0.1"], ["01.2", "1.02"], ["0.9", "1"]],
)
def compare_versions(one: str, other: str) -> int:
    """Return 1 if the first version is newer, -1 if the second is, and 0 if they are the same.

    A version is 1 to 10 numbers parted by points, compared from left to right as numbers; numbers that lack at the end
    count as 0.
    """
    from itertools import zip_longest

    for a, b in zip_longest(one.split("."), other.split("."), fillvalue="0"):
        if int(a) != int(b):
            return 1 if int(a) > int(b) else -1
    return 0


def _duration(rng: Random) -> str:
    parts = [f"{rng.randint(1, 90)}{unit}" for unit in "dhms" if rng.random() < 0.6]
    return "".join(parts) or "5m"


@problem(
    "medium",
    lambda rng: lines([_duration(rng) for _ in range(rng.randint(1, 4))]),
    ["1h30m 45m\n", "90s\n", "1d 1s\n", "12h 12h\n", "59s 1s 59m\n"],
    style="stdio",
)
def add_durations(text: str) -> str:
    """Add durations and print the sum in the same way, such as `2h15m`.

    The only line has 1 to 100 durations parted by spaces. A duration has numbers with the units d, h, m and s (days of
    24 hours, hours, minutes, seconds), each at most once and in this order; the numbers, 1 to 999, may be greater than
    a larger unit holds. In the sum hours are below 24, minutes and seconds below 60, and units with 0 are left out.
    """
    import re

    sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total = sum(int(number) * sizes[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))
    shown = ""
    for unit, size in sizes.items():
        shown += f"{total // size}{unit}" if total >= size else ""
        total %= size
    return shown


def _packed(rng: Random, depth: int = 0) -> str:
    text = ""
    for _ in range(rng.randint(1, 2)):
        text += word(rng, "abc", 0, 2)
        if depth < 3 and rng.random() < 0.6:
            text += f"({_packed(rng, depth + 1)}){rng.randint(2, 3)}"
    return text or "z"


@problem("medium", lambda rng: [_packed(rng)], [["a(bc)2"], ["((x)2y)3"], ["abc"], ["(a)1(b)0c"], ["(ab)12"]])
def unfold(packed: str) -> str:
    """Unfold a packed text: what stands in brackets is written as often as the number behind them says.

    Brackets can be nested, and each closing one is followed by a number from 0 to 99. All else are lower-case letters.
    The result has at most 10**4 letters.
    """
    import re

    stack = [""]
    for sign, number in re.findall(r"([a-z]+|\(|\))(\d*)", packed):
        if sign == "(":
            stack.append("")
        elif sign == ")":
            inside = stack.pop()
            stack[-1] += inside * int(number)
        else:
            stack[-1] += sign
    return stack[0]


def _field(rng: Random) -> str:
    plain = word(rng, "xyz", 0, 3)
    return f'"{plain},{word(rng, "x", 0, 1)}""{plain}"' if rng.random() < 0.4 else plain


@problem(
    "medium",
    lambda rng: [",".join(_field(rng) for _ in range(rng.randint(1, 4)))],
    [['a,"b,c",d'], ['"say ""hi""",'], [""], ['""'], [",,"]],
)
def split_record(line: str) -> list[str]:
    """Split a line into its fields at the commas.

    A field that begins with a double quote ends with one; inside, a comma is no separator and two double quotes in a
    row stand for one. Other fields have no quotes. The line is well formed and has at most 1000 characters; an empty
    line is one empty field.
    """
    fields, quoted, i = [""], False, 0
    while i < len(line):
        sign = line[i]
        if sign == '"' and quoted and line[i + 1 : i + 2] == '"':
            fields[-1] += sign
            i += 1
        elif sign == '"':
            quoted = not quoted
        elif sign == "," and not quoted:
            fields.append("")
        else:
            fields[-1] += sign
        i += 1
    return fields


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


def _molecule(rng: Random, depth: int = 0) -> str:
    text = ""
    for _ in range(rng.randint(1, 3)):
        part = rng.choice(["H", "C", "O", "Na", "Cl"])
        if depth < 2 and rng.random() < 0.3:
            part = f"({_molecule(rng, depth + 1)})"
        text += part + rng.choice(["", "", "2", "3", "10"])
    return text


@problem("medium", lambda rng: [_molecule(rng)], [["H2O"], ["Ca(OH)2"], ["Co"], ["CO"], ["Na10(Cl(NaO2)3)2"]])
def count_atoms(formula: str) -> list[list[str | int]]:
    """Return the atoms of a chemical formula and how many there are of each, sorted by name.

    A name is a capital letter and possibly one small letter. A number from 2 to 99 behind an atom or a group in round
    brackets multiplies it; groups can be nested. The formula is well formed and has 1 to 200 characters.
    """
    import re
    from collections import Counter

    stack: list[Counter[str]] = [Counter()]
    for name, number in re.findall(r"([A-Z][a-z]?|\(|\))(\d*)", formula):
        if name == "(":
            stack.append(Counter())
            continue
        added = stack.pop() if name == ")" else Counter([name])
        for atom, count in added.items():
            stack[-1][atom] += count * int(number or 1)
    return [[atom, count] for atom, count in sorted(stack[0].items())]


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
