import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Group, Trajectory, Turn
from agent_rl.evaluation.comparison import Comparison, compare, read_sides, write_page
from agent_rl.evaluation.comparison.sides import find
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.results import Subject, summarize
from agent_rl.evaluation.statistics import mcnemar, paired

Rewards = dict[str, Sequence[float | None]]  # of each task's episodes; None is one that infrastructure failed


def episode(task: str, sample: int, reward: float | None, hops: int, asked: str, said: str) -> Trajectory:
    failure = Failure(Cause.INFRASTRUCTURE, "engine", "gone") if reward is None else None
    return Trajectory(
        task,
        sample,
        attributes={"hops": hops},
        turns=[Turn(reward=reward or 0.0)],
        messages=[{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
        stop=StopReason.FAILED if failure else StopReason.ANSWERED if reward else StopReason.TURN_LENGTH,
        failure=failure,
    )


def record(
    folder: Path, rewards: Rewards, asked: str = "Which country?", said: str = "France", **about: Any
) -> EvaluationFolder:
    """Write an evaluation in which task `t5` has 5 % 3 + 1 hops."""
    n = max(map(len, rewards.values()))
    subject = {"env": "search", "model": "m", "split": "test", "n": n, "temperature": 1.0, "seed": 0, "success_at": 1.0}
    groups = [
        Group(task, [episode(task, i, x, int(task[1:]) % 3 + 1, asked, said) for i, x in enumerate(found)])
        for task, found in rewards.items()
    ]
    place = EvaluationFolder(folder)
    place.record(groups, summarize(groups, Subject(**subject | about)))
    return place


def play(seed: int, chance: Callable[[int], float], tasks: int = 90, n: int = 4) -> Rewards:
    drawn = random.Random(seed)
    return {f"t{t}": [float(drawn.random() < chance(t % 3 + 1)) for _ in range(n)] for t in range(tasks)}


def compared(tmp_path: Path, a: Rewards, b: Rewards, metric: str = "success") -> Comparison:
    record(tmp_path / "a", a)
    record(tmp_path / "b", b)
    return compare(*read_sides([tmp_path / "a", tmp_path / "b"]), metric)


def test_an_evaluation_does_not_differ_from_itself(tmp_path: Path) -> None:
    rewards = play(0, lambda hops: 0.5)
    found = compared(tmp_path, rewards, rewards)
    assert (found.row.paired.difference, found.row.paired.p, found.mcnemar) == (0.0, 1.0, 1.0)
    assert found.row.paired.low < 0 < found.row.paired.high
    assert not found.won and not found.lost and not found.warnings


def test_a_better_model_is_found_better_where_it_is(tmp_path: Path) -> None:
    found = compared(tmp_path, play(0, lambda hops: 0.5), play(1, lambda hops: 0.5 if hops == 1 else 0.95))
    assert found.row.paired.low > 0
    assert found.row.paired.p < 0.001
    assert found.mcnemar < 0.001
    holm = {hops: row.holm for hops, row in found.by["hops"].items()}
    assert list(holm) == ["1", "2", "3"]
    assert holm["1"] > 0.05 > 0.001 > holm["2"] and holm["3"] < 0.001  # type: ignore[operator]
    assert all(row.holm >= row.paired.p for row in found.by["hops"].values())  # type: ignore[operator]
    answered = {row.name: row.paired for row in found.stops}["stop/answered"]
    assert answered.low > 0


def test_the_unit_is_the_task_and_pairs_are_made_by_its_id(tmp_path: Path) -> None:
    a = play(0, lambda hops: 0.4, tasks=30)
    b = dict(reversed(play(1, lambda hops: 0.6, tasks=30).items()))
    found = compared(tmp_path, a, b)
    differences = [sum(b[task]) / 4 - sum(a[task]) / 4 for task in a]
    assert vars(found.row.paired) == pytest.approx(vars(paired(differences, share=True)))
    assert {change.task for change in found.won} == {task for task in a if sum(b[task]) > sum(a[task])}
    assert found.mcnemar == mcnemar(sum(d > 0 for d in differences), sum(d < 0 for d in differences))


def test_with_one_episode_a_task_it_is_mcnemars_test_on_the_discordant_pairs(tmp_path: Path) -> None:
    a = {f"t{t}": [float(t < 12)] for t in range(30)}
    b = {f"t{t}": [float(3 <= t < 25)] for t in range(30)}
    found = compared(tmp_path, a, b)
    assert (len(found.won), len(found.lost)) == (13, 3)
    assert found.mcnemar == mcnemar(13, 3)


def test_the_largest_wins_and_losses_come_first(tmp_path: Path) -> None:
    found = compared(tmp_path, {"t1": [0, 0], "t2": [0, 0], "t3": [1, 1]}, {"t1": [1, 0], "t2": [1, 1], "t3": [0, 1]})
    assert [(change.task, change.a, change.b) for change in found.won] == [("t2", 0.0, 1.0), ("t1", 0.0, 0.5)]
    assert [change.task for change in found.lost] == ["t3"]


def test_what_infrastructure_failed_is_beside_the_figures(tmp_path: Path) -> None:
    found = compared(tmp_path, {"t1": [1, None], "t2": [None, None], "t3": [1, 1]}, {"t1": [1, 1], "t2": [0, 0]})
    assert found.tasks == 1
    assert found.row.paired.difference == 0
    assert (found.only_a, found.only_b) == (["t3"], ["t2"])
    assert found.to_json()["a"]["failures_by_cause"] == {"infrastructure/engine": 3}


def test_other_settings_and_other_tasks_under_the_same_names_are_told(tmp_path: Path) -> None:
    for name, turns, more in (("a", 8, {"n": 4}), ("b", 6, {"temperature": 0.0, "asked": "Which town?"})):
        record(tmp_path / name, {"t1": [1.0]}, **more)  # type: ignore[arg-type]
        config = {"env": {"name": "search"}, "rollout": {"limits": {"turns": turns}, "concurrency": turns}}
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config))
    found = compare(*read_sides([tmp_path / "a", tmp_path / "b"]))
    assert found.warnings == [
        "n is 4 in A and 1 in B",
        "temperature is 1.0 in A and 0.0 in B",
        "rollout.limits.turns is 8 in A and 6 in B",
        "1 of 1 tasks have other first words in B than in A",
    ]


