"""Verdicts of programs in the real sandbox, of honest ones and of those that pretend."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.envs.code.judge import judge
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.envs.code.styles import STYLES, Judged, Verdict
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.current import current_sandbox

SECRET = 918273645
"""What is expected and stands nowhere else: a program that finds it has read what it must not."""
ADD = CodeProblem("add", "Add.", "function", (), (Case([1, 2], 3), Case([[1], [2]], [1, 2])), "add")
SUM = CodeProblem("sum", "Sum.", "stdio", (), (Case("1 2\n", "3\n"), Case("5 5\n", "10\n")))
TESTS = """
from solution import add

def test_small():
    assert add(1, 2) == 3

def test_more():
    assert add(5, 5) == 10
"""
TESTED = CodeProblem("tested", "Add.", "pytest", (), (Case(TESTS),))
RIGHT = "def add(a, b):\n    return a + b\n"
LIMITS = Limits(seconds=10.0)


def judged(problem: CodeProblem, code: str, limits: Limits = LIMITS, every: bool = True) -> list[Judged]:
    return asyncio.run(judge(current_sandbox(), problem, code, problem.hidden, limits, every))


def verdicts(problem: CodeProblem, code: str, **more: object) -> list[str]:
    return [one.verdict.value for one in judged(problem, code, **more)]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (ADD, RIGHT),
        (ADD, "import sys\n\ndef add(a, b):\n    print('working')\n    sys.stderr.write('hard')\n    return a + b\n"),
        (replace(ADD, entry="cast"), "class Solution:\n    def cast(self, a, b):\n        return a + b\n"),
        (ADD, "class Solution:\n    def add(self, a: List[int], b: Optional[int]) -> Any:\n        return a + b\n"),
        (ADD, "def add(a, b):\n    return (*a, *b) if isinstance(a, list) else float(a + b)\n"),
        (replace(ADD, hidden=(Case([(1,), (2, (3,))], (1, 2, (3,))),)), RIGHT),
        (ADD, "import sys\n" + RIGHT + "sys.stdout.close(); sys.stderr = None\n"),
        (ADD, "import threading, time\n" + RIGHT + "threading.Thread(target=time.sleep, args=(60,)).start()\n"),
        (SUM, "print(sum(map(int, input().split())))"),
        (SUM, "print(sum(map(int, input().split())), end='  \\n\\n')"),
        (TESTED, RIGHT),
    ],
)
def test_a_right_program_is_accepted_however_it_is_written(problem, code):
    assert set(verdicts(problem, code)) == {"accepted"}


@pytest.mark.parametrize("problem", [ADD, SUM, TESTED])
@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def add(a, b):\n    return a\n\nif __name__ == '__main__':\n    print(input())", "wrong_answer"),
        ("1 / 0", "runtime_error"),
        ("print(", "compile_error"),
        ("def f():\nreturn 1", "compile_error"),
        ("import sys; sys.exit(3)", "runtime_error"),
        ("import os; os.kill(os.getpid(), 9)", "runtime_error"),
        ("x = []\nwhile True:\n    x.append(bytearray(1 << 22))", "memory_limit"),
        ("import os\nwhile True:\n    os.write(2, b'x' * 4096)", "output_limit"),
    ],
)
def test_what_became_of_a_program_is_named(problem, code, verdict):
    one = replace(problem, hidden=problem.hidden[:1])
    assert verdicts(one, code, limits=Limits(seconds=10.0, memory_mb=128)) == [verdict]


@pytest.mark.parametrize("problem", [ADD, SUM])
def test_after_a_time_limit_the_cases_of_later_rounds_are_skipped(problem):
    many = replace(problem, hidden=problem.hidden * 4)
    assert verdicts(many, "while True: pass", limits=Limits(seconds=0.3)) == ["time_limit"] * 4 + ["skipped"] * 4


def test_cases_after_a_failure_are_skipped_unless_every_one_is_wanted():
    many = replace(SUM, hidden=SUM.hidden * 4)
    assert verdicts(many, "print(3)") == ["accepted", "wrong_answer"] * 4
    assert verdicts(many, "print(3)", every=False) == ["accepted", "wrong_answer"] * 2 + ["skipped"] * 4


def test_each_case_runs_in_a_process_and_a_folder_of_its_own():
    code = """
