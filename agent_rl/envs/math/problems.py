"""Problems, each made together with its answer; three levels of difficulty."""

import math
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Literal, get_args

Kind = Literal["arithmetic", "fractions", "equation", "system", "modular", "counting", "sequence", "geometry"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Problem = tuple[str, str]
"""What is asked, and the answer in LaTeX."""


def problem(kind: Kind, level: int, rng: Random) -> Problem:
    """Return a problem of a kind at level 1, 2 or 3."""
    return _MAKERS[kind](level, rng)


def latex(value: int | Fraction) -> str:
    r"""Return a number in LaTeX: `3`, or `-\frac{2}{5}`."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    return f"{'-' if value < 0 else ''}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _arithmetic(level: int, rng: Random) -> Problem:
    value = rng.randint(2, 10**level * 3)
    text = str(value)
    for _ in range(level):
        other, sign = rng.randint(2, 10**level * 2), rng.choice("+-*")
        if sign == "*":
            other = rng.randint(2, 9)
            text, value = f"({text}) * {other}" if " " in text else f"{text} * {other}", value * other
        else:
            text, value = f"{text} {sign} {other}", value + other if sign == "+" else value - other
    return f"Compute {text}.", str(value)


def _fractions(level: int, rng: Random) -> Problem:
    numbers = [Fraction(rng.randint(1, 9), rng.randint(2, 4 + 3 * level)) for _ in range(1 + level)]
    value, text = numbers[0], latex(numbers[0])
    for other in numbers[1:]:
        sign = rng.choice("+-")
        text, value = f"{text} {sign} {latex(other)}", value + other if sign == "+" else value - other
    return f"Compute ${text}$ as a fraction in lowest terms.", latex(value)


def _equation(level: int, rng: Random) -> Problem:
    a, b, x = rng.randint(2, 6 * level), rng.randint(-9, 9 * level), rng.randint(-8 * level, 8 * level)
    if level == 1:
        return f"Solve ${a}x {b:+d} = {a * x + b}$ for $x$.", str(x)
    if level == 2:
        c = rng.choice([n for n in range(-9, 10) if n not in (0, a)])
        d = rng.randint(-20, 20)
        return f"Solve ${a}x {b:+d} = {c}x {d:+d}$ for $x$.", latex(Fraction(d - b, a - c))
    y = rng.choice([n for n in range(-12, 13) if n != x])
    roots = sorted((x, y))
    text = f"Find all real solutions of $x^2 {-(x + y):+d}x {x * y:+d} = 0$. Give the set of them."
    return text, f"\\{{{roots[0]}, {roots[1]}\\}}"


def _system(level: int, rng: Random) -> Problem:
    reach = 4 * level
    while True:
        a, b, c, d = (rng.choice([n for n in range(-reach, reach + 1) if n]) for _ in range(4))
        if a * d != b * c:
            break
    x, y = rng.randint(-reach, reach), rng.randint(-reach, reach)
    first, second = f"{a}x {b:+d}y = {a * x + b * y}", f"{c}x {d:+d}y = {c * x + d * y}"
    return f"Solve ${first}$ and ${second}$. Give the pair $(x, y)$.", f"({x}, {y})"


def _modular(level: int, rng: Random) -> Problem:
    modulus = rng.randint(3, 10 * level + 3)
    if level == 1:
        number = rng.randint(20, 400)
        return f"What is the remainder of {number} divided by {modulus}?", str(number % modulus)
    base, power = rng.randint(2, 20), rng.randint(3, 10 ** (level - 1) * 2)
    text = f"What is the remainder of ${base}^{{{power}}}$ divided by {modulus}?"
    return text, str(pow(base, power, modulus))


def _counting(level: int, rng: Random) -> Problem:
    n = rng.randint(3 + level, 5 + 3 * level)
    k = rng.randint(2, min(n - 1, 1 + level))
    if level == 1:
        text = f"In how many orders can {k} of {n} runners take the first {k} places?"
        return text, str(math.perm(n, k))
    m = rng.randint(3, 4 + level)
    text = f"In how many ways can a committee of {k} of {n} women and 2 of {m} men be chosen?"
    return text, str(math.comb(n, k) * math.comb(m, 2))


def _sequence(level: int, rng: Random) -> Problem:
    start, step, n = rng.randint(-9, 12), rng.choice([s for s in range(-9, 10) if s]), rng.randint(5, 10 * level)
    if level == 1:
        terms = ", ".join(str(start + i * step) for i in range(4))
        return f"An arithmetic sequence begins {terms}. What is its term number {n}?", str(start + (n - 1) * step)
    if level == 2:
        total = n * (2 * start + (n - 1) * step) // 2
        text = f"What is the sum of the first {n} terms of the arithmetic sequence {start}, {start + step}, ... ?"
        return text, str(total)
    first, ratio = rng.randint(1, 9), Fraction(rng.randint(1, 5), rng.randint(6, 11))
    text = f"What is the sum of the infinite geometric series with first term {first} and ratio ${latex(ratio)}$?"
    return text, latex(first / (1 - ratio))


def _geometry(level: int, rng: Random) -> Problem:
    a, b = rng.randint(2, 12 * level), rng.randint(2, 12 * level)
    if level == 1:
        return f"What is the area of a right triangle whose legs are {a} and {b}?", latex(Fraction(a * b, 2))
    if level == 2:
        return f"How long is the diagonal of a rectangle with sides {a} and {b}? Be exact.", _root(a * a + b * b)
    area = latex(Fraction(a * a * b, 3))
    what = f"A cone has a base of radius {a} and a height of {b}. What is its volume? Be exact."
    return what, "\\pi" if area == "1" else f"{area}\\pi"


def _root(square: int) -> str:
    outside = max(n for n in range(1, math.isqrt(square) + 1) if square % (n * n) == 0)
    inside = square // outside**2
    if inside == 1:
        return str(outside)
    return f"{outside if outside > 1 else ''}\\sqrt{{{inside}}}"


_MAKERS: dict[Kind, Callable[[int, Random], Problem]] = {
    "arithmetic": _arithmetic,
    "fractions": _fractions,
    "equation": _equation,
    "system": _system,
    "modular": _modular,
    "counting": _counting,
    "sequence": _sequence,
    "geometry": _geometry,
}
