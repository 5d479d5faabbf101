"""Problems of our own in three difficulties, each with a reference solution and tests made from a seed.

A topic is a module, a problem a decorated function in it: its docstring is the statement, its body the solution.
"""

import functools
from importlib import import_module

from agent_rl.envs.code.problem import CodeProblem

TOPICS = (
    "numbers",
    "digits",
    "strings",
    "words",
    "lists",
    "sorting",
    "grids",
    "intervals",
    "graphs",
    "routes",
    "planning",
    "parsing",
    "languages",
    "simulation",
    "geometry",
    "times",
    "bits",
    "counting",
    "tables",
)


@functools.cache
def builtin_problems() -> list[CodeProblem]:
    """Return all problems, topic by topic; the same ones, with the same tests, in every process.

    Building runs every reference solution on all its tests, which takes about half a second, once.
    """
    from agent_rl.envs.code.problems.making import build

    return [problem for topic in TOPICS for problem in build(import_module(f"{__name__}.{topic}"))]
