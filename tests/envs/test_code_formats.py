"""The public formats: rows of our own in their shape become problems that their own solutions solve."""

import asyncio
import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl import make
from agent_rl.core.errors import UserError
from agent_rl.envs.code.formats.livecodebench import unpacked
from agent_rl.envs.code.judge import judge
from agent_rl.envs.code.loading import problem_set, read_problems
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.sandbox.current import current_sandbox


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


HUMAN_EVAL = {
    "task_id": "Ours/0",
    "prompt": 'def halves(n: int) -> list:\n    """Split n in two.\n    >>> halves(5)\n    [3, 2]\n    """\n',
    "canonical_solution": "    return [n - n // 2, n // 2]\n",
    "entry_point": "halves",
    "test": "def check(given):\n    assert True, 'so'\n    assert given(4) == [2, 2]\n    assert given(7) == [4, 3]\n",
}
LOOPED = HUMAN_EVAL | {
    "task_id": "Ours/1",
    "test": "def check(candidate):\n    for n in range(9):\n        assert sum(candidate(n)) == n\n",
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to count the vowels of a word.",
    "code": "def vowels(word):\n    return sum(c in 'aeiou' for c in word)\n",
    "test_list": ["assert vowels('house') == 3", "assert vowels('') == 0"],
    "test_setup_code": "",
    "challenge_test_list": ["assert vowels('aeiou') == 5"],
}
SANITIZED = {
    "task_id": 8,
    "prompt": "Write a function to return the sine of an angle in degrees.",
    "code": "import math\n\ndef sine(angle):\n    return math.sin(math.radians(angle))\n",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(sine(30), 0.5)", "assert sine(0) == 0"],
}
APPS = {
    "problem_id": 3,
    "question": "Double each number of a line.",
    "solutions": json.dumps(["print(*(2 * int(x) for x in input().split()))", "pass"]),
    "input_output": json.dumps({"inputs": ["1 2\n", ["3", ""], "4\n"], "outputs": ["2 4\n", ["6"], "8\n"]}),
    "difficulty": "introductory",
    "url": "",
    "starter_code": "",
}
APPS_CALL = APPS | {
    "problem_id": 4,
    "solutions": json.dumps(
        ["class Solution:\n    def twice(self, x: List[int]) -> List[int]:\n        return x + x\n"]
    ),
    "input_output": json.dumps(
        {"fn_name": "twice", "inputs": [[[1]], [[2, 3]]], "outputs": [[[1, 1]], [[2, 3, 2, 3]]]}
    ),
    "starter_code": "class Solution:\n    def twice(self, x: List[int]) -> List[int]:",
}
LIVE = {
    "question_title": "Backwards",
    "question_content": "Print a word backwards.",
    "platform": "ours",
    "question_id": "back-1",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "abc\n", "output": "cba\n", "testtype": "stdin"}]),
    "private_test_cases": packed(json.dumps([{"input": "ä1", "output": "1ä", "testtype": "stdin"}])),
    "metadata": "{}",
}
LIVE_CALL = LIVE | {
    "question_id": "back-2",
    "starter_code": "class Solution:\n    def back(self, word: str, times: int) -> str:",
    "public_test_cases": json.dumps([{"input": '"abc"\n1', "output": '"cba"', "testtype": "functional"}]),
    "private_test_cases": json.dumps([{"input": '"abc"\n2', "output": '"abc"', "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "back"}),
}
PRIME = {
    "data_source": "taco",
    "prompt": [{"role": "system", "content": "Think."}, {"role": "user", "content": "Print the sum of a line."}],
    "ability": "code",
    "reward_model": {"style": "rule", "ground_truth": json.dumps({"inputs": ["1 2", "3"], "outputs": ["3", "3"]})},
    "extra_info": {"split": "train", "index": 5},
}
COMMON = {
    "id": 12,
    "content": "Print the longest word of a line.",
    "labels": {"programming_language": "python", "difficulty": "easy"},
    "test": [{"input": {"stdin": "a bcd ef\n"}, "output": {"stdout": "bcd\n"}}],
}
PLAIN = {
    "id": "own",
    "statement": "Return the argument.",
    "style": "function",
    "entry": "same",
    "public": [{"input": [1], "expected": 1}],
    "hidden": [{"input": [[1, 2]], "expected": [1, 2]}],
    "solution": "def same(x):\n    return x\n",
}
ROWS = {
    "humaneval": [HUMAN_EVAL, LOOPED],
    "mbpp": [MBPP, SANITIZED],
    "apps": [APPS, APPS_CALL],
    "livecodebench": [LIVE, LIVE_CALL],
    "prime_code": [PRIME],
    "common_oj": [COMMON],
    "plain": [PLAIN],
}
SOLUTIONS = {
    "back-1": "print(input()[::-1])",
    "back-2": "class Solution:\n    def back(self, word, times):\n        return word[:: (-1) ** times]\n",
    "taco-train-5": "print(sum(map(int, input().split())))",
    "12": "print(max(input().split(), key=len))",
}


def written(folder: Path, rows: list[Any]) -> Path:
    file = folder / f"rows{len(list(folder.iterdir()))}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def read(folder: Path, *rows: Any, form: Any = None) -> list[CodeProblem]:
    return list(read_problems(written(folder, list(rows)), form).values())


@pytest.mark.parametrize("form", ROWS)
def test_the_solution_of_a_row_passes_its_tests_and_a_wrong_one_does_not(form, tmp_path):
    problems = read(tmp_path, *ROWS[form])
    assert problems == read(tmp_path, *ROWS[form], form=form)
    for problem in problems:
        code = problem.solution or SOLUTIONS[problem.id]
        for cases in (problem.public, problem.hidden):
            judged = asyncio.run(judge(current_sandbox(), problem, code, cases, Limits(seconds=30)))
            assert {one.verdict.value for one in judged} <= {"accepted"}
        judged = asyncio.run(judge(current_sandbox(), problem, "def f(): pass", problem.hidden, Limits()))
        assert "accepted" not in {one.verdict.value for one in judged}


def test_assertions_that_are_calls_with_literals_are_compared_outside_and_others_run_inside(tmp_path):
    plain, looped = read(tmp_path, HUMAN_EVAL, LOOPED)
    assert (plain.style, plain.hidden) == ("function", (Case([4], [2, 2]), Case([7], [4, 3])))
    assert plain.public == (Case([5], [3, 2]),)
    assert (looped.style, looped.public, len(looped.hidden)) == ("pytest", (), 1)
    one, other = read(tmp_path, MBPP, SANITIZED)
    assert (one.style, one.public, one.hidden[2]) == ("function", (Case(["house"], 3),), Case(["aeiou"], 5))
    assert (other.style, other.entry, other.public) == ("pytest", "sine", other.hidden[:1])
    assert "assert vowels('house') == 3" in one.statement
    assert "vowels('')" not in one.statement


def test_values_that_are_each_in_a_list_are_taken_out(tmp_path):
    (problem,) = read(tmp_path, APPS_CALL)
    assert problem.hidden == (Case([[1]], [1, 1]), Case([[2, 3]], [2, 3, 2, 3]))


def test_what_a_format_says_is_kept(tmp_path):
    apps, _ = read(tmp_path, APPS, APPS_CALL)
    assert (apps.id, apps.difficulty, apps.hidden[1]) == ("apps-3", "introductory", Case("3\n", "6"))
    live, call = read(tmp_path, LIVE, LIVE_CALL)
    assert (live.public, live.hidden[1]) == ((Case("abc\n", "cba\n"),), Case("ä1", "1ä"))
    assert call.hidden == (Case(["abc", 1], "cba"), Case(["abc", 2], "abc"))
    assert "def back(self" in call.statement
    (prime,) = read(tmp_path, PRIME)
    assert (prime.id, prime.statement) == ("taco-train-5", "Print the sum of a line.")
    (other,) = read(tmp_path, COMMON | {"labels": json.dumps({"programming_language": "cpp"})})
    assert (other.id, other.language) == ("12", "cpp")


def test_parquet_files_are_read_alike(tmp_path):
    rows = [MBPP | {"test_list": MBPP["test_list"]}, MBPP | {"task_id": 9}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert list(read_problems(tmp_path / "rows.parquet", None)) == ["mbpp-7", "mbpp-9"]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([PRIME]), tmp_path / "prime.parquet")
    assert list(read_problems(tmp_path / "prime.parquet", None).values()) == read(tmp_path, PRIME)


@pytest.mark.parametrize(
    ("rows", "form", "problem"),
    [
        ([MBPP, {}], None, "rows0.jsonl, line 2: mbpp needs the column 'test_list'"),
        ([MBPP, [1]], None, "line 2: mbpp: a problem is an object, this is a list"),
        ([MBPP, MBPP], None, "line 2: mbpp: the id 'mbpp-7' is that of an earlier line already"),
        ([{"a": 1, "b": 2}], None, "line 1: problem: no format has the columns a, b; say which it is with env.format"),
        ([APPS], "mbpp", "line 1: mbpp needs the column 'test_list'"),
        ([APPS | {"input_output": "{"}], None, "line 1: apps: Expecting property name"),
        ([APPS | {"input_output": '{"inputs": ["1"], "outputs": []}'}], None, "apps: 1 inputs and 0 outputs"),
        ([HUMAN_EVAL | {"test": "x = 1"}], None, "humaneval: the test has no function 'check'"),
        ([HUMAN_EVAL | {"test": "def"}], None, "line 1: humaneval: invalid syntax"),
        ([MBPP | {"test_list": ["assert True"]}], None, "the first of test_list calls no function of the code"),
        ([LIVE | {"private_test_cases": "AAAA"}], None, "livecodebench: private_test_cases cannot be unpacked: "),
        ([PRIME | {"prompt": []}], None, "prime_code: the prompt has no message of a user"),
        ([COMMON | {"test": []}], None, "common_oj: there are no tests"),
        ([PLAIN | {"style": "odd"}], None, "plain: style must be one of stdio, function, pytest, not 'odd'"),
        ([PLAIN | {"entry": ""}], None, "plain: style function needs the column 'entry'"),
        ([PLAIN | {"language": "cpp"}], None, "plain: style function needs Python, not the language 'cpp'"),
        ([PLAIN | {"publik": []}], None, "plain: unknown column 'publik', did you mean 'public'? (there are: id, "),
        ([PLAIN | {"statement": 5}], None, "plain: the statement must be a text"),
        ([PLAIN | {"hidden": [["1", "2"]]}], None, "plain: a test is an object, this is a list"),
        ([PLAIN | {"public": [{"input": 1, "expected": 1}]}], None, "function needs a list of arguments as 'input'"),
        ([PLAIN | {"hidden": [{"input": [1]}]}], None, "function needs a list of arguments as 'input' and a value as"),
        ([PLAIN | {"hidden": [{"imput": [1], "expected": 1}]}], None, "function needs a list of arguments as 'input'"),
        ([PLAIN | {"style": "stdio"}], None, "plain: style stdio needs texts as 'input' and 'expected' in each test"),
        ([PLAIN | {"style": "stdio", "hidden": [{"input": "1"}]}], None, "stdio needs texts as 'input' and 'expected'"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_with_its_line(rows, form, problem, tmp_path):
    with pytest.raises(UserError) as caught:
        read(tmp_path, *rows, form=form)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


class Harmful:
    """What runs something when a pickle of it is loaded."""

    def __reduce__(self) -> Any:
        return (Path("pickled").touch, ())


@pytest.mark.parametrize("value", [Harmful(), ["[]"], ("[]", "[]"), b"[]", None, len, {"a": "b"}])
def test_a_pickle_of_anything_but_a_text_is_refused_and_not_loaded(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="private_test_cases hold more than a text"):
        unpacked(packed(value))
    assert list(tmp_path.iterdir()) == []


@given(st.text(), st.integers(0, 5))
def test_a_text_is_unpacked_whatever_it_holds_and_however_it_was_pickled(text, protocol):
    data = zlib.compress(pickle.dumps(text, protocol))
    assert unpacked(base64.b64encode(data).decode()) == text


@given(st.binary(max_size=60))
def test_anything_else_is_an_error_that_says_so(data):
    for given_ in (base64.b64encode(data).decode(), base64.b64encode(zlib.compress(data)).decode()):
        try:
            assert isinstance(unpacked(given_), str)
        except ValueError as error:
            assert "private_test_cases" in str(error)


def test_problems_are_dealt_to_the_splits_by_their_ids(tmp_path):
    rows = [PLAIN | {"id": f"p{n}"} for n in range(200)]
    place = str(written(tmp_path, rows))
    train, test = (set(problem_set(place, split, None, 0.25)) for split in ("train", "test"))
    assert not train & test
    assert len(train | test) == 200
    assert 30 < len(test) < 70
    longer = str(written(tmp_path, [*rows, PLAIN | {"id": "new"}]))
    assert set(problem_set(longer, "test", None, 0.25)) - {"new"} == test
    assert len(problem_set(place, "test", None, 1.0)) == 200


def test_each_split_may_have_a_file_of_its_own(tmp_path):
    for split in ("train", "test"):
        written(tmp_path, [PLAIN | {"id": split}]).rename(tmp_path / f"{split}.jsonl")
    env = make("code", problems=str(tmp_path / "{split}.jsonl"))
    assert [[task.id for task in env.tasks(split)] for split in ("train", "test")] == [["train"], ["test"]]
    with pytest.raises(UserError, match="unknown split 'tets', did you mean 'test'"):
        env.tasks("tets")
