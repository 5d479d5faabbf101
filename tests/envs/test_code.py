"""The environment `code`, played: in one turn, in several, and what is paid for what."""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from pydantic import ValidationError

from agent_rl import make
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.errors import NotProvidedError, UserError
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.task import Task
from agent_rl.envs.checker import check_environment
from agent_rl.envs.code import env as code_env
from agent_rl.envs.code.answers import program_in
from agent_rl.envs.section import EnvSection
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.sandbox.base import Result, Status

RIGHT = "def most(xs):\n    return max(xs, default=None)\n"
NEARLY = "def most(xs):\n    return max(xs)\n"
WRONG = "def most(xs):\n    return 1\n"
PROBLEM = {
    "id": "most",
    "statement": "Return the greatest number, None where there is none.",
    "style": "function",
    "entry": "most",
    "difficulty": "easy",
    "public": [{"input": [[1]], "expected": 1}, {"input": [[1, 2]], "expected": 2}],
    "hidden": [{"input": [xs], "expected": max(xs, default=None)} for xs in ([3], [], [4, 5], [1])],
    "solution": RIGHT,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("problems") / "problems.jsonl"
    rows = [PROBLEM, *(PROBLEM | {"id": f"more{n}", "statement": f"{n}: {PROBLEM['statement']}"} for n in range(3))]
    rows.append(PROBLEM | {"id": "unsolved", "solution": "", "difficulty": "hard"})
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def begun(file: Path, **settings: object) -> ToolEnv:
    env = make("code", problems=str(file), test_share=0.0, **settings)
    env.reset(options={"task_id": "most"})
    return env


def played(env: ToolEnv, actions: Iterable[Message]) -> tuple[list[str], list[float], bool]:
    """Return what was answered, the reward of each turn, and whether the episode is over."""
    said, rewards, over = [], [], False
    for action in actions:
        observation, reward, over, *_ = env.step(action)
        said += [message["content"] for message in observation]
        rewards.append(reward)
    return said, rewards, over


def fenced(code: str) -> Message:
    return assistant(f"This is it:\n\n```python\n{code}```\n")


def called(name: str, code: str) -> Message:
    return assistant("", [tool_call(name, {"code": code})])


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\nx\n```", "x\n"),
        ("```\nx\n```\nor\n```py\ny\n  z\n```\nbye", "y\n  z\n"),
        ("  ```python\n  x\n  ```", "  x\n"),
        ("```python\nprint('```')\n```", "print('```')\n"),
        ("```python\nx\n```\n```python\nit was cut", "x\n"),
        ("```python\nit was cut", ""),
        ("x = 1", ""),
        ("", ""),
    ],
)
def test_the_program_is_the_last_complete_block(text, program):
    assert program_in(text) == program


@pytest.mark.parametrize(
    ("code", "solved", "share"), [(RIGHT, 1.0, 1.0), (NEARLY, 0.0, 0.75), (WRONG, 0.0, 0.25), ("", 0.0, 0.0)]
)
def test_one_turn_is_paid_by_the_hidden_tests(code, solved, share, file):
    assert played(begun(file), [fenced(code)])[1:] == ([solved], True)
    weighted = begun(file, weights={"solved": 0.5, "share": 2.0})
    assert played(weighted, [fenced(code)])[1] == [0.5 * solved + 2 * share]


def test_tests_are_run_and_mended_and_handed_in(file):
    env = begun(file, turns=4)
    said, rewards, over = played(env, [called("run_tests", "def most(xs):\n    return xs[0] / 0\n")])
    assert said[0].startswith("0 of 2 tests passed.\n\nTest 1: runtime error\nInput: most([1])\nTraceback")
    assert "ZeroDivisionError: division by zero" in said[0]
    said, rewards, over = played(env, [called("run_tests", WRONG), called("submit", RIGHT)])
    assert said == [
        "1 of 2 tests passed.\n\nTest 2: wrong answer\nInput: most([1, 2])\nGot: 1\nExpected: 2",
        "Handed in.",
    ]
    assert (rewards, over) == ([0.0, 1.0], True)


