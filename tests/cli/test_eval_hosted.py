"""`agent-rl eval engine=openai`: a hosted model is measured without torch, and its key is written nowhere."""

import json
import subprocess
import sys

import pytest

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.rollout.store import read_trajectories
from agent_rl.trainer.settings import TrainConfig
from tests.fake_openai import Reply, evaluate_hosted, refuse, say, searcher, serving

KEY = "sk-very-secret"
HOSTED = ("engine=openai", "engine.model=m")


def evaluation(*words: str) -> EvalConfig:
    return validate(EvalConfig, compose("eval", words))


def problem(command: type, name: str, *words: str) -> str:
    with pytest.raises(UserError) as caught:
        validate(command, compose(name, words))
    return str(caught.value)


def test_a_hosted_model_is_measured_without_torch_and_without_writing_its_key(tmp_path):
    solve = searcher(tasks=4)
    troubles = [
        refuse(429, "slow down", {"Retry-After": "0"}),
        refuse(500, f"oops {KEY}"),
        Reply(200, b"<html>"),
        Reply(drop=True),
    ]

    def script(body, number):
        return troubles[number] if number < len(troubles) else solve(body, number)

    out = tmp_path / "figures"
    words = ["env=search", "tasks=4", "temperature=0,1", f"out={out}"]
    with serving(script) as fake:
        status, stdout, stderr = evaluate_hosted(fake.url, "m", *words, key=KEY)
    assert status == 0, stderr
    assert stderr.splitlines()[-1] == "False"  # torch was not loaded
    results = json.loads(stdout.splitlines()[-1])["results"]
    assert [(found["temperature"], found["metrics"]["success"]["mean"], found["failures"]) for found in results] == [
        (0.0, 1.0, 0),
        (1.0, 1.0, 0),
    ]
    assert {body["temperature"] for body in fake.bodies} == {0.0, 1.0}
    assert set(fake.keys) == {f"Bearer {KEY}"}
    played = [list(read_trajectories(out / name / "episodes.jsonl.zst")) for name in ("temperature_0", "temperature_1")]
    assert [episode.reward for part in played for episode in part] == [1.0] * 8
    recorded = json.dumps([episode.to_json() for part in played for episode in part])
    files = [file.read_text() for file in out.rglob("*") if file.is_file() and file.suffix != ".zst"]
    assert len(files) > 8
    assert not any(KEY in text for text in (stdout, stderr, recorded, *files))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (KEY, "wrong key: ***"),
        (None, "(there is no key in the environment variable MY_KEY)"),
        ("sk\nvery\nsecret", "error: MY_KEY holds characters that no key has"),
    ],
)
def test_a_wrong_or_missing_key_is_one_clear_line(key, told, monkeypatch, capsys):
    if key:
        monkeypatch.setenv("MY_KEY", key)
    with serving(lambda *_: refuse(401, f"wrong key: {KEY}" if key else "who are you?")) as fake:
        assert main(["eval", *HOSTED, f"engine.url={fake.url}", "engine.key_variable=MY_KEY", "tasks=40"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert "secret" not in line


@pytest.mark.slow
def test_the_python_api_measures_it_too_without_torch():
    script = (
        "import sys, agent_rl\n"
        "results = agent_rl.evaluate(*sys.argv[1:])\n"
        "print('torch' in sys.modules, results.metrics['success'].mean, results.metrics['cost'].mean)\n"
    )
    with serving(searcher(tasks=2)) as fake:
        words = ["engine=openai", f"engine.url={fake.url}", "engine.model=m", "tasks=2"]
        words += ["engine.price_input=1000000", "engine.price_output=0"]
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=300, check=True
        )
    turns = len(fake.bodies)
    assert done.stdout.splitlines()[-1] == f"False 1.0 {10.0 * turns / 2}"  # the fake reports ten tokens a turn


def test_no_more_episodes_play_than_requests_may_be_in_flight(monkeypatch, capsys):
    with serving(lambda *_: say("Answer: x")) as fake:
        words = [*HOSTED, f"engine.url={fake.url}", "engine.concurrency=2", "tasks=9"]
        assert main(["eval", *words]) == 0
    assert len(fake.bodies) == 9
    assert fake.most_at_once <= 2
    assert "9 episodes, none failed" in capsys.readouterr().out


def test_the_preset_has_limits_for_long_answers_which_the_command_line_can_change():
    limits = evaluation(*HOSTED).rollout.limits
    assert (limits.turn_tokens, limits.episode_tokens) == (2048, 32768)
    assert evaluation("rollout.limits.turn_tokens=9", *HOSTED).rollout.limits.turn_tokens == 9
    assert evaluation().rollout.limits.turn_tokens == 64


def test_further_fields_of_the_request_are_given_as_words():
    config = evaluation(*HOSTED, "engine.parameters.reasoning_effort=low", "engine.parameters.temperature=null")
    assert config.engine.parameters == {"reasoning_effort": "low", "temperature": None}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("engine=openai",), "engine.model: field required"),
        ((*HOSTED, "model=tiny"), "model= names a model on this machine; with engine=openai give engine.model= alone"),
        ((*HOSTED, "model.dtype=bfloat16"), "model= names a model on this machine"),
        ((*HOSTED, "renderer.call_format=hermes"), "renderer has no effect with engine=openai"),
        (("rollout.step_seconds=9",), "unknown key 'rollout.step_seconds'"),  # only training has steps
        ((*HOSTED, "engine.rows=3"), "'engine.rows' has no effect with engine=openai"),
        (("engine.url=http://a/v1",), "'engine.url' has no effect with engine=embedded"),
        ((*HOSTED, "engine.concurency=3"), "unknown key 'engine.concurency', did you mean 'engine.concurrency'?"),
        ((*HOSTED, "engine.concurrency=0"), "engine.concurrency: input should be greater than 0 (got 0)"),
        ((*HOSTED, "engine.url=example.org"), "engine.url: an address begins with http:// or https:// and a host"),
        ((*HOSTED, "engine.url='https://a/v1?key=x'"), "engine.url: an address has no user, password or query"),
        ((*HOSTED, "engine.parameters.stream=true"), "engine.parameters: 'stream' is not a parameter to set"),
        ((*HOSTED, "engine.price_input=3"), "engine: price_input and price_output are given together, or neither"),
        (("samples=3",), "there is no 'samples' any more: it is called 'n'"),
        (("modes=[greedy]",), "there is no 'modes' any more: temperature=0 decodes greedily"),
        (("engine.name=opnai",), "engine: input tag 'opnai' found using 'name' does not match"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words, told):
    assert problem(EvalConfig, "eval", *words).startswith(told)


def test_a_hosted_model_cannot_be_trained():
    assert problem(TrainConfig, "train", *HOSTED) == (
        "engine: a hosted model returns text, not the tokens that training needs; use engine=openai with eval"
    )


def test_the_help_names_the_keys_of_every_engine_and_which_one_reads_them(capsys):
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    shown = capsys.readouterr().out
    assert "  engine.rows = 128   (engine=embedded)\n" in shown
    assert "  engine.url = https://api.openai.com/v1   (engine=openai)\n" in shown
    assert "  model.path = tiny\n" in shown