import os
seen = []

def add(a, b):
    seen.append(a)
    there = os.path.exists('left')
    open('left', 'w').close()
    return [len(seen), there]
"""
    case = Case([1, 2], [1, False])
    assert verdicts(replace(ADD, hidden=(case,) * 3), code) == ["accepted"] * 3


def test_a_long_output_that_is_expected_is_no_output_limit():
    text = "7" * 400_000
    long = replace(SUM, hidden=(Case("400000\n", text),))
    assert verdicts(long, "print('7' * int(input()))") == ["accepted"]
    wide = replace(SUM, hidden=(Case("150000\n", "語" * 150_000),))  # of three bytes each
    assert verdicts(wide, "print('語' * int(input()))") == ["accepted"]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (
            "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }",
            "accepted",
        ),
        ("#include <iostream>\nint main() { std::cout << 3; }", "wrong_answer"),
        ("int main() { return 1 }", "compile_error"),
        ("int main() { return 1; }", "runtime_error"),
    ],
)
def test_programs_in_a_compiled_language(code, verdict):
    if "cpp" not in current_sandbox().languages:
        pytest.skip("no C++ compiler is installed")
    assert verdicts(replace(SUM, language="cpp"), code)[1] == verdict


def test_a_value_of_any_size_is_compared():
    huge = 1 << 20_000
    cases = Case([huge, 1], huge + 1), Case([[huge], [1]], [huge, 1]), Case([[0] * 30_000, [1]], [0] * 30_000 + [1])
    assert verdicts(replace(ADD, hidden=cases), RIGHT) == ["accepted"] * 3


def test_the_policy_reads_the_value_and_the_traceback_of_its_own_code_alone():
    wrong, broken = (
        judged(ADD, "def add(a, b):\n    print('hm')\n    return {1: (a, {2})}\n"),
        judged(ADD, "def add(a, b):\n    return a / 0\n"),
    )
    assert (wrong[0].given, wrong[0].error) == ("{1: [1, {2}]}", "hm\n")
    lines = broken[0].error.strip().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'solution.py", line 2, in add' in lines[1]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "main.py" not in broken[0].error


PRETENDERS = {
    "exit": "import os; os._exit(0)",
    "stop": "import sys; sys.exit(0)",
    "stop later": "import atexit, os; atexit.register(os._exit, 0)\ndef add(a, b): exit()",
    "print": "print('accepted'); print({'value': 3}); print('3'); print('2 passed')",
    "report": """
import os
for i in range(2, 20):
    try: os.write(i, b'{"value": 3, "tests": 2, "failures": 0}')
    except OSError: pass
os._exit(0)
""",
    "patched json": """
import json
json.dumps = lambda *a, **k: '{"accepted": true}'
def add(a, b): return None
""",
    "deep json": """
import json
json.dumps = lambda *a, **k: '[' * 100000
def add(a, b): return None
""",
    "patched stdout": """
import io, sys
sys.stdout = io.StringIO('accepted')
def add(a, b): return None
""",
    "patched builtins": """
import builtins
builtins.isinstance = builtins.bool = lambda *a: True
def add(a, b): return None
""",
    "equal to all": """
