"""File formats and notations."""

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
