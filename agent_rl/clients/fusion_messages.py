"""The messages of Sandbox Fusion's `/run_code`, with what `agent-rl serve sandbox` adds to them.

Everything that is added is optional: a server that does not know the added fields of a request ignores them, and so
does a client with those of an answer.
"""

import base64
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    WithJsonSchema,
)

# fmt: off
Language = Literal[
    "python", "cpp", "nodejs", "go", "go_test", "java", "php", "csharp", "bash", "typescript", "sql", "rust", "cuda",
    "lua", "R", "perl", "D_ut", "ruby", "scala", "julia", "pytest", "junit", "kotlin_script", "jest", "verilog",
    "python_gpu", "lean", "swift", "racket",
    "c",  # added by agent-rl
]
# fmt: on


def _decoded(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Content = Annotated[bytes, BeforeValidator(_decoded), WithJsonSchema({"type": "string", "contentEncoding": "base64"})]
CommandStatus = Literal["Finished", "Error", "TimeLimitExceeded"]


class RunRequest(BaseModel):
    """A program to run. Fields that are not listed here are refused: nothing is ignored in silence."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    code: str
    """The program's source."""
    language: Language
    """What it is written in. A server has some of these."""
    stdin: str | None = None
    """Standard input."""
    compile_timeout: PositiveFloat = 10.0
    """Wall-clock seconds for compiling, where the language is compiled."""
    run_timeout: PositiveFloat = 10.0
    """Wall-clock seconds for running."""
    memory_limit_MB: int = -1
    """Memory of all its processes in MiB; -1 takes the server's default."""
    files: dict[str, Content | None] = Field(default_factory=dict)
    """Content in base64 by path relative to the working folder; a file whose content is null is left out."""
    fetch_files: list[str] = Field(default_factory=list)
    """Paths to bring back; what is not there afterwards is missing in the answer."""
    output_limit_KB: PositiveInt | None = None
    """Added by agent-rl: KiB of each output stream; by default the server's."""
    disk_limit_MB: PositiveInt | None = None
    """Added by agent-rl: MiB that it may write; by default the server's."""
    process_limit: PositiveInt | None = None
    """Added by agent-rl: processes and threads at one time; by default the server's."""


class CommandResult(BaseModel):
    """What became of compiling, or of running."""

    status: CommandStatus
    execution_time: float | None = None
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class Outcome(BaseModel):
    """What the contract has no words for. A server that sends it never cuts output without saying so here."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: str
    """`finished`, `error`, `time_limit`, `memory_limit`, `output_limit` or `infrastructure`."""
    stage: Literal["compile", "run"] = "run"
    """`compile` when the program was not compiled and so never ran."""
    exit_code: int | None = None
    """Its exit code, negative for a signal; null where it did not end by itself."""
    peak_memory_mb: float | None = None
    """Most memory in MiB, null where it was not measured."""
    tier: str = ""
    """The isolation that ran it."""


class RunAnswer(BaseModel):
    """What became of a program."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["Success", "Failed", "SandboxError"]
    """`SandboxError` says nothing about the program; with `Success` it was run to its end and exited with 0."""
    message: str = ""
    """What failed in the sandbox, or which limit ended the program."""
    compile_result: CommandResult | None = None
    """Null where nothing is compiled."""
    run_result: CommandResult | None = None
    """Null where it was not compiled."""
    executor_pod_name: str | None = None
    """Which machine ran it, where the server has such names."""
    files: dict[str, str] = Field(default_factory=dict)
    """What was to be fetched and was there, in base64."""
    outcome: Outcome | None = None
    """Added by agent-rl: the same in its own words."""


class NotebookRequest(BaseModel):
    """Cells to run one after the other in one interpreter."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    cells: list[str]
    """Python code; a cell sees what those before it left behind."""
    cell_timeout: NonNegativeFloat = 0.0
    """Wall-clock seconds for each cell; 0 leaves it at the time for all."""
    total_timeout: PositiveFloat = 45.0
    """Wall-clock seconds for all cells together."""
    memory_limit_MB: int = -1
    """Memory in MiB; -1 takes the server's default."""
    kernel: Literal["python3"] = "python3"
    """The only one there is."""
    files: dict[str, Content | None] = Field(default_factory=dict)
    """Content in base64 by path relative to the working folder; a file whose content is null is left out."""
    fetch_files: list[str] = Field(default_factory=list)
    """Paths to bring back; what is not there afterwards is missing in the answer."""


class CellResult(BaseModel):
    """What became of a cell."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    stdout: str
    """Standard output, with the value of a last expression."""
    stderr: str
    display: list[dict[str, object]] = Field(default_factory=list)
    """Always empty: this is an interpreter and no Jupyter kernel, and values are in `stdout`."""
    error: list[dict[str, object]] = Field(default_factory=list)
    """At most one, with `ename`, `evalue` and the lines of the `traceback`."""
    outcome: Outcome | None = None
    """The same in agent-rl's own words."""


class NotebookAnswer(BaseModel):
    """What became of the cells, in their order; after a limit was reached, the rest is missing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["Success", "Failed", "SandboxError"]
    """`Success` when all cells were run to their ends, also where one raised an exception."""
    message: str = ""
    driver: CommandResult | None = None
    """The interpreter."""
    cells: list[CellResult] = Field(default_factory=list)
    executor_pod_name: str | None = None
    files: dict[str, str] = Field(default_factory=dict)


class SubmitConfig(BaseModel):
    """How a completion is judged."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset_type: str | None = None
    """`CommonOJDataset`: programs that read standard input and are judged by standard output."""
    language: Language | None = None
    """What the program is written in."""
    locale: str | None = None
    """Without effect on judging."""
    is_fewshot: bool | None = None
    """Without effect on judging."""
    compile_timeout: PositiveFloat | None = None
    """Wall-clock seconds for compiling, 10 by default."""
    run_timeout: PositiveFloat | None = None
    """Wall-clock seconds for each test: by default 10 for a compiled language and 20 for another."""
    custom_extract_logic: str | None = None
    """Refused: a server does not run code of requests outside of its sandbox."""
    provided_data: dict[str, object] | list[dict[str, object]] | None = None
    """The problem; its `test` is a list of `{"input": {"stdin": …}, "output": {"stdout": …}}`, or that as JSON."""
    extra: dict[str, object] = Field(default_factory=dict)
    """`run_all_cases`: go on after the first that fails; `return_full_case`: give long tests back whole."""


class SubmitRequest(BaseModel):
    """What a model wrote, and the problem that it is to solve."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset: str
    """The name of the data set; any, as the problem comes with the request."""
    id: int | str
    completion: str
    """The model's text; the program is the code between its fences."""
    config: SubmitConfig


class TestAnswer(BaseModel):
    """What became of a test."""

    __test__ = False
    passed: bool
    exec_info: RunAnswer
    test_info: dict[str, object] | None = None


class SubmitAnswer(BaseModel):
    """The verdict."""

    id: int | str
    accepted: bool
    extracted_code: str
    full_code: str | None = None
    test_code: str | None = None
    tests: list[TestAnswer]
    extracted_type: Literal["fenced", "incomplete_fenced", "heuristic", "empty"] | None = None
    extra: dict[str, object] | None = None