def test_a_run_stands_for_its_last_evaluation(tmp_path: Path) -> None:
    for name in ("before", "after", "after_sampled", "step_000010"):
        record(tmp_path / "run" / "evaluations" / name, {"t1": [1.0]})
    assert find(tmp_path / "run").path.name == "after_sampled"
    assert find(tmp_path / "run" / "evaluations" / "before").path.name == "before"
    (tmp_path / "run/evaluations/after_sampled/results.json").unlink()
    assert find(tmp_path / "run").path.name == "after"


def test_what_cannot_be_compared_is_one_clear_line(tmp_path: Path) -> None:
    record(tmp_path / "a", {"t1": [1.0]})
    record(tmp_path / "other", {"t1": [1.0]}, env="shop")
    record(tmp_path / "apart", {"t2": [1.0]})
    record(tmp_path / "early" / "evaluations" / "before", {"t1": [1.0]})
    record(tmp_path / "lost", {"t1": [1.0]}).episodes.unlink()
    record(tmp_path / "broken", {"t1": [1.0]}).episodes.write_bytes(b"(")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "evaluations.json").write_text('{"evaluations": ["tiny", "large"]}')
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "partial.jsonl.zst").touch()
    (tmp_path / "nothing").mkdir()
    for name, message in {
        "other": "different tasks: env=search and env=shop",
        "apart": "no task in common",
        "early": "name one of before",
        "lost": "has lost its episodes",
        "broken": "cannot be read",
        "sweep": "several evaluations; name one: .*tiny, .*large",
        "begun": "not complete",
        "nothing": "no results",
        "missing": "no folder",
    }.items():
        with pytest.raises(UserError, match=message):
            compare(*read_sides([tmp_path / "a", tmp_path / name]))
    with pytest.raises(UserError, match="no metric 'sucess' in both, did you mean 'success'"):
        compare(*read_sides([tmp_path / "a", tmp_path / "a"]), "sucess")


def test_the_command_prints_tables_and_ends_with_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "tiny", play(0, lambda hops: 0.3))
    record(tmp_path / "trained", play(1, lambda hops: 0.8), asked="\x1b[31mred")
    assert main(["compare", str(tmp_path / "tiny"), str(tmp_path / "trained"), "--json"]) == 0
    *text, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert list(found)[-4:] == ["difference", "low", "high", "p"]
    assert found["low"] < found["difference"] < found["high"]
    assert found["tasks"] == 90
    assert set(found["by"]["hops"]) == {"1", "2", "3"}
    assert len(found["won"]) > len(found["lost"])
    told = "\n".join(text)
    assert "by the paired bootstrap over 90 tasks" in told
    assert "success by hops" in told
    assert "p (Holm)" in told
    assert "\x1b" not in told


def test_another_metric_is_compared_when_asked_for(tmp_path: Path) -> None:
    found = compared(tmp_path, {"t1": [0.5, 0.5], "t2": [0.0, 0.0]}, {"t1": [0.5, 0.0], "t2": [1.0, 1.0]}, "reward")
    assert found.row.paired.difference == pytest.approx(0.375)
    assert [change.task for change in found.lost] == ["t1"]


def test_several_are_compared_with_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        record(tmp_path / f"m{number}", play(number, lambda hops, number=number: 0.3 + 0.2 * number))  # type: ignore[misc]
    folders = [str(tmp_path / f"m{number}") for number in range(3)]
    assert main(["compare", *folders, "--json", f"out={tmp_path / 'page.html'}"]) == 0
    *text, last = capsys.readouterr().out.splitlines()
    assert [found["b"]["label"] for found in json.loads(last)["comparisons"]] == ["m1", "m2"]
    assert any("all against A, m0" in line for line in text)
    assert (tmp_path / "page.html").read_text().count("<h2>") == 2


def test_the_page_shows_what_models_wrote_as_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\ud83d\x00"
    record(tmp_path / "a<b>", {"t1": [0.0], "t2": [1.0]}, asked=hostile, said=hostile)
    record(tmp_path / "b", {"t1": [1.0], "t2": [1.0]}, asked=hostile, said=hostile)
    write_page([compare(*read_sides([tmp_path / "a<b>", tmp_path / "b"]))], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<img" not in page and "a<b>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_two_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for run in ("x", "y"):
        record(tmp_path / run / "after", {"t1": [1.0]})
    assert [side.label for side in read_sides([tmp_path / "x/after", tmp_path / "y/after"])] == [
        str(tmp_path / "x/after"),
        str(tmp_path / "y/after"),
    ]


def test_one_evaluation_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path)]) == 1
    assert "needs two evaluations" in capsys.readouterr().err
