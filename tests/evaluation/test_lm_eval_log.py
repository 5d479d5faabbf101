"""The log for readers of lm-evaluation-harness: what was saved, and the figures of the results."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_rl.cli.main import main
from agent_rl.evaluation.results import read_results


def played(folder: Path, *words: str) -> str:
    assert main(["eval", "engine=scripted", "tasks=4", f"out={folder}", *words]) == 0
    return str(folder)


def read(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (results,), (samples,) = folder.glob("results_*.json"), folder.glob("samples_*.jsonl")
    return json.loads(results.read_text()), [json.loads(line) for line in samples.read_text().splitlines()]


def test_the_log_has_the_figures_of_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = played(tmp_path / "base", "env=search", "n=2")
    capsys.readouterr()
    assert main(["export", base, "log=lm_eval"]) == 0
    folder = tmp_path / "base/exports/lm_eval/scripted"
    assert capsys.readouterr().out.splitlines() == sorted(str(file) for file in folder.iterdir())
    results, samples = read(folder)
    for metric, found in read_results(tmp_path / "base").metrics.items():
        assert results["results"]["search"][f"{metric},none"] == pytest.approx(found.mean, abs=1e-12), metric
    assert results["versions"] == {"search": 0} and results["config"]["gen_kwargs"]["do_sample"]
    assert [sample["doc"]["id"] for sample in samples] == [f"test-{n:05}" for n in range(4)]
    (responses,) = samples[0]["resps"]
    assert len(responses) == 2 and '<tool_call>\n{"name": "search"' in responses[0] and "</tool>" in responses[0]
    assert samples[0]["filtered_resps"] == [[f"Answer: {samples[0]['target']}"] * 2]
    assert json.loads(samples[0]["arguments"]["gen_args_0"]["arg_0"])[-1]["role"] == "user"


def test_the_same_episodes_have_the_same_log(tmp_path: Path) -> None:
    base = played(tmp_path / "base", "env=countdown")
    for name in ("a", "b"):
        assert main(["export", base, "log=lm_eval", f"out={tmp_path / name}"]) == 0
    files = [{file.name: file.read_text() for file in (tmp_path / name / "scripted").iterdir()} for name in "ab"]
    assert files[0] == files[1]
    _, samples = read(tmp_path / "a/scripted")
    assert all(isinstance(sample["filtered_resps"][0], str) for sample in samples)  # one episode a task


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["log=lm_eval", "adapter=true"], "adapter has no effect with log"),
        (["name=after"], "name has no effect without log"),
        (["log=lm_eval"], "neither the folder of an evaluation"),
        (["log=inspect"], "log: input should be 'lm_eval'"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_line(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tmp_path), *words]) == 1
    error = capsys.readouterr().err
    assert problem in error and error.count("\n") == 1


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = played(tmp_path / "base", "env=countdown")
    assert main(["export", base, "log=lm_eval", f"out={base}"]) == 1
    assert "is not empty" in capsys.readouterr().err
