"""Programs that are run for a problem of countdown, and what they print."""

import itertools
from collections.abc import Sequence

from agent_rl.envs.countdown.expressions import evaluate

_LETTERS = "abcd"
_OPERATORS = "opq"


def search(numbers: Sequence[int], target: int, operators: str) -> str:
    """Return a program that prints the first expression that has the target as its value.

    It tries every order of the numbers with every choice of operators, computed from the left: the shape of all
    solutions that problems are made from.
    """
    letters, chosen = _LETTERS[: len(numbers)], _OPERATORS[: len(numbers) - 1]
    shape = _from_the_left([f"{{{letter}}}" for letter in letters], [f"{{{name}}}" for name in chosen])
    return (
        f"{_problem(numbers, target)}from itertools import*;print(next(e for {','.join(letters)} in permutations(n)"
        f"for {','.join(chosen)} in product('{operators}',repeat={len(chosen)})for e in[f'{shape}']if eval(e)==t))"
    )


def found(numbers: Sequence[int], target: int, operators: str) -> str:
    """Return what `search` prints, without running it."""
    for order in itertools.permutations(map(str, numbers)):
        for chosen in itertools.product(operators, repeat=len(numbers) - 1):
            expression = _from_the_left(order, chosen)
            if evaluate(expression)[0] == target:
                return expression
    raise ValueError(f"{target} is not made of {numbers} from the left")


def check(expression: str, numbers: Sequence[int], target: int) -> tuple[str, str]:
    """Return a program that prints whether an expression has the target as its value, and what it prints."""
    return f"{_problem(numbers, target)}print({expression}==t)", str(evaluate(expression)[0] == target)


def _problem(numbers: Sequence[int], target: int) -> str:
    """Return how every program begins: as the question says it, so that the words can be copied in their order."""
    return f"t,n={target},[{','.join(map(str, numbers))}];"


def _from_the_left(numbers: Sequence[str], operators: Sequence[str]) -> str:
    """Return an expression that takes one number after the other: `((a+b)*c)-d`."""
    text = numbers[0]
    for number, operator in zip(numbers[1:], operators, strict=True):
        inner = text if text == numbers[0] else f"({text})"
        text = f"{inner}{operator}{number}"
    return text