def test_public_tests_are_paid_once_where_progress_is(file):
    env = begun(file, turns=9, weights={"progress": 0.5})
    codes = ["1 / 0", WRONG, WRONG, "def most(xs):\n    return 2\n", NEARLY]
    assert played(env, [called("run_tests", code) for code in codes])[1] == [0.0, 0.25, 0.0, 0.25, 0.0]
    assert played(env, [called("submit", RIGHT)])[1] == [1.0]


@pytest.mark.parametrize(
    ("actions", "reward"),
    [
        ([fenced(RIGHT)], 1.0),
        ([called("run_tests", RIGHT), assistant("I am done.")], 1.0),
        ([called("run_tests", RIGHT), fenced(WRONG)], 0.0),
        ([called("run_tests", RIGHT), called("submit", WRONG)], 0.0),
        ([called("run_tests", WRONG), called("run_tests", WRONG), called("run_tests", RIGHT)], 1.0),
        ([assistant("", [tool_call("submit", {"code": c}, i) for i, c in enumerate((RIGHT, WRONG))])], 0.0),
    ],
)
def test_what_counts_is_what_was_handed_in_else_the_answer_else_the_last_that_was_tested(actions, reward, file):
    _, rewards, over = played(begun(file, turns=3), actions)
    assert (rewards[-1], over) == (reward, True)


def test_a_run_beyond_the_last_hands_in(file):
    said, _, over = played(begun(file, turns=2), [called("run_tests", WRONG), called("run_tests", WRONG)])
    assert (said[1], over) == ("No runs are left. Handed in.", True)


def test_verdicts_are_counted_and_so_named_in_the_metrics(file):
    context = EpisodeContext("e")
    env = begun(file, weights={"share": 1.0})
    enter(context)
    played(env, [fenced(NEARLY)])
    assert {name: n for name, n in context.counters.items() if name.startswith("code/")} == {
        "code/accepted": 3,
        "code/runtime_error": 1,
    }


def test_an_answer_without_a_program_is_counted_and_nothing_is_run(file, monkeypatch):
    context = EpisodeContext("e")
    env = begun(file)
    monkeypatch.setattr(code_env, "current_sandbox", None)
    enter(context)
    assert played(env, [assistant(RIGHT)]) == ([], [0.0], True)
    assert context.counters == {"code/no_program": 1, "code/skipped": 4}


def test_a_sandbox_that_fails_is_no_reward(file, monkeypatch):
    class Down:
        async def run_each(self, program, inputs):
            return [Result(Status.INFRASTRUCTURE, message="it is down") for _ in inputs]

    monkeypatch.setattr(code_env, "current_sandbox", Down)
    with pytest.raises(InfrastructureError, match="sandbox: it is down"):
        begun(file).step(fenced(RIGHT))
    with pytest.raises(InfrastructureError, match="sandbox: it is down"):
        begun(file, turns=2).step(called("run_tests", RIGHT))


def test_hidden_tests_are_not_in_what_the_policy_or_the_trajectory_sees(file):
    env = begun(file, turns=3)
    task = env.tasks("train")["most"]
    seen = json.dumps([task.messages, task.answer, task.data, played(env, [called("run_tests", WRONG)])[0]])
    assert "[4, 5]" not in seen


def test_problems_can_be_chosen_by_difficulty(file):
    chosen = make("code", problems=str(file), test_share=0.0, difficulties=["hard"])
    assert [task.id for task in chosen.tasks("train")] == ["unsolved"]
    with pytest.raises(NotProvidedError, match="problem 'unsolved' has no solution"):
        chosen.solution(chosen.tasks("train")[0])


def test_a_difficulty_that_no_problem_has_is_refused_beside_others_that_some_have(file):
    told = r"^env.difficulties: no problem is 'easyy', did you mean 'easy'\? \(there are: easy, hard\)$"
    with pytest.raises(UserError, match=told):
        make("code", problems=str(file), difficulties=["hard", "easyy"]).tasks("train")


