"""Words of the command line become settings: Hydra's grammar, presets, and one clear line for what is wrong."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl.config import combinations, compose, environment_words, presets, validate
from agent_rl.config.compose import PRESETS
from agent_rl.config.validate import keys
from agent_rl.core.errors import UserError
from agent_rl.envs.registration import make
from agent_rl.envs.scripts import play
from agent_rl.envs.section import written
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.sft_settings import SftConfig

SHOP = "from agent_rl import TaskSet, ToolEnv\nfrom agent_rl.core.settings import Settings\n\n\nclass ShopSettings(Settings):\n    price: int = 3\n\n\nclass Shop(ToolEnv):\n    Settings = ShopSettings\n"  # fmt: skip  # noqa: E501


def train(*words: str, base: dict[str, Any] | None = None) -> TrainConfig:
    return validate(TrainConfig, compose("train", words, base))


NEEDED = {"reward_model": ["reward_model.path=m"]}
"""What the presets of a group leave to the user."""


def problem(*words: str, base: dict[str, Any] | None = None) -> str:
    with pytest.raises(UserError) as caught:
        train(*words, base=base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("command", "model"), [("train", TrainConfig), ("eval", EvalConfig), ("sft", SftConfig)])
def test_without_words_every_command_has_its_defaults(command, model):
    assert validate(model, compose(command, [])) == model()


@pytest.mark.slow
def test_every_preset_of_every_group_is_valid():
    groups = [folder.name for folder in PRESETS.iterdir() if folder.is_dir()]
    assert set(groups) >= {"env", "model", "engine", "algorithm", "suite"}
    for group in groups:
        assert presets(group)
        for name in presets(group):
            if (group, name) == ("engine", "openai"):
                validate(EvalConfig, compose("eval", ["engine=openai", "engine.model=m"]))
            elif (group, name) == ("engine", "scripted"):
                validate(EvalConfig, compose("eval", ["engine=scripted"]))
            elif group == "suite":
                for words in combinations([], name).values():
                    validate(EvalConfig, compose("eval", words))
            else:
                train(f"{group}={name}", *NEEDED.get(group, []))


def test_a_preset_is_chosen_and_keys_below_it_are_changed():
    config = train(
        "env=search", "env.results=3", "algorithm=grpo", "algorithm.samples=4", "model=tiny", "engine.rows=7"
    )
    assert config.env.settings == {"results": 3}
    assert (config.algorithm.samples, config.engine.rows, config.model.path) == (4, 7, "tiny")


@pytest.mark.parametrize(
    ("word", "section", "key", "value"),
    [
        ("trainer.steps=4", "trainer", "steps", 4),
        ("+trainer.steps=4", "trainer", "steps", 4),
        ("++trainer.steps=4", "trainer", "steps", 4),
        ("trainer={steps: 4}", "trainer", "steps", 4),
        ("optimizer.lr=1e-5", "optimizer", "lr", 1e-5),
        ("algorithm.normalize=false", "algorithm", "normalize", False),
        ("eval.modes=[greedy]", "eval", "modes", ["greedy"]),
        ("eval.modes=[greedy,sampled]", "eval", "modes", ["greedy", "sampled"]),
        ("model.path=null", "model", "path", None),
    ],
)
def test_words_have_hydras_grammar(word, section, key, value):
    assert compose("train", [word])[section][key] == value


def test_the_last_of_two_words_counts():
    assert train("seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("word", "trackers"), [("tracker=swanlab", ["swanlab"]), ("tracker=[swanlab]", ["swanlab"]), ("tracker=[]", [])]
)
def test_trackers_are_given_as_one_name_or_as_a_list(word, trackers):
    assert train(word).tracker == trackers


def test_free_groups_take_a_path_that_is_no_preset(tmp_path):
    (tmp_path / "my shop.py").write_text(SHOP)
    config = train(f"env={tmp_path}/my shop.py:Shop", "env.price=5", "model=runs/first")
    assert config.env.name == f"{tmp_path}/my shop.py:Shop"
    assert config.env.settings == {"price": 5}
    assert config.model.path == "runs/first"


SPECIAL = ["runs/a b", "runs/lr=3,x=[1]", "it's", 'say "hello"', "a,b", "über/日本", "x:y", "null", "12", "true", " lead", "(a)", "#1%@~!"]  # fmt: skip  # noqa: E501


def quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


@pytest.mark.parametrize("path", SPECIAL)
def test_quoted_paths_with_special_characters_survive(path):
    config = train(f"out={quoted(path)}", f"model.path={quoted(path)}")
    assert (config.out, config.model.path) == (path, path)


@pytest.mark.parametrize("path", ["runs/a b", "runs/lr=3,x=[1]", "a,b", 'say "hello" to', "it is"])
def test_quoted_values_of_free_groups_survive(path):
    assert train(f"model={quoted(path)}").model.path == path


@pytest.mark.parametrize("path", SPECIAL)
def test_paths_with_special_characters_survive_resuming(path):
    recorded = train(f"out={quoted(path)}", f"model.path={quoted(path)}").model_dump(mode="json")
    resumed = train(base=yaml.safe_load(yaml.safe_dump(recorded)))
    assert (resumed.out, resumed.model.path) == (path, path)


plain_text = st.text(st.characters(exclude_characters="\\$", exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(max_examples=25)
@given(plain_text)
def test_any_recorded_text_survives_resuming(text):
    assert compose("train", [], {"out": text, "env": {"name": text}, "tracker": [text]}) == {
        "out": text,
        "env": {"name": text},
        "tracker": [text],
    }


@pytest.mark.parametrize(
    ("section", "typed"),
    [
        ({"name": "search", "wrappers": []}, "env=search"),
        ({"name": "[search,guess]", "search": {"results": 2}}, "'env=[search,guess]' 'env.search={results:2}'"),
        ({"name": "gymnasium", "id": "FrozenLake-v1"}, "env=gymnasium env.id=FrozenLake-v1"),
        ({"name": "verl", "reward": "/a/my.py:score", "data": "true", "held_out": 0.1}, None),
        ({"name": "search", "wrappers": [{"name": "limit", "turns": 2}], "text": "it's, so; $HOME [a] 'b' 1e3"}, None),
    ],
)
def test_the_environment_of_a_run_can_be_typed_again(section, typed):
    words = environment_words(section)
    assert typed in (words, None)
    env = compose("eval", shlex.split(words))["env"]
    assert {**env, "name": written(env["name"])} == {key: value for key, value in section.items() if value != []}


def test_a_recorded_configuration_is_resumed_as_it_was_and_takes_new_words():
    first = train("trainer.steps=3", "optimizer.lr=1e-7", "env.results=2", "eval.tasks=0", "tracker=swanlab", "seed=9")
    recorded = yaml.safe_load(yaml.safe_dump(first.model_dump(mode="json")))
    assert train(base=recorded) == first
    longer = train("trainer.steps=5", base=recorded)
    assert longer.trainer.steps == 5
    assert longer.model_copy(update={"trainer": first.trainer}) == first


def test_a_resumed_run_takes_free_groups_as_they_are_written():
    recorded = train().model_dump(mode="json")
    assert train("model=runs/second", base=recorded).model.path == "runs/second"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trainer.step=3", "unknown key 'trainer.step', did you mean 'trainer.steps'?"),
        ("steps=3", "unknown key 'steps', did you mean 'trainer.steps'?"),
        ("rollout.limits.turn=3", "unknown key 'rollout.limits.turn', did you mean 'rollout.limits.turns'?"),
        ("env.result=3", "unknown key 'env.result', did you mean 'env.results'?"),
        ("zzz=3", "unknown key 'zzz'"),
        ("rolout.limits.turns=3", "unknown key 'rolout', did you mean 'rollout'?"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_right_one(word, told):
    assert problem(word) == told


def test_the_key_of_another_command_is_told_by_its_name_here():
    with pytest.raises(UserError, match=r"unknown key 'eval.tasks', did you mean 'tasks'\?"):
        validate(EvalConfig, compose("eval", ["eval.tasks=3"]))


def test_a_key_that_only_another_command_reads_is_unknown():
    with pytest.raises(UserError, match="unknown key 'trainer'"):
        validate(EvalConfig, compose("eval", ["trainer.steps=3"]))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trainer.steps=-1", "trainer.steps: input should be greater than 0 (got -1)"),
        ("trainer.steps=0", "trainer.steps: input should be greater than 0 (got 0)"),
        ("trainer.steps=many", "trainer.steps: input should be a valid integer"),
        ("seed=-1", "seed: input should be greater than or equal to 0 (got -1)"),
        ("env.results=0", "env.results: input should be greater than or equal to 1 (got 0)"),
        ("eval.modes=[greedily]", "eval.modes.0: input should be 'greedy' or 'sampled' (got 'greedily')"),
        ("model.device=tpu", "model.device: string should match pattern"),
        ("trainer=3", "trainer: "),
        ("tracker=3", "tracker: "),
        ("algorithm=gpro", "there is no preset algorithm=gpro, did you mean 'grpo'? (there are: "),
        ("engine=vllm", "there is no preset engine=vllm"),
        ("env=serach", "unknown environment 'serach', did you mean 'search'? (there are: "),
        ("env=no.py:Shop", "environment 'no.py:Shop': there is no Python file no.py"),
        ("foo", "'foo' is not KEY=VALUE"),
        ("out=", "'out=' is not KEY=VALUE"),
        ("trainer.steps=[1", "'trainer.steps=[1' is not KEY=VALUE in Hydra's grammar"),
        ("trainer.steps=1,2", "'trainer.steps=1,2' has several values, and one is needed: lists are written [A,B]"),
        ("env=search,guess", "'env=search,guess' has several values, and one is needed: lists are written [A,B]"),
        ("~nonsense", "'~nonsense': keys can be set, but not removed"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(word, told):
    assert problem(word).startswith(told)


def test_all_wrong_keys_are_told_at_once():
    assert problem("trainer.stepz=1", "seed=-1").count(";") == 1


def test_validated_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        train().trainer.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("model", [TrainConfig, EvalConfig, SftConfig])
def test_every_key_says_what_it_is(model):
    def undescribed(section: Any, prefix: str = "") -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            inner = field.annotation
            found += [] if field.description else [prefix + name]
            found += undescribed(inner, f"{prefix}{name}.") if hasattr(inner, "model_fields") else []
        return found

    assert len(list(keys(model))) > 15
    assert undescribed(model) == []


def test_composing_does_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("env").mkdir()
    Path("env/search.yaml").write_text("name: other\n")
    assert train("env=search").env.name == "search"


@pytest.mark.parametrize("command", ["train", "eval"])
def test_an_environment_brings_limits_that_the_command_line_changes(command):
    def turns(*words: str) -> int:
        return validate(
            {"train": TrainConfig, "eval": EvalConfig}[command], compose(command, words)
        ).rollout.limits.turns

    assert turns("env=search") == TrainConfig().rollout.limits.turns
    assert turns("env=guess") == 5
    assert turns("env=guess", "rollout.limits.turns=9") == 9


@pytest.mark.parametrize("name", ["household", "math", "shop", "sql"])
def test_the_limits_of_an_environment_hold_a_task_and_its_solution_with_room_to_spare(name):
    limits = validate(EvalConfig, compose("eval", [f"env={name}"])).rollout.limits
    env = make(name)
    task = env.task_set("test")[0]
    steps = play(env, task, env.solution(task))
    said = [message for step in steps for message in (step.action, *step.observation)]
    characters = len(json.dumps([*said, [tool.schema() for tool in env.tools()]]))
    assert characters / 2 < limits.episode_tokens
    assert len(steps) < limits.turns


def test_the_limits_of_an_environment_and_those_of_a_hosted_model_hold_together():
    config = validate(EvalConfig, compose("eval", ["env=frozen_lake", "engine=openai", "engine.model=m"]))
    limits = config.rollout.limits
    assert (limits.turns, limits.turn_tokens, limits.episode_tokens) == (16, 2048, 32768)


@pytest.mark.parametrize("command", ["train", "eval", "sft"])
def test_an_environment_brings_the_model_that_suits_it_unless_another_is_named(command):
    for name in ("guess", "countdown", "countdown_code", "frozen_lake"):
        assert compose(command, [f"env={name}"])["model"] == {"path": f"tiny_{name}"}
    assert compose(command, ["env=guess", "model=tiny"])["model"] == {"path": "tiny"}
    assert compose(command, ["model=runs/a", "env=guess"])["model"] == {"path": "runs/a"}
    assert compose(command, ["env=search"]).get("model") is None


def test_an_environment_brings_a_schedule_that_the_command_line_changes():
    assert train("env=guess").optimizer.lr > train("env=search").optimizer.lr
    assert train("env=guess", "optimizer.lr=0.1").optimizer.lr == 0.1


def test_a_hosted_model_has_no_model_beside_it_whatever_suits_the_environment():
    hosted = ["env=guess", "engine=openai", "engine.model=m"]
    assert validate(EvalConfig, compose("eval", hosted)).model is None
    with pytest.raises(UserError, match="model= names a model on this machine"):
        validate(EvalConfig, compose("eval", [*hosted, "model=tiny"]))
