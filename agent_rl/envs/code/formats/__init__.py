"""The formats in which problems of code are published: one module each, which makes a `CodeProblem` of a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats import apps, common_oj, human_eval, livecodebench, mbpp, plain, prime_code
from agent_rl.envs.code.problem import CodeProblem

Format = Literal["humaneval", "mbpp", "apps", "livecodebench", "prime_code", "common_oj", "plain"]


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        columns: The columns by which it is recognised.
        problem: Makes a problem of a row and a name for it, where the row has none; raises `ValueError` or `KeyError`.
    """

    columns: tuple[str, ...]
    problem: Callable[[Row, str], CodeProblem]


FORMATS: dict[Format, Reader] = {
    "humaneval": Reader(("prompt", "test", "entry_point"), human_eval.problem),
    "mbpp": Reader(("code", "test_list"), mbpp.problem),
    "apps": Reader(("question", "input_output"), apps.problem),
    "livecodebench": Reader(("question_content", "public_test_cases"), livecodebench.problem),
    "prime_code": Reader(("prompt", "reward_model"), prime_code.problem),
    "common_oj": Reader(("content", "test"), common_oj.problem),
    "plain": Reader(("statement", "hidden"), plain.problem),
}