def test_a_difficulty_that_one_file_of_two_has_is_none_to_refuse(tmp_path):
    for split, difficulty in (("train", "easy"), ("test", "hard")):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(PROBLEM | {"id": split, "difficulty": difficulty}))
    env = make("code", problems=str(tmp_path / "{split}.jsonl"), difficulties=["easy", "hard"])
    assert [task.id for split in ("train", "test") for task in env.tasks(split)] == ["train", "test"]


def test_a_file_of_tasks_is_refused_at_once(tmp_path):
    with pytest.raises(ValidationError, match=r"no tests; give a file of problems by env.problems"):
        EnvSection(name="code", tasks=str(tmp_path / "tasks.jsonl"))


def test_a_language_that_the_sandbox_does_not_have_is_told_before_any_program_is_judged(tmp_path):
    row = {"id": "a", "statement": "?", "hidden": [{"input": "", "expected": ""}], "language": "pyton"}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    env = make("code", problems=str(tmp_path / "p.jsonl"), test_share=0)
    told = r"^problem 'a' is in 'pyton', which the sandbox does not have, did you mean 'python'\? \(it has: python, "
    with pytest.raises(UserError, match=told):
        env.tasks("train")


def test_a_split_without_a_problem_names_the_setting_that_leaves_it_so(file, tmp_path):
    with pytest.raises(UserError, match=r"^env.difficulties=\[hard\] leaves split 'test' without a problem$"):
        make("code", problems=str(file), difficulties=["hard"], test_share=0).tasks("test")
    with pytest.raises(UserError, match=r"^env.test_share=1 leaves split 'train' without a problem$"):
        make("code", problems=str(file), test_share=1).tasks("train")
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(UserError, match=r"none.jsonl has no problems$"):
        make("code", problems=str(tmp_path / "none.jsonl")).tasks("train")


def test_a_task_that_is_no_problem_is_refused(file):
    with pytest.raises(UserError, match=r"task 'other' is no problem of env.problems"):
        begun(file).reset(options={"task": Task("other", ())})


@pytest.mark.parametrize("turns", [1, 3])
def test_demonstrations_are_solutions_as_they_are_played(turns, file):
    env = make("code", problems=str(file), test_share=0.0, difficulties=["easy"], turns=turns)
    shown = env.demonstrate(Random(1))
    assert shown == env.demonstrate(Random(1))
    assert RIGHT.rstrip() in json.loads(json.dumps(shown.messages[2]["content"])) or turns == 3
    assert [schema["function"]["name"] for schema in shown.tools] == (["run_tests", "submit"] if turns == 3 else [])


@pytest.mark.parametrize("settings", [{}, {"turns": 3, "weights": {"solved": 1.0, "share": 0.5, "progress": 0.25}}])
def test_every_check_passes(settings, tmp_path):
    for split in ("train", "test"):
        row = PROBLEM | {
            "id": split,
            "statement": split,
            "public": PROBLEM["public"][1:],
            "hidden": PROBLEM["hidden"][2:3],
        }
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row))
    section = EnvSection(name="code", problems=str(tmp_path / "{split}.jsonl"), **settings)
    findings = list(check_environment(section))
    assert {"gymnasium", "splits", "solution", "wrong answer", "malformed calls"} <= {f.name for f in findings}
    assert [finding for finding in findings if not finding.passed] == []


@pytest.mark.slow
def test_builtin_problems_are_the_default_and_solved_by_their_solutions():
    env = make("code", seconds=20.0)
    tasks = [*env.tasks("train"), *env.tasks("test")]
    assert {task.attributes["difficulty"] for task in tasks} == {"easy", "medium", "hard"}
    for task in tasks[::40]:
        env.reset(options={"task": task})
        assert env.step(env.solution(task)[0])[1] == 1.0, task.id
