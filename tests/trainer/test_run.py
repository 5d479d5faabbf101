"""A whole run through the command line: it learns, and leaves behind what the documents say."""

import json
import os

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent_rl import evaluate, load_run, train
from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.evaluation.results import read_results
from agent_rl.rollout.learned import read_learned
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.store import read_trajectories
from agent_rl.tools.limiter import LIMITER
from agent_rl.tools.records import FILE, REPLAY

TIMES = ("seconds/", "speed/", "memory/")
QUICK = ["trainer.tasks=8", "eval.tasks=60"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train("env=search", *QUICK, "trainer.steps=14", "tracker=swanlab", f"out={folder}")


@pytest.mark.slow
def test_the_agent_learns_to_search(run):
    summary = run.summary
    assert summary["after_sampled"] > summary["before_sampled"] + 0.2
    assert summary["after_sampled_by_hops"]["3"] > summary["before_sampled_by_hops"]["3"] + 0.2
    assert summary["peak_memory_mb"] < 3000


@pytest.mark.slow
def test_the_run_folder_holds_what_the_documents_say(run):
    folder = run.folder
    facts = json.loads(folder.run_json.read_text())
    assert {"command", "commit", "packages", "hardware", "python"} <= facts.keys()
    assert "steps: 14" in folder.config_yaml.read_text()
    assert folder.curve_png.read_bytes().startswith(b"\x89PNG")
    assert "<html" in folder.report_html.read_text()
    assert [line["step"] for line in run.metrics] == list(range(1, 15))
    assert len(list(folder.checkpoints.iterdir())) == 2
    assert {"seconds", "steps", "before_by_hops", "after_sampled_by_hops"} <= run.summary.keys()
    assert any((folder.path / "swanlab").iterdir())


@pytest.mark.slow
def test_its_checkpoint_loads_with_transformers_alone(run):
    newest = sorted(run.folder.checkpoints.iterdir())[-1]
    assert AutoModelForCausalLM.from_pretrained(newest).num_parameters() > 0
    assert AutoTokenizer.from_pretrained(newest).chat_template


@pytest.mark.slow
def test_its_trajectories_are_exact(run):
    for trajectory in run.trajectories(8):
        assert len(trajectory.tokens) == len(trajectory.loss_mask)
        assert sum(trajectory.loss_mask) == len(trajectory.action_logprobs)
        versions = {version for segment in trajectory.segments for version in segment.weight_versions}
        assert versions == {7}


@pytest.mark.slow
def test_it_keeps_what_the_trainer_made_of_each_token_which_is_near_what_the_engine_did(run):
    gaps = []
    for number, trajectory in enumerate(run.trajectories(8)):
        found = read_learned(run.folder.learned_file(8), number)
        assert len(found["logprobs"]) == len(found["advantages"]) == len(trajectory.action_logprobs)
        if any(found["advantages"]):
            pairs = zip(found["logprobs"], trajectory.action_logprobs, strict=True)
            gaps.append(max(abs(ours - theirs) for ours, theirs in pairs))
    assert sum(gap < 1e-3 for gap in gaps) >= len(gaps) // 4 > 0  # half of them are computed after an optimizer step


@pytest.mark.slow
def test_evaluating_the_run_gives_the_figures_of_its_summary(run):
    found = [evaluate("env=search", f"model={run.folder.path}", "tasks=60", f"temperature={t}") for t in (0, 1)]
    assert [results.mean("success") for results in found] == [run.summary["after"], run.summary["after_sampled"]]
    there = read_results(run.folder.evaluations / "after").metrics["turns"]
    assert found[0].metrics["turns"] == there


@pytest.mark.slow
def test_eval_prints_and_writes_its_figures(run, tmp_path, capsys):
    words = ["env=search", f"model={run.folder.path}", "tasks=20", f"out={tmp_path / 'e'}"]
    assert main(["eval", *words, "--json"]) == 0
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert results == json.loads((tmp_path / "e" / "results.json").read_text())
    assert len(list(read_trajectories(tmp_path / "e" / "episodes.jsonl.zst"))) == 20


@pytest.mark.slow
def test_without_the_tool_there_is_little_to_know(tmp_path):
    for temperature in (0, 1):
        results = evaluate("env=search", "env.tool=false", "tasks=120", f"temperature={temperature}")
        assert results.mean("success") < 0.16


@pytest.mark.slow
def test_evaluations_in_between_do_not_move_the_training(run, tmp_path):
    folder = tmp_path / "run"
    other = train("env=search", *QUICK, "trainer.steps=6", "eval.every=2", "eval.modes=[greedy]", f"out={folder}")
    ones, others = (
        [{key: value for key, value in line.items() if not key.startswith(TIMES)} for line in metrics]
        for metrics in (run.metrics[:6], other.metrics)
    )
    assert ones == others
    episodes = [[(t.tokens, t.action_logprobs) for t in one.trajectories(6)] for one in (run, other)]
    assert episodes[0] == episodes[1]
    between = read_results(folder / "evaluations" / "step_000002")
    assert (between.subject.model, between.subject.temperature, between.episodes) == ("run step 2", 0.0, 60)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        load_run(tmp_path)


@pytest.mark.slow
def test_the_episodes_in_flight_end_while_the_run_s_tools_are_still_shared(monkeypatch, tmp_path):
    replayed, seen = tmp_path / "answers", []
    replayed.mkdir()
    (replayed / FILE).touch()
    close = RolloutManager.close

    def closing(manager: RolloutManager) -> None:
        seen.append((LIMITER in os.environ, os.environ.get(REPLAY)))
        close(manager)

    def broken(*_: object) -> None:
        raise RuntimeError("broken off")

    monkeypatch.setattr(RolloutManager, "close", closing)
    monkeypatch.setattr(RolloutManager, "follow", broken)
    with pytest.raises(RuntimeError, match="broken off"):
        train("env=search", f"tools.replay={replayed}", f"out={tmp_path / 'run'}")
    assert seen == [(True, str(replayed))]
