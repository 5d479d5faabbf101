"""Arithmetic expressions: read strictly and evaluated exactly, without Python's own `eval`.

sum     = product (("+" | "-") product)*
product = atom (("*" | "/") atom)*
atom    = digits | "(" sum ")"
"""

import re
from fractions import Fraction

LONGEST = 200
"""Most characters of an expression, which bounds how deep it nests."""
_TOKEN = re.compile(r"\s*(?:([0-9]{1,9})|([-+*/()]))")


class ExpressionError(ValueError):
    """An expression that cannot be read or has no value; the message tells who wrote it what is wrong."""


def evaluate(text: str) -> tuple[Fraction, list[int]]:
    """Return the value of an expression and its numbers in the order in which they stand there.

    Raises:
        ExpressionError: It is not in the grammar, too long, or divides by zero.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters")
    reader = _Reader(_tokens(text))
    value = reader.sum()
    if reader.next is not None:
        raise ExpressionError(f"'{reader.next}' is not expected there")
    return value, reader.numbers


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"'{text[at:].strip()[0]}' is no part of an expression")
        tokens.append(found[1] or found[2])
        at = found.end()
    return tokens


class _Reader:
    """Reads tokens by recursive descent."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self.numbers: list[int] = []

    @property
    def next(self) -> str | None:
        """The token that comes next, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def sum(self) -> Fraction:
        """Read a sum."""
        value = self._product()
        while self.next in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value += sign * self._product()
        return value

    def _product(self) -> Fraction:
        value = self._atom()
        while self.next in ("*", "/"):
            if self._take() == "*":
                value *= self._atom()
            elif divisor := self._atom():
                value /= divisor
            else:
                raise ExpressionError("division by zero")
        return value

    def _atom(self) -> Fraction:
        token = self._take()
        if token == "(":
            value = self.sum()
            if self._take() != ")":
                raise ExpressionError("a bracket is not closed")
            return value
        if token is None or not token.isdigit():
            place = f"before '{token}'" if token else "at the end"
            raise ExpressionError(f"a number is missing {place}")
        self.numbers.append(int(token))
        return Fraction(int(token))

    def _take(self) -> str | None:
        token = self.next
        self._at += 1
        return token