class Same(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    def __hash__(self): return 0
def add(a, b): return Same('nan')
""",
    "nan": "def add(a, b): return float('nan')",
    "inf": "def add(a, b): return float('inf')",
    "no modules": """
import sys
for name in list(sys.modules): sys.modules[name] = None
def add(a, b): return None
""",
    "exit by a thread": """
import os, threading
threading.Timer(0, os._exit, (0,)).start()
def add(a, b):
    while True: pass
""",
    "a child goes on": "import os\nif os.fork(): os._exit(0)\nprint(3)",
    "closed streams": """
import os
os.close(1); os.close(2)
def add(a, b): os.close(0)
""",
    "patched harness": """
import __main__
for name, value in vars(__main__).copy().items():
    if callable(value) and not name.startswith('__'): setattr(__main__, name, lambda *a, **k: True)
def add(a, b): return None
""",
}
IN_THE_SAME_PROCESS = ("equal to all", "patched harness")
"""What tests that run beside the program cannot hold out against."""


@pytest.mark.parametrize("name", PRETENDERS)
def test_a_program_that_pretends_is_never_accepted(name):
    for problem, case in ((ADD, Case([1, 2], SECRET)), (SUM, Case("1 2\n", str(SECRET)))):
        assert verdicts(replace(problem, hidden=(case,)), PRETENDERS[name], limits=Limits(seconds=2.0)) != ["accepted"]


@pytest.mark.parametrize("name", [name for name in PRETENDERS if name not in IN_THE_SAME_PROCESS])
def test_tests_that_did_not_run_have_not_passed(name):
    assert verdicts(TESTED, PRETENDERS[name], limits=Limits(seconds=2.0)) != ["accepted"]


def test_what_is_expected_lies_nowhere_in_the_sandbox():
    code = """
import gc, os, sys
def texts():
    for top in ('.', '/scratch', '/tmp'):
        for folder, _, names in os.walk(top):
            for name in names:
                try: yield open(os.path.join(folder, name), 'rb').read()
                except OSError: pass
    for frame in sys._current_frames().values():
        while frame:
            yield repr(frame.f_locals).encode()
            frame = frame.f_back
    for item in gc.get_objects():
        if isinstance(item, (dict, list, tuple)):
            try: yield repr(item).encode()
            except Exception: pass
    yield repr(os.environ).encode() + repr(sys.argv).encode()
def add(a, b):
    return any(str(a * 546372819)[::-1].encode() in text for text in texts())
"""
    case = Case([1, 2], SECRET)
    told = Case([1, SECRET], SECRET)
    (looked, found) = judged(replace(ADD, hidden=(case, told)), code, Limits(seconds=30.0))
    assert (looked.given, found.given) == ("False", "True")


reports = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "set", "dict", "int", "failed", "tests", "failures"]), inner)
    ),
    max_leaves=8,
)
EXPECTED = ({1: "a"}, {"b": {1, 2}}, [1, 2.0], 1 << 20_000, {(1, 2)})


@given(reports, st.sampled_from([(style, Case([1], value)) for style in ("function", "pytest") for value in EXPECTED]))
@example({"value": {"dict": 5}}, ("function", Case([1], {1: 2})))
@example({"value": {"set": [{}]}}, ("function", Case([1], {1})))
@example({"failed": []}, ("function", Case([1], 1)))
def test_whatever_is_reported_has_a_verdict(report, tested):
    style, case = tested
    result = Result(Status.FINISHED, 0, "mark" + json.dumps(report))
    one = STYLES[style].judged(case, result, '{"mark": "mark"}')
    assert one.verdict is not Verdict.ACCEPTED or style == "pytest"


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_a_value_that_nests_too_deep_is_no_answer(depth):
    result = Result(Status.FINISHED, 0, 'mark{"value": ' + "[" * depth + "]" * depth + "}")
    for expected in (1, [[]], {(1, 2)}):
        one = STYLES["function"].judged(Case([1], expected), result, '{"mark": "mark"}')
        assert one.verdict in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR)


def test_a_report_under_another_mark_is_none():
    for text in ('{"value": 3}', ' mark{"value": 3}', '3mark{"value": 3}', 'mark{"value": 3} mark{"value": 3}'):
        none = STYLES["function"].judged(ADD.hidden[0], Result(Status.FINISHED, 0, text), '{"mark": "mark"}')
        assert none.verdict is Verdict.RUNTIME_ERROR
    result = Result(Status.FINISHED, 0, 'mark{"value": 3}\n')
    assert STYLES["function"].judged(ADD.hidden[0], result, '{"mark": "mark"}').verdict is Verdict.ACCEPTED
    assert STYLES["function"].judged(ADD.hidden[0], result, '{"mark": "other"}').verdict is Verdict.RUNTIME_ERROR


class Failing:
    """A fake sandbox: what a broken one answers cannot be had from the real one."""

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        return [Result(Status.INFRASTRUCTURE, message="it is down")] * len(inputs)


class Slow(Failing):
    """A fake sandbox that is too slow, as the real one is on a machine that is busy."""

    async def run(self, program: Program, stdin: str = "") -> Result:
        return Result(Status.TIME_LIMIT)


def test_a_sandbox_that_is_slow_is_not_one_without_pytest():
    problem = replace(ADD, style="pytest", hidden=(Case("import pytest"),))
    with pytest.raises(InfrastructureError, match="time_limit"):
        asyncio.run(judge(Slow(), problem, RIGHT, problem.hidden, LIMITS))


def test_a_sandbox_that_fails_gives_no_verdict():
    with pytest.raises(InfrastructureError, match="it is down"):
        asyncio.run(judge(Failing(), ADD, RIGHT, ADD.hidden, LIMITS))


@pytest.mark.parametrize(
    ("tests", "code", "verdict"),
    [
        (TESTS, "def add(a, b):\n    return 3\n", "wrong_answer"),
        (TESTS, "def plus(a, b):\n    return 3\n", "wrong_answer"),
        ("from solution import *\nassert add(1, 2) == 3\n", RIGHT, "accepted"),
        ("from solution import *\nassert add(1, 2) == 4\n", RIGHT, "wrong_answer"),
        ("def test_nothing():\n    pass\n", "1 / 0", "runtime_error"),
        ("from solution import *\nasync def test_add():\n    assert add(1, 2) == 4\n", RIGHT, "wrong_answer"),
    ],
)
def test_files_of_tests(tests, code, verdict):
    assert verdicts(replace(TESTED, hidden=(Case(tests),)), code) == [verdict]


NEED_PYTEST = """
import pytest
from solution import add

@pytest.mark.parametrize('a', [0, 1, 2])
def test_adds(a, tmp_path):
    assert add(a, 1) == a + 1

@pytest.mark.xfail
def test_sees():
    assert add(0, 0) == 1

@pytest.mark.skip
def test_flies():
    assert add(0, 0) == 1
"""
TEST_CASE = """
from unittest import TestCase
from solution import add

class Adding(TestCase):
    def test_adds(self):
        self.assertEqual(add(1, 2), 3)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "code", "verdict"),
    [
        (NEED_PYTEST, RIGHT, "accepted"),
        (NEED_PYTEST, "def add(a, b):\n    return 3\n", "wrong_answer"),
        (NEED_PYTEST, "import os; os._exit(0)", "runtime_error"),
        (NEED_PYTEST, "import pytest\ndef add(a, b):\n    pytest.skip('')\n", "wrong_answer"),
        (NEED_PYTEST, "import pytest\ndef add(a, b):\n    pytest.xfail('')\n", "wrong_answer"),
        (
            NEED_PYTEST,
            "import pytest\ndef add(a, b):\n    return a + b if a < 2 else pytest.exit('', 0)\n",
            "wrong_answer",
        ),
        (NEED_PYTEST, "def add(a, b):\n    if a < 2: return a + b\n    raise KeyboardInterrupt\n", "wrong_answer"),
        (TEST_CASE, RIGHT, "accepted"),
        (TEST_CASE, "def add(a, b):\n    return 4\n", "wrong_answer"),
    ],
)
def test_files_that_need_pytest_are_run_by_it(tests, code, verdict):
    assert verdicts(replace(TESTED, hidden=(Case(tests),)), code, limits=Limits(seconds=60.0)) == [verdict]


def test_functions_are_in_python():
    with pytest.raises(UserError, match="problem 'add': style function needs Python, this is cpp"):
        judged(replace(ADD, language="cpp"), RIGHT)


def test_a_verdict_is_a_word_for_the_metrics():
    assert json.dumps([verdict.value for verdict in Verdict]).islower()
