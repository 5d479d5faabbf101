"""The command line: what is wrong is one line on stderr, whatever it is; and the words that need no model."""

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_rl.cli.main import COMMANDS, main
from agent_rl.models.scratch import new_model

Run = Callable[..., tuple[int, str, str]]
SMALL = ("tasks=2", "rollout.limits.turns=2", "rollout.limits.turn_tokens=8")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer) -> Path:
    """A valid model folder with random weights."""
    folder = tmp_path_factory.mktemp("models") / "good"
    new_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(here: Path, checkpoint: Path) -> Path:
    """A copy to damage, named `m` in the working folder."""
    return Path(shutil.copytree(checkpoint, here / "m"))


@pytest.fixture
def run(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in an empty folder; return its exit status, and what it wrote to stdout and stderr."""
    names = [None, *logging.root.manager.loggerDict]
    handlers = {handler for name in names for handler in logging.getLogger(name).handlers}
    for handler in handlers:  # libraries keep the stderr of the time they were imported at
        if type(handler) is logging.StreamHandler:
            monkeypatch.setattr(handler, "stream", sys.stderr)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(list(words))
        except SystemExit as ended:
            status = int(ended.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    yield run


def one_line(result: tuple[int, str, str]) -> str:
    """Return the text of the one error line, having proved that there is nothing else."""
    status, out, err = result
    assert status != 0
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert out == ""
    return err.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "trainer.step=1"), "unknown key 'trainer.step', did you mean 'trainer.steps'?"),
        (("eval", "taks=1"), "unknown key 'taks', did you mean 'tasks'?"),
        (("sft", "sft.step=1"), "unknown key 'sft.step', did you mean 'sft.steps'?"),
        (("check", "env.result=1"), "unknown key 'env.result', did you mean 'env.results'?"),
        (("train", "env=serach"), "unknown environment 'serach', did you mean 'search'? (there are: "),
        (("check", "env=serach"), "unknown environment 'serach', did you mean 'search'? (there are: "),
        (("check", "env=shop.py:Shop"), "environment 'shop.py:Shop': there is no Python file shop.py"),
        (("train", "algorithm=gpro"), "there is no preset algorithm=gpro, did you mean 'grpo'? (there are: cispo,"),
        (("eval", "engine=embeded"), "there is no preset engine=embeded, did you mean 'embedded'?"),
        (("train", "trainer.steps=-1"), "trainer.steps: input should be greater than 0 (got -1)"),
        (("sft", "sft.steps=-1"), "sft.steps: input should be greater than 0 (got -1)"),
        (("eval", "tasks=-1"), "tasks: input should be greater than 0 (got -1)"),
        (
            ("check", "env=code", "env.difficulties=easy"),
            "env.difficulties: input should be a list, written [A,B]",
        ),
        (
            ("train", "env=code", "env.tasks=a.jsonl"),
            "env.tasks: a file of tasks has no tests; give a file of problems",
        ),
        (("check", "sandbox=fusion", "sandbox.url=h:8080"), "sandbox.url: an address begins with http:// or https://"),
        (("train", "steps"), "'steps' is not KEY=VALUE"),
        (("eval", "split="), "'split=' is not KEY=VALUE"),
        (("train", "resume="), "resume= needs a value"),
        (("train", "resume=nothing"), "nothing holds no run"),
        (("train", "trainer.steps=[1"), "'trainer.steps=[1' is not KEY=VALUE"),
        (("train", "env=code"), "model=tiny has a context of 1024 tokens, too short for turns of up to 2048: name"),
        (("eval", "env=code", "model=tiny_guess"), "model=tiny_guess has a context of 1024 tokens, too short for"),
        (("eval", "model=./nothing"), "model './nothing': there is no such folder"),
        (("eval", "model=/not/anywhere/at/all"), "model '/not/anywhere/at/all': there is no such folder"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_left_behind(run, here, words, told):
    assert one_line(run(*words)).startswith(told)
    assert list(here.iterdir()) == []


def test_a_dry_run_of_a_model_that_is_not_there_is_told_in_one_line(run):
    status, _, err = run("train", "model=./nothing", "--dry-run")
    assert status != 0
    assert err == "error: model './nothing': there is no such folder, and it is not a name on the Hugging Face hub\n"


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def missing(file: Path) -> None:
    file.unlink()


def of_another_kind(file: Path) -> None:
    file.write_text("[]")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.safetensors", truncated),
        ("model.safetensors", emptied),
        ("model.safetensors", missing),
        ("tokenizer.json", truncated),
        ("tokenizer.json", emptied),
        ("tokenizer.json", of_another_kind),
        ("config.json", truncated),
        ("config.json", emptied),
        ("config.json", of_another_kind),
        ("config.json", missing),
    ],
)
def test_a_damaged_checkpoint_is_told_in_one_line_with_its_name(run, model, caplog, name, damage):
    damage(model / name)
    assert "'./m'" in one_line(run("eval", "model=./m", *SMALL))
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_checkpoint_without_a_chat_template_is_told_in_one_line(run, model):
    (model / "chat_template.jinja").unlink()
    assert one_line(run("eval", "model=./m", *SMALL)).endswith("has no chat template")


@pytest.mark.slow
def test_a_sound_checkpoint_is_measured_and_leaves_stderr_empty(run, model):
    status, out, err = run("eval", "model=./m", *SMALL, "--json")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith('{"env": "search", "model": "./m", ')


@pytest.mark.parametrize("command", ["train", "sft", "eval"])
@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_told_in_one_line(run, model, here, command, out):
    (here / "file").write_text("in the way")
    told = one_line(run(command, "model=./m", f"out={out}"))
    assert out in told
    assert "write" in told or "written" in told
    assert (here / "file").read_text() == "in the way"


def test_a_folder_that_holds_a_run_already_is_not_written_into(run, model, here):
    (here / "old" / "evaluations").mkdir(parents=True)
    for name, text in (("run.json", "{}"), ("metrics.jsonl", '{"step": 1}\n')):
        (here / "old" / name).write_text(text)
    before = {path: path.is_file() and path.read_text() for path in (here / "old").rglob("*")}
    for command in ("train", "sft"):
        assert "old holds a run already" in one_line(run(command, "model=./m", "out=old"))
    assert {path: path.is_file() and path.read_text() for path in (here / "old").rglob("*")} == before


@pytest.mark.parametrize("what", ["empty", "file"])
def test_resuming_what_is_no_run_is_told_in_one_line(run, here, what):
    (here / "empty").mkdir()
    (here / "file").touch()
    assert one_line(run("train", f"resume={what}")) == f"{what} holds no run: there is no run.json in it"


def test_resuming_a_run_whose_configuration_is_gone_is_told_in_one_line(run, here):
    (here / "old").mkdir()
    (here / "old" / "run.json").write_text("{}")
    assert "the configuration of old cannot be read" in one_line(run("train", "resume=old"))


@pytest.mark.slow
def test_a_resumed_run_refuses_other_settings(run, here, model):
    config = run("train", "model=./m", "trainer.tasks=3", "--dry-run")[1].partition("Tasks: ")[0]
    (here / "old").mkdir()
    (here / "old" / "run.json").write_text("{}")
    (here / "old" / "config.yaml").write_text(config)
    told = one_line(run("train", "resume=old", "trainer.tasks=4", "--dry-run"))
    assert told == "a resumed run keeps its settings, but trainer.tasks was 3 and is 4 now"
    told = one_line(run("train", "resume=old", "out=elsewhere", "--dry-run"))
    assert told == "a resumed run keeps its settings, but out was None and is 'elsewhere' now"
    assert run("train", "resume=old", "trainer.steps=77", "--dry-run")[0] == 0


def test_a_resumed_run_finds_its_servers_where_they_are_now(run, here, model):
    words = ("model=./m", "engine=sglang", "engine.urls=[http://a:1]")
    config = run("train", *words, "--dry-run")[1].partition("Tasks: ")[0]
    (here / "old").mkdir()
    (here / "old" / "run.json").write_text("{}")
    (here / "old" / "config.yaml").write_text(config)
    status, out, _ = run("train", "resume=old", "engine.urls=[http://b:2]", "--dry-run")
    assert status == 0 and "http://b:2" in out


@pytest.mark.parametrize("words", [(), ("trian",), ("train", "--nonsense")])
def test_an_unknown_command_or_option_gets_the_usage(run, words):
    status, out, err = run(*words)
    assert status == 2
    assert err.startswith("usage: agent-rl")
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize(
    ("command", "listed"),
    [
        (
            "train",
            ["trainer.steps = 30", "optimizer.lr", "env.name = search", "rollout.limits.turns", "--dry-run", "resume="],
        ),
        ("eval", ["split = test", "model.path = tiny", "engine.rows", "--json"]),
        ("sft", ["sft.steps", "sft.from_scratch = False", "optimizer.warmup"]),
        ("check", ["env.name = search"]),
        ("list", ["usage: agent-rl list"]),
    ],
)
def test_help_lists_the_keys_of_a_command_with_their_defaults(run, command, listed):
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert [text for text in listed if text not in out] == []


def test_help_lists_every_command(run):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert [name for name in COMMANDS if f"\n    {name} " not in out] == []


def test_the_version_is_told(run):
    status, out, _ = run("--version")
    assert status == 0
    assert out.startswith("agent-rl ")


def test_list_names_what_can_be_named(run):
    status, out, err = run("list")
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert {"search", "tiny", "grpo", "embedded", "jsonl", "swanlab"} <= {line[0] for line in lines}
    assert next(line for line in lines if line[0] == "search")[1:]


@pytest.mark.slow
def test_check_proves_the_search_environment(run):
    status, out, err = run("check", "env=search")
    assert (status, err) == (0, "")
    assert "FAIL" not in out
    assert out.endswith("all checks passed\n")
    for checked in ("gymnasium", "solution", "wrong answer", "train: chains", "test: one shot", "countries apart"):
        assert f"ok   {checked} " in out


def test_check_fails_for_a_broken_environment_and_says_how_often(run, here):
    (here / "bad.py").write_text(
        "from agent_rl import AgentEnv, Task, TaskSet\nfrom agent_rl.core.message import user\n\n\n"
        "class Bad(AgentEnv):\n"
        "    def tasks(self, split):\n        return TaskSet([Task('same', (user('?'),))], split)\n\n"
        "    def reset(self, *, seed=None, options=None):\n        raise RuntimeError('no reset today')\n\n"
        "    def step(self, action):\n        raise RuntimeError('no step today')\n"
    )
    status, out, err = run("check", "env=bad.py:Bad", "--json")
    assert (status, err) == (1, "")
    out, _, last = out.removesuffix("\n").rpartition("\n")
    told = json.loads(last)
    assert (told["ok"], told["env"]) == (False, "bad.py:Bad")
    assert {"name": "splits", "passed": False, "seen": "1 tasks are in both splits"} in told["findings"]
    assert "FAIL repeatable             RuntimeError: no reset today" in out
    assert "FAIL splits                 1 tasks are in both splits" in out
    assert out.endswith("6 checks failed")


def test_check_of_what_cannot_be_made_is_told_in_one_line(run):
    status, out, err = run("check", "env=gymnasium", "env.id=FrozenLak-v1")
    assert (status, out) == (1, "")
    assert err.startswith("error: env.id=FrozenLak-v1: ") and err.count("\n") == 1


def test_a_dry_run_prints_the_configuration_and_the_arithmetic_and_writes_nothing(run, model, here):
    words = ("trainer.tasks=5", "algorithm.samples=6", "trainer.mini_batches=4", "trainer.steps=7", "eval.tasks=11")
    status, out, err = run("train", "model=./m", *words, "--dry-run")
    assert (status, err) == (0, "")
    assert "  path: ./m\n" in out
    assert "5 tasks x 6 samples = 30 trajectories" in out
    assert "4 mini batches of 8 = 4 optimizer steps" in out
    assert "7 steps = 210 trajectories and 28 optimizer steps" in out
    assert "Evaluation: 11 episodes on 'test'" in out
    parameters = sum(p.numel() for p in new_model(512, 2, 0, seed=0).parameters())
    assert f"Memory: {parameters / 1e6:.2f} million parameters" in out
    assert [path.name for path in here.iterdir()] == ["m"]


@pytest.mark.parametrize("command", ["train", "eval"])
def test_a_dry_run_counts_no_more_tasks_than_there_are_and_refuses_what_cannot_be_played(run, here, command):
    tasks = {"train": "eval.tasks", "eval": "tasks"}[command]
    status, out, err = run(command, "env=countdown", "model=tiny", f"{tasks}=100000", "--dry-run")
    assert (status, err) == (0, "")
    assert "Evaluation: 400 " in out
    assert list(here.iterdir()) == []
    assert one_line(run(command, "env=code", "--dry-run")).startswith("model=tiny has a context of 1024 tokens")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rollout.mode=oversample",), "24 groups in flight; 16 suffice, the others are carried over."),
        (("rollout.mode=oversample", "rollout.leftover=abort"), "16 suffice, the others are begun anew."),
        (("rollout.mode=async",), "At most 48 groups have been begun"),
        (("rollout.mode=async",), "weights of the engine 3 MB"),
        (("rollout.mode=async", "rollout.concurrency=64"), "At most 48 groups"),  # no engine waits for episodes there
        (("algorithm=ppo",), "weights of the value model 3 MB, optimizer of the value model 7 MB"),
        (("algorithm=ppo", "value.warmup=2"), "60 optimizer steps; in the first 2 steps the value model alone learns."),
    ],
)
def test_a_dry_run_tells_what_is_particular_to_a_choice(run, model, here, words, told):
    status, out, err = run("train", "model=./m", *words, "--dry-run")
    assert (status, err) == (0, "")
    assert told in out
