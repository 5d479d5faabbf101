"""Problems whose solutions are programs, whatever data set they come from."""

from dataclasses import dataclass
from typing import Any, Literal

Style = Literal["stdio", "function", "pytest"]


@dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
        input: For `stdio` standard input as a text; for `function` the list of arguments; for `pytest` a test file.
        expected: For `stdio` standard output as a text; for `function` the value; for `pytest` None.
    """

    input: Any
    expected: Any = None


@dataclass(frozen=True)
class CodeProblem:
    """One problem.

    Attributes:
        id: Unique within its data set.
        statement: What the policy reads, examples included.
        style: How programs are tested.
        public: Tests that the policy may run and read.
        hidden: Tests that count; never shown.
        entry: The function's name, for style `function`.
        solution: A program that passes, where one is known.
        difficulty: `easy`, `medium`, `hard`, or empty.
        language: What the program is written in.
    """

    id: str
    statement: str
    style: Style
    public: tuple[Case, ...]
    hidden: tuple[Case, ...]
    entry: str = ""
    solution: str = ""
    difficulty: str = ""
    language: str = "python"
