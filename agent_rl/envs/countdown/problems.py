"""Problems of `countdown`, solvable because each is made from its solution."""

from dataclasses import dataclass
from random import Random

from agent_rl.core.errors import UserError
from agent_rl.envs.countdown.expressions import ExpressionError, evaluate

_ATTEMPTS = 2000


@dataclass(frozen=True)
class Problem:
    """Reach `target` with all of `numbers`; `solution` is one expression that does."""

    numbers: tuple[int, ...]
    target: int
    solution: str

    @property
    def key(self) -> str:
        """What makes two problems the same: the numbers in any order, and the target."""
        return f"{'-'.join(map(str, sorted(self.numbers)))}={self.target}"


def random_expression(rng: Random, numbers: tuple[int, ...], operators: str) -> str:
    """Return an expression with each of `numbers` once, in random order and with random operators, from the left."""
    first, *others = rng.sample(numbers, len(numbers))
    text, sums = str(first), False
    for number in others:
        operator = rng.choice(operators)
        if sums and operator in "*/":
            text = f"({text})"
        text, sums = f"{text} {operator} {number}", operator in "+-"
    return text


def generate(rng: Random, count: int, largest: int, highest: int, operators: str) -> Problem:
    """Return a problem with `count` numbers from 1 to `largest` and a target from 1 to `highest`.

    Raises:
        UserError: None is found.
    """
    for _ in range(_ATTEMPTS):
        numbers = tuple(rng.randint(1, largest) for _ in range(count))
        solution = random_expression(rng, numbers, operators)
        try:
            value, _ = evaluate(solution)
        except ExpressionError:  # it divides by zero
            continue
        if value.denominator == 1 and 1 <= value <= highest and value not in numbers:
            return Problem(tuple(sorted(numbers)), int(value), solution)
    raise UserError(f"no target up to {highest} is made of {count} numbers up to {largest} with '{operators}'")
