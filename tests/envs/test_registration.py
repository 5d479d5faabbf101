"""Environments of installed packages: known by name, loaded when they are first made, a broken one named."""

import logging
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import gymnasium
import pytest

from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.envs.registration import ENVIRONMENTS, environment, register_installed

PACKAGE = '''
from agent_rl import Task, ToolEnv, reward
from agent_rl.core.message import user
from agent_rl.core.settings import Settings

print("loaded")


class HelloSettings(Settings):
    greeting: str = "hello"
    """What is to be said."""


class Hello(ToolEnv):
    """Wants to be greeted."""

    Settings = HelloSettings

    def tasks(self, split):
        return [Task(split, (user("Greet me."),))]

    @reward
    def polite(self, answer):
        return float(answer == self.settings.greeting)
'''

USED = """
import agent_rl.envs, gymnasium
print("known" if "hello" in agent_rl.envs.ENVIRONMENTS else "unknown")
env = gymnasium.make("agent_rl/Hello-v0", greeting="hi")
env.reset(seed=0)
print(env.step({"role": "assistant", "content": "hi"})[1])
try:
    agent_rl.make("broken")
except agent_rl.core.errors.UserError as error:
    print(error)
"""


def test_an_installed_package_brings_environments_that_are_loaded_when_they_are_made(tmp_path: Path):
    (tmp_path / "hello_envs.py").write_text(PACKAGE)
    facts = tmp_path / "hello_envs-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: hello-envs\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[agent_rl.environments]\nhello = hello_envs:Hello\nbroken = hello_envs:Missing\nsearch = hello_envs:Hello\n"
    )
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}){USED}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    told = done.stdout.splitlines()
    assert told[:3] == ["known", "loaded", "1.0"], done.stderr
    assert told[3].startswith("the environment 'broken' (hello_envs:Missing) cannot be loaded: AttributeError: ")
    assert (
        "the environment 'search' of hello-envs is left out: environment 'search' is registered already" in done.stderr
    )


@pytest.mark.parametrize(
    ("entry", "name", "identity"),
    [
        ("aviary-v2", "aviary", "agent_rl/Aviary-v2"),
        ("bird_house-v10", "bird_house", "agent_rl/BirdHouse-v10"),
        ("catalogue", "catalogue", "agent_rl/Catalogue-v0"),
        ("drum-vast", "drum-vast", "agent_rl/Drum-vast-v0"),
    ],
)
def test_a_package_states_the_version_of_an_environment_at_the_end_of_its_name(entry, name, identity):
    register_installed([EntryPoint(entry, "agent_rl.envs.guess:Guess", "agent_rl.environments")])
    assert environment(name).__name__ == "Guess"
    assert gymnasium.spec(identity).version == int(identity.rpartition("-v")[2])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module:Env", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("agent_rl:NoEnv", "cannot be loaded: AttributeError"),
        ("agent_rl:Task", "is no environment class"),
    ],
)
def test_a_broken_one_is_named_when_it_is_asked_for_and_listed_with_what_is_wrong(value, told, caplog, capsys):
    name = f"broken_{value.partition(':')[2].lower()}"
    with caplog.at_level(logging.WARNING):
        register_installed([EntryPoint(name, value, "agent_rl.environments")])
    assert name in ENVIRONMENTS and not caplog.records
    with pytest.raises(UserError, match=rf"the environment '{name}' \({value}\) {told}"):
        environment(name)
    assert main(["list"]) == 0
    assert told in capsys.readouterr().out


def test_a_name_that_gymnasium_does_not_take_is_left_out_and_named(caplog):
    with caplog.at_level(logging.WARNING):
        register_installed([EntryPoint("not a name", "agent_rl:ToolEnv", "agent_rl.environments")])
    assert "the environment 'not a name' of an installed package is left out" in caplog.text
    assert "not a name" not in ENVIRONMENTS


@pytest.mark.parametrize(
    ("word", "listed"),
    [
        ("env=search", ["settings of env=search:", "env.results = 1", "env.malformed.penalty = 0.0", "env.tasks"]),
        ("env=[search]", ["env.weights = []", "env.search.results = 1"]),
        ("env=serch", ["unknown environment 'serch', did you mean 'search'?"]),
    ],
)
def test_help_lists_the_settings_of_the_environment_that_is_chosen(word, listed, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", word, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert [text for text in listed if text not in told] == []
